"""`unimo index build`: encode images and texts alone, once, and keep their vectors for searching.

Example::

    python -m unimo index build --checkpoint C --regions photos.regions --images true --output photos.index

The checkpoint needs the head `dual`, which pre-training trains with `--options.contrastive.dual_pairs 48` and
retrieval with `--options.dual_pairs 48`. Killed and started again, it goes on where it stopped.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SUMMARY = "encode images and texts alone, and keep their vectors"


@dataclass(frozen=True)
class Arguments:
    """What is encoded, and by what."""

    checkpoint: Path
    """Checkpoint folder of a run with the head `dual`."""

    output: Path
    """Folder of the index; it appears whole."""

    regions: Path | None = None
    """Region store of the images."""

    images: bool = False
    """Take all images of the store."""

    captions: tuple[Path, ...] = ()
    """Files of images with captions (as `index evaluate` reads them, the release's too); both are taken. A caption's id
    is `<image id>#<number>`."""

    texts: tuple[Path, ...] = ()
    """Files of texts (JSON lines, or one text a line). A text's id is `<file name>:<line>`, with as many folders before
    the name as tell the files apart."""


def run(arguments: Arguments) -> int:
    """Encode, and move the index into place."""
    from unimo.errors import InputError
    from unimo.locks import FolderLock

    output = arguments.output
    at_work = f"another process is building {output.name} there"
    lock = FolderLock(f".{output.name}.lock", at_work, "others that build it")
    with lock.held(output.parent):
        if output.exists():
            raise InputError.at(output, "is there already; `index add` appends to an index")
        return _build(arguments)


def _build(arguments: Arguments) -> int:
    from unimo.cli.indexing import add_all, load_encoder
    from unimo.errors import InputError
    from unimo.inference.index import INDEX_NAME, VectorIndex, publish

    output, regions = arguments.output, arguments.regions
    encoder = load_encoder(arguments.checkpoint, regions)
    partial, about = output.with_name(f"{output.name}.partial"), encoder.about(regions)
    if (partial / INDEX_NAME).is_file():
        index = VectorIndex(partial)
        if index.about != about:
            raise InputError.at(partial, "was begun with another checkpoint or store; remove it to start again")
    else:
        index = VectorIndex.create(partial, encoder.model.config.hidden_size, about)
    for line in add_all(index, encoder, regions, arguments.images, arguments.texts, arguments.captions):
        print(line)
    publish(partial, output)
    return 0
