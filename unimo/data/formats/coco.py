"""COCO's annotation files: `captions_<split>.json` and `image_info_<split>.json` (Lin et al., ECCV 2014).

An image's id is ``<split>/<file name without suffix>``, so that pictures lie as COCO lays them out: a folder a split.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from unimo.data.formats.json_fields import expecting, string
from unimo.data.records import CaptionRecord, ImageRecord
from unimo.errors import InputError


def captions(values: Any, file: Path, required: bool = True) -> list[CaptionRecord]:
    """All captions of each image that has one; without ``required``, of a file without annotations all images.

    Raises:
        InputError: not COCO's caption annotations, or none in them.
    """
    if not required and isinstance(values, dict) and "annotations" not in values:
        return [CaptionRecord(image.record_id, image.image_id, ()) for image in images(values, file)]
    found: dict[str, list[str]] = {}
    with expecting("COCO's caption annotations", file):
        names = _names(values, file)
        for annotation in values["annotations"]:
            caption = string(annotation["caption"], "caption").strip()
            found.setdefault(names[annotation["image_id"]], []).append(caption)
    if not found:
        raise InputError.at(file, "no captions")
    return [CaptionRecord(f"{file.name}:{image_id}", image_id, tuple(texts)) for image_id, texts in found.items()]


def images(values: Any, file: Path) -> list[ImageRecord]:
    """The images that a file lists, whether or not it annotates them.

    Raises:
        InputError: no list of images.
    """
    with expecting("COCO's list of images", file):
        names = _names(values, file)
    if not names:
        raise InputError.at(file, "no images")
    return [ImageRecord(f"{file.name}:{image_id}", image_id) for image_id in names.values()]


def _names(values: Any, file: Path) -> dict[Any, str]:
    """COCO's number -> image id; the split stands in the file's name alone."""
    split = file.name.split(".")[0].removeprefix("captions_").removeprefix("image_info_")
    return {image["id"]: f"{split}/{Path(image['file_name']).stem}" for image in values["images"]}
