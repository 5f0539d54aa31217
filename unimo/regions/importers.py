"""Features that another detector made, into a region store."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from unimo.errors import InputError
from unimo.files import read_lines
from unimo.regions.regions import FeatureSpec, Regions
from unimo.regions.store import RegionStoreWriter

BOTTOM_UP_COLUMNS = ("image_id", "image_w", "image_h", "num_boxes", "boxes", "features")


def read_bottom_up_attention(path: str | Path) -> Iterator[tuple[str, Regions]]:
    """Records of a bottom-up-attention TSV: image_id, image_w, image_h, num_boxes, boxes, features[, probabilities].

    Boxes and features are base64 of little-endian float32, [n, 4] pixels and [n, F]; probabilities, where a seventh
    column holds them (as in the release's retrieval files), [n, C].

    Raises:
        InputError: a missing column, broken base64, or a declared number of boxes that does not fit the data; with
            file and line.
    """
    for number, line in read_lines(path):
        columns = line.rstrip("\r\n").split("\t")
        if len(columns) not in (6, 7):
            expected = ", ".join(BOTTOM_UP_COLUMNS)
            raise InputError.at(path, f"{len(columns)} columns, expected 6 or 7 ({expected}, probabilities)", number)
        try:
            yield columns[0], _bottom_up_record(columns)
        except ValueError as error:
            raise InputError.at(path, str(error), number) from error


def _bottom_up_record(columns: list[str]) -> Regions:
    width, height, count = (_whole_number(columns[place], BOTTOM_UP_COLUMNS[place]) for place in (1, 2, 3))
    if count < 1:
        raise ValueError(f"num_boxes: {count}")
    boxes = _floats(columns[4], "boxes", count)
    if boxes.shape[1] != 4:
        raise ValueError(f"boxes: {boxes.size} numbers for {count} boxes")
    probabilities = _floats(columns[6], "probabilities", count) if len(columns) == 7 else np.zeros((count, 0), "<f4")
    return Regions(_floats(columns[5], "features", count), boxes, width, height, probabilities)


def _whole_number(text: str, name: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{name}: expected a whole number, found {text!r}") from None


def _floats(text: str, name: str, count: int) -> np.ndarray:
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"{name}: broken base64 ({error})") from None
    if not data or len(data) % (4 * count):
        raise ValueError(f"{name}: {len(data)} bytes do not fit the declared {count} boxes")
    return np.frombuffer(data, "<f4").reshape(count, -1)


IMPORTERS: dict[str, Callable[[str | Path], Iterator[tuple[str, Regions]]]] = {
    "bottom-up-attention": read_bottom_up_attention,
}
"""Format name -> reader."""


def import_features(
    kind: str,
    inputs: list[Path],
    output: str | Path,
    version: str,
    progress: Callable[[int], None] | None = None,
    prefix: str = "",
) -> int:
    """Write feature files into a store; returns the number of images. ``prefix`` is put before every image id.

    Raises:
        InputError: unknown format, damaged input, an image given twice, or records of different sizes; nothing is
            left at ``output``.
    """
    if kind not in IMPORTERS:
        raise InputError(f"format: there is no {kind!r}; there are {', '.join(IMPORTERS)}")
    writer: RegionStoreWriter | None = None
    seen: set[str] = set()
    try:
        for path in inputs:
            for name, regions in IMPORTERS[kind](path):
                image_id = prefix + name
                spec = FeatureSpec(kind, version, regions.features.shape[1], regions.class_probabilities.shape[1])
                writer = writer or RegionStoreWriter(output, spec)
                if image_id in seen:
                    raise InputError.at(path, f"image {image_id!r} comes twice")
                seen.add(image_id)
                try:
                    writer.add(image_id, regions)
                except ValueError as error:
                    raise InputError.at(path, str(error)) from error
                if progress is not None:
                    progress(len(seen))
    except BaseException:
        if writer is not None:
            writer.discard()
        raise
    if writer is None:
        raise InputError(f"{', '.join(map(str, inputs))}: no records")
    writer.finish({"format": kind, "files": [path.name for path in inputs]})
    return len(seen)
