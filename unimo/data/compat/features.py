"""Regions in the release's files, read where they stand when a batch needs them, in single precision."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from unimo.errors import InputError
from unimo.files import input_files, read_lines
from unimo.regions import FeatureSpec, Regions
from unimo.regions.importers import FEATURE_NAME
from unimo.regions.lines import LineFormat, format_of, parse_regions, whole_number


@dataclass(frozen=True)
class _Place:
    """Where an image's line begins, and what stands there."""

    path: Path
    offset: int
    number: int
    lines: LineFormat
    num_regions: int


def line_id(file: Path, number: int) -> str:
    """Names the image of one line, whatever image id it writes."""
    return f"{file.resolve()}:{number}"


class ReleasedFeatures:
    """Read access by image id to caption lines, entailment lines or retrieval's feature files, as a region store has.

    Only the lines' places are kept in memory. A line is read by :func:`line_id`, an image by the first of its lines.
    Packed files are unpacked into a temporary folder. As in the original, a declared number of boxes that does not
    fit the data repeats or cuts it.
    """

    def __init__(self, path: str | Path) -> None:
        """Find the images of a file, a folder of files, or a filelist.

        Raises:
            InputError: a file that has none of the release's formats, or a damaged line.
        """
        self._unpacked = tempfile.TemporaryDirectory()
        self._places: dict[str, _Place] = {}
        self._lines: dict[str, _Place] = {}
        for file in input_files(path):
            self._find(file)
        # the first image tells how many numbers a feature has, so its data must fit
        first = self._read(next(iter(self._places.values())), feature_size=0)
        self.spec = FeatureSpec(FEATURE_NAME, "1", first.features.shape[1], 0)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, image_id: object) -> bool:
        return image_id in self._places or image_id in self._lines

    def __getitem__(self, image_id: str) -> Regions:
        return self._read(self._place(image_id), self.spec.feature_size)

    def num_regions(self, image_id: str) -> int:
        """R of an image."""
        return self._place(image_id).num_regions

    def ids(self) -> list[str]:
        """All image ids."""
        return list(self._places)

    def _place(self, image_id: str) -> _Place:
        place = self._lines.get(image_id) or self._places.get(image_id)
        if place is None:
            raise InputError(f"no image {image_id!r} in the released files")
        return place

    def _read(self, place: _Place, feature_size: int) -> Regions:
        with open(place.path, "rb") as stream:
            stream.seek(place.offset)
            line = stream.readline().decode("utf-8")
        try:
            return parse_regions(place.lines.split(line), feature_size)
        except ValueError as error:
            raise InputError.at(place.path, str(error), place.number) from error

    def _find(self, file: Path) -> None:
        lines = format_of(file)
        if lines is None:
            raise InputError.at(file, "none of the release's formats: 16 or 14 fields, or 7 columns")
        path, offset = self._plain(file), 0
        with open(path, "rb") as stream:
            for number, raw in enumerate(stream, start=1):
                try:
                    columns = lines.split(raw.decode("utf-8"))
                    count = whole_number(columns["num_boxes"], "num_boxes")
                    place = _Place(path, offset, number, lines, count)
                    self._places.setdefault(lines.image_id(columns["image_id"]), place)
                    self._lines[line_id(file, number)] = place
                except ValueError as error:
                    raise InputError.at(file, str(error), number) from error
                offset += len(raw)

    def _plain(self, file: Path) -> Path:
        """The file itself, or its unpacked copy."""
        if file.suffix != ".gz":
            return file
        folder = Path(self._unpacked.name)
        copy = folder / f"{len(list(folder.iterdir()))}-{file.stem}"
        with open(copy, "wb") as target:
            target.writelines(line.encode("utf-8") for _, line in read_lines(file))
        return copy
