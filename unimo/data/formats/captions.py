"""Images with captions, images alone, and names of the objects in images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from unimo.data.formats import coco, karpathy, multi30k, visual_genome
from unimo.data.formats.json_fields import read_jsonl, strings
from unimo.data.formats.parts import split_part, whole_file
from unimo.data.records import CaptionRecord, ImageRecord
from unimo.errors import InputError
from unimo.files import read_json, suffix_of


def read_captions(path: str | Path, required: bool = True) -> list[CaptionRecord]:
    """Images with captions, one JSON object a line, or as they are published.

    Without ``required``, images may lack captions (COCO's test images): the field in a line, the annotations in a file.
    A line is ``{"image_id": str, "captions": [str, ...], "also_true": [str, ...]?}``. A `.json` file is COCO's caption
    annotations, one of Karpathy's files (with a split: `dataset_coco.json#test`) or Visual Genome's region
    descriptions; a file named `*.images.txt` lists the images of Multi30k's caption files.

    Raises:
        InputError: missing or empty file, none of these formats, a broken record (with line), no such split.
    """
    file, part = split_part(path)
    if suffix_of(file) == ".json":
        values = read_json(file)
        if karpathy.is_karpathy(values):
            return karpathy.read_split(values, file, part)
        whole_file(path)
        if isinstance(values, list):
            return visual_genome.region_captions(values, file)
        return coco.captions(values, file, required)
    if file.name.endswith(multi30k.IMAGES_NAME):
        return multi30k.read_captions(whole_file(path))
    return read_jsonl(whole_file(path), lambda record_id, fields: _from_line(record_id, fields, required))


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
