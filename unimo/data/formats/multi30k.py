"""Multi30k's English captions of Flickr30k: one line file a caption number, and one that names the image of each line.

`train.images.txt` stands beside `train.1.en` to `train.5.en` (or `.en.gz`). An image's id is its file name without the
suffix, as in Flickr30k itself.
"""

from __future__ import annotations

from pathlib import Path

from unimo.data.records import CaptionRecord
from unimo.errors import InputError
from unimo.files import read_lines

IMAGES_NAME = ".images.txt"


def caption_files(file: Path) -> list[Path]:
    """The caption files beside the one that names the images.

    Raises:
        InputError: there are none.
    """
    split = file.name.removesuffix(IMAGES_NAME)
    columns = sorted({*file.parent.glob(f"{split}.[0-9].en"), *file.parent.glob(f"{split}.[0-9].en.gz")})
    if not columns:
        raise InputError.at(file, f"no caption files {split}.1.en, ... (or .en.gz) beside it")
    return columns


def read_captions(file: Path) -> list[CaptionRecord]:
    """The images of a split with one caption of each caption file.

    Raises:
        InputError: no caption file, or one with another number of lines than there are images.
    """
    columns = caption_files(file)
    images = [Path(line.strip()).stem for _, line in read_lines(file)]
    texts = [[line.strip() for _, line in read_lines(column)] for column in columns]
    for column, lines in zip(columns, texts, strict=True):
        if len(lines) != len(images):
            raise InputError.at(column, f"{len(lines)} lines, but {file.name} names {len(images)} images")
    captions = zip(*texts, strict=True)
    return [
        CaptionRecord(f"{file.name}:{number}", image, each)
        for number, (image, each) in enumerate(zip(images, captions, strict=True), start=1)
    ]
