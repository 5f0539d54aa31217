"""Pictures described when they are asked for, in place of a store."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from unimo.errors import InputError
from unimo.regions.detector import Detector
from unimo.regions.extract import read_image
from unimo.regions.regions import Regions
from unimo.regions.store import decode_record, encode_record


class DescribedPictures:
    """Read access by image id, as to a region store. Every picture is described once and kept in memory."""

    def __init__(self, detector: Detector, files: Mapping[str, Path]) -> None:
        """``files``: image id -> picture."""
        self.spec = detector.spec
        self._detector, self._files = detector, files
        self._known: dict[str, Regions] = {}

    def __len__(self) -> int:
        return len(self._files)

    def __contains__(self, image_id: object) -> bool:
        return image_id in self._files

    def __getitem__(self, image_id: str) -> Regions:
        """The regions, rounded to half precision as in a store, so that both give the same numbers.

        Raises:
            InputError: no such picture, or one that cannot be read.
        """
        if image_id not in self._files:
            raise InputError(f"no picture of image {image_id!r}")
        if image_id not in self._known:
            picture = read_image(self._files[image_id])
            if picture is None:
                raise InputError.at(self._files[image_id], "not a readable picture")
            self._known[image_id] = decode_record(encode_record(self._detector.detect(picture)), verify=False)
        return self._known[image_id]

    def num_regions(self, image_id: str) -> int:
        """R of an image."""
        return len(self[image_id])

    def ids(self) -> list[str]:
        """All image ids, sorted."""
        return sorted(self._files)
