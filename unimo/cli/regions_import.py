"""`unimo regions import`: features that another detector made, into a region store.

Examples::

    python -m unimo regions import --input trainval_36.tsv --output coco.regions
    python -m unimo regions import --format release-captions --input coco/train_filelist --output coco.regions
    python -m unimo regions import --format release-retrieval --input flickr/features --output flickr.regions
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

MOST_WORKERS = 8
SUMMARY = "bring features of another detector (bottom-up-attention TSV, the release's files) into a store"


@dataclass(frozen=True)
class Arguments:
    """Files and their format."""

    input: tuple[Path, ...]
    """Feature files, folders of them, or filelists (one path a line, relative to the list); `.gz` is unpacked."""

    output: Path
    """Folder of the store; it appears complete or not at all."""

    format: str = "bottom-up-attention"
    """Format of the files: bottom-up-attention (base64 columns; 36 or 10 to 100 boxes), or one of the original release:
    release-captions (16 fields), release-entailment (14 fields), release-retrieval (7 columns)."""

    version: str = "1"
    """Version of the features, kept in the store and in every model trained from it."""

    prefix: str = ""
    """Put before every image id of the files: `VG_100K/` keeps Visual Genome's numbers apart from COCO's."""

    num_workers: int = 0
    """Processes that decode lines; 0 is one a core, at most 8, since one process reads and writes for all. The store is
    the same for any number."""


def run(arguments: Arguments) -> int:
    """Import, and print the count."""

    from unimo.regions.importers import import_features
    from unimo.runtime.progress import progress_bar
    from unimo.runtime.settings import usable_cores

    with progress_bar("image") as bar:
        count = import_features(
            arguments.format,
            list(arguments.input),
            arguments.output,
            arguments.version,
            lambda done: bar.update(done - bar.n),
            arguments.prefix,
            arguments.num_workers or min(usable_cores(), MOST_WORKERS),
        )
    print(f"{arguments.output}: {count} images")
    return 0
