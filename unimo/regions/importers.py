"""Features that another detector made, into a region store."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from unimo.errors import InputError
from unimo.files import input_files
from unimo.regions.lines import BOTTOM_UP, CAPTIONS, ENTAILMENT, RETRIEVAL, LineFormat, read_regions
from unimo.regions.regions import FeatureSpec, Regions
from unimo.regions.store import RegionStoreWriter, encode_record

FEATURE_NAME = "bottom-up-attention"
"""The detector of every format here: the release's files hold its features as well."""

IMPORTERS: dict[str, LineFormat] = {lines.name: lines for lines in (BOTTOM_UP, CAPTIONS, ENTAILMENT, RETRIEVAL)}
"""Format name -> what its lines hold."""

REPEATING = frozenset({CAPTIONS.name, ENTAILMENT.name})
"""Formats of one line a text: an image comes with each of its texts, always the same."""


@dataclass
class _Import:
    """Images written so far, and a checksum of each where the format repeats them."""

    writer: RegionStoreWriter | None = None
    checksums: dict[str, bytes] = field(default_factory=dict)

    def add(self, path: Path, image_id: str, regions: Regions, repeats: bool) -> None:
        assert self.writer is not None
        # not crc32: that of a record is the same for all, since every record ends with its own
        checksum = hashlib.sha256(encode_record(regions)).digest()[:8] if repeats else b""
        if image_id in self.checksums:
            if not repeats:
                raise InputError.at(path, f"image {image_id!r} comes twice")
            if checksum != self.checksums[image_id]:
                raise InputError.at(path, f"image {image_id!r} comes with other regions than before")
            return
        self.checksums[image_id] = checksum
        try:
            self.writer.add(image_id, regions)
        except ValueError as error:
            raise InputError.at(path, str(error)) from error


def import_features(
    kind: str,
    inputs: list[Path],
    output: str | Path,
    version: str,
    progress: Callable[[int], None] | None = None,
    prefix: str = "",
) -> int:
    """Write feature files into a store; returns the number of images. ``prefix`` is put before every image id.

    ``inputs``: files, folders of files, or filelists.

    Raises:
        InputError: unknown format, damaged input, an image given twice, or records of different sizes; nothing is
            left at ``output``.
    """
    if kind not in IMPORTERS:
        raise InputError(f"format: there is no {kind!r}; there are {', '.join(IMPORTERS)}")
    files = [file for path in inputs for file in input_files(path)]
    state = _Import()
    try:
        for path in files:
            for image_id, regions in read_regions(path, IMPORTERS[kind]):
                if state.writer is None:
                    sizes = regions.features.shape[1], regions.class_probabilities.shape[1]
                    state.writer = RegionStoreWriter(output, FeatureSpec(FEATURE_NAME, version, *sizes))
                state.add(path, prefix + image_id, regions, kind in REPEATING)
                if progress is not None:
                    progress(len(state.checksums))
    except BaseException:
        if state.writer is not None:
            state.writer.discard()
        raise
    assert state.writer is not None, "a file without lines is an error of its reader"
    state.writer.finish({"format": kind, "files": [path.name for path in files]})
    return len(state.checksums)
