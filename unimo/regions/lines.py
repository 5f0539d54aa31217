"""Regions that stand in lines of text, arrays as base64 of little-endian float32: the formats people have them in."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from unimo.errors import InputError
from unimo.files import read_lines
from unimo.regions.regions import Regions

Array = np.ndarray

MOST_BOXES = 10_000  # to which data are repeated or cut; the release's files hold at most 100
COCO_PREFIX = 9  # characters before the number in an image id of the release's caption lines


@dataclass(frozen=True)
class LineFormat:
    """What the columns of a line are called, and which image it is about."""

    name: str
    separator: str
    columns: tuple[str, ...]
    num_optional: int = 0
    """How many of the last columns may be absent."""

    image_id: Callable[[str], str] = str
    """An image's id from how the line writes it."""

    def split(self, line: str) -> dict[str, str]:
        """The columns of a line by name.

        Raises:
            ValueError: another number of columns.
        """
        values = line.rstrip("\r\n").split(self.separator)
        fewest = len(self.columns) - self.num_optional
        if not fewest <= len(values) <= len(self.columns):
            expected = f"{fewest} or {len(self.columns)}" if self.num_optional else f"{fewest}"
            raise ValueError(f"{len(values)} columns, expected {expected} ({', '.join(self.columns)})")
        return dict(zip(self.columns, values, strict=False))


def coco_image_id(written: str) -> str:
    """The number after the prefix: `coco_img_42` is image 42 (original release)."""
    return str(whole_number(written[COCO_PREFIX:], f"image_id {written!r} after {COCO_PREFIX} characters"))


def numbered_image_id(written: str) -> str:
    """An image name that must be a number (original release)."""
    return str(whole_number(written, "image_id"))


BOTTOM_UP = LineFormat(
    "bottom-up-attention",
    "\t",
    ("image_id", "image_w", "image_h", "num_boxes", "boxes", "features", "class_probabilities"),
    num_optional=1,
)
"""The public TSV of bottom-up attention; a seventh column, as the release's retrieval files have, is of classes."""

RETRIEVAL = LineFormat("release-retrieval", "\t", BOTTOM_UP.columns, num_optional=1, image_id=numbered_image_id)
"""The release's feature files of retrieval."""

CAPTIONS = LineFormat(
    "release-captions",
    ";",
    (
        "image_id",
        "caption_id",
        "token_ids",
        "sentence_ids",
        "position_ids",
        "segment_labels",
        "node_begins",
        "node_ends",
        "image_h",
        "image_w",
        "num_boxes",
        "boxes",
        "class_probabilities",
        "attribute_probabilities",
        "features",
        "label",
    ),
    image_id=coco_image_id,
)
"""The release's caption lines; height comes before width."""

ENTAILMENT = LineFormat(
    "release-entailment",
    ";",
    (
        "image_id",
        "data_id",
        "label",
        "token_ids",
        "sentence_ids",
        "position_ids",
        "unused_1",
        "image_w",
        "image_h",
        "num_boxes",
        "boxes",
        "features",
        "unused_2",
        "unused_3",
    ),
)
"""The release's visual entailment lines; width comes before height."""


def format_of(path: str | Path) -> LineFormat | None:
    """Which of the release's formats with regions a file has, told by its first line."""
    _, line = next(read_lines(path))
    for known in (CAPTIONS, ENTAILMENT, RETRIEVAL):
        columns = line.count(known.separator) + 1
        if len(known.columns) - known.num_optional <= columns <= len(known.columns):
            return known
    return None


def read_columns(path: str | Path, lines: LineFormat) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line number, columns by name) of a file.

    Raises:
        InputError: missing or empty file, or a line with another number of columns; with line.
    """
    for number, line in read_lines(path):
        try:
            yield number, lines.split(line)
        except ValueError as error:
            raise InputError.at(path, str(error), number) from error


def read_regions(path: str | Path, lines: LineFormat) -> Iterator[tuple[str, Regions]]:
    """Yield (image id, regions) of every line of a file; an image that stands in several lines comes several times.

    Raises:
        InputError: a missing column, broken base64, or a declared number of boxes that does not fit the data; with
            file and line.
    """
    yield from regions_of(path, read_lines(path), lines)


def regions_of(
    path: str | Path, numbered: Iterable[tuple[int, str]], lines: LineFormat
) -> Iterator[tuple[str, Regions]]:
    """As :func:`read_regions`, of some lines of a file."""
    for number, line in numbered:
        try:
            columns = lines.split(line)
            yield lines.image_id(columns["image_id"]), parse_regions(columns)
        except ValueError as error:
            raise InputError.at(path, str(error), number) from error


def parse_regions(columns: Mapping[str, str], feature_size: int = 0) -> Regions:
    """The regions of a line.

    Args:
        columns: by name; the probabilities may be absent or empty.
        feature_size: 0 refuses arrays that do not fit the declared number of boxes; any other number repeats or cuts
            them to that many rows, as the original release does without a word.

    Raises:
        ValueError: naming the column.
    """
    width, height, count = (whole_number(columns[name], name) for name in ("image_w", "image_h", "num_boxes"))
    if count < 1:
        raise ValueError(f"num_boxes: {count}")
    if feature_size:
        if count > MOST_BOXES:
            raise ValueError(f"num_boxes: {count}, more than {MOST_BOXES}")
        boxes = np.resize(_decoded(columns["boxes"], "boxes"), (count, 4))
        features = np.resize(_decoded(columns["features"], "features"), (count, feature_size))
        return Regions(features, boxes, width, height, np.zeros((count, 0), np.float32))
    boxes = _rows(columns["boxes"], "boxes", count)
    if boxes.shape[1] != 4:
        raise ValueError(f"boxes: {boxes.size} numbers for {count} boxes")
    attributes = columns.get("attribute_probabilities")
    return Regions(
        features=_rows(columns["features"], "features", count),
        boxes=boxes,
        image_width=width,
        image_height=height,
        class_probabilities=_probabilities(columns.get("class_probabilities"), "class_probabilities", count),
        attribute_probabilities=_rows(attributes, "attribute_probabilities", count) if attributes else None,
    )


def whole_number(text: str, name: str) -> int:
    """A column that must be a whole number.

    Raises:
        ValueError: it is not; naming the column.
    """
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{name}: expected a whole number, found {text!r}") from None


def _probabilities(text: str | None, name: str, count: int) -> Array:
    return _rows(text, name, count) if text else np.zeros((count, 0), np.float32)


def _rows(text: str, name: str, count: int) -> Array:
    """[count, ...] numbers of a column that must hold as many for every box."""
    values = _decoded(text, name)
    if not values.size or values.size % count:
        raise ValueError(f"{name}: {4 * values.size} bytes do not fit the declared {count} boxes")
    return values.reshape(count, -1)


def _decoded(text: str, name: str) -> Array:
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"{name}: broken base64 ({error})") from None
    if len(data) % 4:
        raise ValueError(f"{name}: {len(data)} bytes are no float32 numbers")
    return np.frombuffer(data, "<f4")
