"""Images with captions, images alone, and names of the objects in images."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from unimo.data.formats import coco, karpathy, multi30k, visual_genome
from unimo.data.formats.json_fields import read_jsonl, strings
from unimo.data.formats.parts import split_part, whole_file
from unimo.data.records import CaptionRecord, ImageRecord
from unimo.errors import InputError
from unimo.files import read_json, suffix_of


@dataclass(frozen=True)
class CaptionFile:
    """What a file of captions holds, blank captions left out."""

    records: list[CaptionRecord]

    num_blank: int
    """Captions of nothing but white space."""


def read_captions(path: str | Path, required: bool = True) -> list[CaptionRecord]:
    """The records of :func:`read_caption_file`; a warning tells how many captions were blank.

    Raises:
        InputError: as :func:`read_caption_file`.
    """
    found = read_caption_file(path, required)
    if found.num_blank:
        warnings.warn(f"{path}: blank captions are left out, {found.num_blank} of them", stacklevel=2)
    return found.records


def read_caption_file(path: str | Path, required: bool = True) -> CaptionFile:
    """Images with captions, one JSON object a line, or as they are published.

    Without ``required``, images may lack captions (COCO's test images): the field in a line, the annotations in a file.
    A line is ``{"image_id": str, "captions": [str, ...], "also_true": [str, ...]?}``. A `.json` file is COCO's caption
    annotations, one of Karpathy's files (with a split: `dataset_coco.json#test`) or Visual Genome's region
    descriptions; a file named `*.images.txt` lists the images of Multi30k's caption files.

    An image whose captions are all blank is one without captions: COCO's annotations and Visual Genome's leave it out,
    the other formats have it without a caption, or, where one is required, refuse it.

    Raises:
        InputError: missing or empty file, none of these formats, a broken record (with line), no such split, an image
            without a caption where one is required.
    """
    file, part = split_part(path)
    records, annotated = _read(path, file, part, required)
    kept, num_blank = [], 0
    for record in records:
        captions = tuple(filter(str.strip, record.captions))
        num_blank += len(record.captions) - len(captions)
        if captions or not (annotated or required):
            kept.append(record if captions == record.captions else replace(record, captions=captions))
        elif not annotated:
            raise InputError.at(file.parent / record.record_id, f"image {record.image_id!r} has blank captions alone")
    if not kept:
        raise InputError.at(file, "no captions")
    return CaptionFile(kept, num_blank)


def _read(path: str | Path, file: Path, part: str, required: bool) -> tuple[list[CaptionRecord], bool]:
    """The records as they stand there, and whether the format lists captions, so that an image may have none."""
    if suffix_of(file) == ".json":
        values = read_json(file)
        if karpathy.is_karpathy(values):
            return karpathy.read_split(values, file, part), False
        whole_file(path)
        if isinstance(values, list):
            return visual_genome.region_captions(values, file), True
        return coco.captions(values, file, required), "annotations" in values
    if file.name.endswith(multi30k.IMAGES_NAME):
        return multi30k.read_captions(whole_file(path)), False
    return read_jsonl(whole_file(path), lambda record_id, fields: _from_line(record_id, fields, required)), False


def read_images(path: str | Path) -> list[ImageRecord]:
    """Images without text: ``{"image_id": str}`` a line, or the `images` of a COCO file (image_info_*.json)."""
    file = whole_file(path)
    if suffix_of(file) == ".json":
        return coco.images(read_json(file), file)
    return read_jsonl(file, lambda record_id, fields: ImageRecord(record_id, str(fields["image_id"])))


def read_object_tags(path: str | Path) -> dict[str, tuple[str, ...]]:
    """Names of the objects of every image: ``{"image_id": str, "tags": [str, ...]}`` a line.

    Raises:
        InputError: a broken line, or an image that comes twice.
    """
    rows = read_jsonl(whole_file(path), lambda _, fields: (str(fields["image_id"]), strings(fields["tags"], "tags")))
    tags = dict(rows)
    if len(tags) < len(rows):
        raise InputError.at(path, f"{len(rows) - len(tags)} images come twice")
    return tags


def _from_line(record_id: str, fields: dict[str, Any], required: bool) -> CaptionRecord:
    given = required or "captions" in fields
    captions = strings(fields["captions"], "captions") if given else ()
    if given and not captions:
        raise ValueError("captions: the list is empty")
    also_true = strings(fields.get("also_true", []), "also_true")
    return CaptionRecord(record_id, str(fields["image_id"]), captions, also_true)
