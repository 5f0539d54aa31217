"""Karpathy's splits of COCO and Flickr30k: `dataset_coco.json`, `dataset_flickr30k.json` (Karpathy and Fei-Fei, 2015).

All splits lie in one file: `dataset_coco.json#train+restval`. An image's id is its path without the suffix,
``val2014/COCO_val2014_000000391895``, or the name alone where the file names no folder (Flickr30k).
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from unimo.data.formats.json_fields import expecting, string
from unimo.data.formats.parts import choose_splits
from unimo.data.records import CaptionRecord
from unimo.errors import InputError


def is_karpathy(values: Any) -> bool:
    """Whether a JSON value has Karpathy's layout: images that hold their sentences."""
    images = values.get("images") if isinstance(values, dict) else None
    return isinstance(images, list) and bool(images) and isinstance(images[0], dict) and "sentences" in images[0]


def read_split(values: dict[str, Any], file: Path, part: str) -> list[CaptionRecord]:
    """The images of the named splits, each with its raw sentences.

    Raises:
        InputError: a field is missing, or no such split.
    """
    with expecting("Karpathy's JSON", file):
        chosen = choose_splits(file, part, Counter(string(image["split"], "split") for image in values["images"]))
        return [_record(image, file) for image in values["images"] if image["split"] in chosen]


def _record(image: dict[str, Any], file: Path) -> CaptionRecord:
    image_id = (Path(image.get("filepath", "")) / Path(image["filename"]).stem).as_posix()
    captions = tuple(string(sentence["raw"], "raw").strip() for sentence in image["sentences"])
    if not captions:
        raise InputError.at(file, f"image {image_id} has no sentence")
    return CaptionRecord(f"{file.name}:{image_id}", image_id, captions)
