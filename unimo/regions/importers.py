"""Features that another detector made, into a region store."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from unimo.errors import InputError
from unimo.files import input_files, read_lines
from unimo.regions.lines import BOTTOM_UP, CAPTIONS, ENTAILMENT, RETRIEVAL, LineFormat, regions_of
from unimo.regions.regions import FeatureSpec
from unimo.regions.store import RegionStoreWriter, encode_record
from unimo.runtime.workers import map_in_order

FEATURE_NAME = "bottom-up-attention"
"""The detector of every format here: the release's files hold its features as well."""

IMPORTERS: dict[str, LineFormat] = {lines.name: lines for lines in (BOTTOM_UP, CAPTIONS, ENTAILMENT, RETRIEVAL)}
"""Format name -> what its lines hold."""

REPEATING = frozenset({CAPTIONS.name, ENTAILMENT.name})
"""Formats of one line a text: an image comes with each of its texts, always the same."""


CHUNK = 32  # lines that a worker decodes at a time, and most images of one durable transaction
CHUNKS_AHEAD = 4  # a worker, that may wait: a line of 36 regions is 400 kB


@dataclass(frozen=True)
class _Line:
    """An image as a line has it, in the store's form."""

    image_id: str
    sizes: tuple[int, int]
    record: bytes


@dataclass(frozen=True)
class _Decode:
    """Picklable: (file, numbered lines) -> images."""

    lines: LineFormat

    def __call__(self, chunk: tuple[Path, Sequence[tuple[int, str]]]) -> list[_Line]:
        path, numbered = chunk
        found = []
        for image_id, regions in regions_of(path, numbered, self.lines):
            sizes = regions.features.shape[1], regions.class_probabilities.shape[1]
            found.append(_Line(image_id, sizes, encode_record(regions)))
        return found


class _Import:
    """Images written so far, and a checksum of each where the format repeats them."""

    def __init__(self, output: str | Path, version: str, repeats: bool) -> None:
        self.output, self.version, self.repeats = output, version, repeats
        self.writer: RegionStoreWriter | None = None
        self.checksums: dict[str, bytes] = {}

    def add(self, path: Path, found: Sequence[_Line], prefix: str) -> None:
        """Those of a chunk that are new."""
        fresh = []
        for line in found:
            image_id = prefix + line.image_id
            if self.writer is None:
                self.writer = RegionStoreWriter(self.output, FeatureSpec(FEATURE_NAME, self.version, *line.sizes))
            # not crc32: that of a record is the same for all, since every record ends with its own
            checksum = hashlib.sha256(line.record).digest()[:8] if self.repeats else b""
            if image_id in self.checksums:
                if not self.repeats:
                    raise InputError.at(path, f"image {image_id!r} comes twice")
                if checksum != self.checksums[image_id]:
                    raise InputError.at(path, f"image {image_id!r} comes with other regions than before")
                continue
            try:
                self.writer.check(image_id, line.sizes)
            except ValueError as error:
                raise InputError.at(path, str(error)) from error
            self.checksums[image_id] = checksum
            fresh.append((image_id, line.record))
        if self.writer is not None and fresh:
            self.writer.add_encoded(fresh)


def import_features(
    kind: str,
    inputs: list[Path],
    output: str | Path,
    version: str,
    progress: Callable[[int], None] | None = None,
    prefix: str = "",
    num_workers: int = 1,
) -> int:
    """Write feature files into a store; returns the number of images.

    Args:
        kind: a format of :data:`IMPORTERS`.
        inputs: files, folders of files, or filelists.
        output: the store's folder; it appears complete or not at all.
        version: of the features.
        progress: called with the number of images so far.
        prefix: put before every image id.
        num_workers: processes that decode lines; the store is the same for any number.

    Raises:
        InputError: unknown format, damaged input, an image given twice, or records of different sizes; nothing is
            left at ``output``.
    """
    if kind not in IMPORTERS:
        raise InputError(f"format: there is no {kind!r}; there are {', '.join(IMPORTERS)}")
    files = [file for path in inputs for file in input_files(path)]
    state, decode = _Import(output, version, kind in REPEATING), _Decode(IMPORTERS[kind])
    try:
        decoded = map_in_order(decode, _chunks(files), num_workers, CHUNKS_AHEAD * num_workers)
        with contextlib.closing(decoded):
            for (path, _), found in decoded:
                state.add(path, found, prefix)
                if progress is not None:
                    progress(len(state.checksums))
    except BaseException:
        if state.writer is not None:
            state.writer.discard()
        raise
    assert state.writer is not None, "a file without lines is an error of its reader"
    state.writer.finish({"format": kind, "files": [path.name for path in files]})
    return len(state.checksums)


def _chunks(files: Sequence[Path]) -> Iterator[tuple[Path, list[tuple[int, str]]]]:
    for path in files:
        numbered = read_lines(path)
        while chunk := list(itertools.islice(numbered, CHUNK)):
            yield path, chunk
