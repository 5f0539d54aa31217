"""`unimo index add`: append images and texts to an index; what is there already is not encoded again.

Example::

    python -m unimo index add --index photos.index --texts more.txt
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SUMMARY = "append images and texts to an index"


@dataclass(frozen=True)
class Arguments:
    """The index, and what is added."""

    index: Path
    """Folder of the index."""

    checkpoint: Path | None = None
    """The checkpoint that it was made with, where it was moved since."""

    regions: Path | None = None
    """Region store of the images, of the same features; without it, the one that the index was made with."""

    images: bool = False
    """Take all images of the store."""

    captions: tuple[Path, ...] = ()
    """Files of images with captions (as `index evaluate` reads them, the release's too); both are taken."""

    texts: tuple[Path, ...] = ()
    """Files of texts."""


def run(arguments: Arguments) -> int:
    """Encode and append; every segment counts as soon as it is whole."""
    from unimo.cli.indexing import add_all, encoder_of, store_of
    from unimo.inference.index import VectorIndex

    index = VectorIndex(arguments.index)
    regions = store_of(index, arguments.regions) if arguments.images or arguments.captions else arguments.regions
    encoder = encoder_of(index, arguments.checkpoint, regions)
    for line in add_all(index, encoder, regions, arguments.images, arguments.texts, arguments.captions):
        print(line)
    return 0
