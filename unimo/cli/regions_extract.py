"""`unimo regions extract`: describe a folder of photographs as regions, without any downloaded weights.

Example::

    python -m unimo regions extract --images photos --output photos.regions
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from unimo.regions.proposals.options import ProposalOptions
from unimo.runtime.settings import usable_cores

if TYPE_CHECKING:
    from unimo.regions.proposals.codebook import Codebook

SUMMARY = "describe the pictures of a folder as regions, in a store that training reads"


@dataclass(frozen=True, kw_only=True)
class Arguments(ProposalOptions):
    """Where the pictures are and the store goes; the other flags are the detector's."""

    images: Path
    """Folder of pictures; subfolders are searched. A picture's id is its path without the suffix."""

    output: Path
    """Folder of the store; it appears complete or not at all, and an interrupted run goes on."""

    codebook: Path | None = None
    """Store (or codebook.npz) whose region classes to use, so that new pictures get the features a model was trained
    on; without it, classes are found in these pictures."""

    num_workers: int = 0
    """Processes; 0 is one a core. The store is the same for any number."""


def run(arguments: Arguments) -> int:
    """Extract, and say what could not be read."""
    from unimo.regions.extract import extract, find_images
    from unimo.runtime.progress import progress_bar

    values = asdict(arguments)
    options = ProposalOptions(**{name: values[name] for name in ProposalOptions.__dataclass_fields__})
    codebook = _codebook(arguments.codebook)
    workers = arguments.num_workers or usable_cores()
    # what is wrong with the folder is told before the bar is there
    with progress_bar("image", len(find_images(arguments.images))) as bar:
        report = extract(
            arguments.images, arguments.output, options, codebook, workers, lambda done, total: bar.update(done - bar.n)
        )
    for image_id in report.unreadable:
        print(f"unreadable, left out: {image_id}")
    if report.num_new == 0 and not report.unreadable:
        print(f"{arguments.output}: all {report.num_images} images are already there, nothing to do")
    else:
        print(f"{arguments.output}: {report.num_new} images described, {len(report.unreadable)} unreadable")
    return 0


def _codebook(path: Path | None) -> Codebook | None:
    from unimo.regions.detectors import FOLDER_NAME
    from unimo.regions.proposals.codebook import Codebook

    if path is None:
        return None
    return Codebook.load(path / FOLDER_NAME / "codebook.npz" if path.is_dir() else path)
