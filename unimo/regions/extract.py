"""A folder of pictures into a region store: several processes, the same store whatever their number, resumable."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from unimo.errors import InputError
from unimo.regions.detectors import FOLDER_NAME, save_detector
from unimo.regions.names import PICTURE_SUFFIXES
from unimo.regions.proposals.codebook import Codebook
from unimo.regions.proposals.detector import ProposalDetector
from unimo.regions.proposals.options import ProposalOptions
from unimo.regions.regions import Regions
from unimo.regions.store import RegionStore, RegionStoreWriter
from unimo.runtime.workers import worker_processes

COMMIT_EVERY = 64  # images of one durable transaction
CODEBOOK_IMAGES = 1500  # pictures the codebook is fitted on, drawn by seed

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class ExtractionReport:
    """What became of a folder of pictures."""

    num_images: int
    num_new: int
    unreadable: tuple[str, ...] = field(default_factory=tuple)


def find_images(folder: str | Path) -> dict[str, Path]:
    """Image id -> file: every picture below ``folder``; the id is its relative path without the suffix.

    Linked folders are entered (see :func:`_files_below`).

    Raises:
        InputError: no folder, no picture in it, or two files with the same id.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InputError.at(root, "no such folder")
    found: dict[str, Path] = {}
    for path in sorted(_files_below(root)):
        if path.suffix.lower() in PICTURE_SUFFIXES and path.is_file():
            image_id = path.relative_to(root).with_suffix("").as_posix()
            if image_id in found:
                raise InputError.at(path, f"the same image id as {found[image_id].name}: {image_id!r}")
            found[image_id] = path
    if not found:
        raise InputError.at(root, f"no pictures ({', '.join(PICTURE_SUFFIXES)}) in this folder")
    return found


def _files_below(root: Path) -> Iterator[Path]:
    """The files of all folders that a folder holds or links to.

    Links come after what lies there by itself, and no folder is entered twice, whatever leads to it: its files have one
    name each, their own where they have one, and links that lead back up end.
    """
    entered: set[str] = set()
    tops = [str(root)]
    for top in tops:  # which grows by the links that are found on the way
        for folder, names, files in os.walk(top):
            real = os.path.realpath(folder)
            if real in entered:
                names.clear()
                continue
            entered.add(real)
            names.sort()
            tops += [path for name in names if os.path.islink(path := os.path.join(folder, name))]
            yield from (Path(folder, name) for name in files)


def read_image(path: str | Path) -> np.ndarray | None:
    """[H, W, 3] uint8 BGR, or None where the file is no readable picture."""
    import cv2

    try:
        data = np.fromfile(path, np.uint8)
        return cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except (cv2.error, OSError):
        return None


def extract(
    images: str | Path,
    output: str | Path,
    options: ProposalOptions,
    codebook: Codebook | None = None,
    num_workers: int = 1,
    progress: Progress | None = None,
) -> ExtractionReport:
    """Describe every picture of a folder and write the store; what an interrupted run finished is not done again.

    Args:
        images: folder of pictures.
        output: the store's folder; it appears complete or not at all.
        options: the detector's.
        codebook: of an earlier extraction; None fits one on a seeded sample of these pictures.
        num_workers: processes.
        progress: called with (done, total).

    Raises:
        InputError: no readable picture.
    """
    files = find_images(images)
    with _pool(num_workers) as pool:
        codebook = codebook or fit_codebook(files, options, pool)
        detector = ProposalDetector(options, codebook)
        if _is_done(output, detector, files):
            return ExtractionReport(len(files), 0)
        writer = RegionStoreWriter(output, detector.spec)
        there = writer.ids()
        todo = [(image_id, path) for image_id, path in files.items() if image_id not in there]
        try:
            unreadable = _describe_all(todo, detector, writer, pool, len(files), progress)
        except BaseException:
            writer.close()
            raise
    save_detector(detector, writer.partial / FOLDER_NAME)
    writer.finish({"images": len(files) - len(unreadable), "unreadable": list(unreadable)})
    return ExtractionReport(len(files), len(todo) - len(unreadable), tuple(unreadable))


def fit_codebook(files: dict[str, Path], options: ProposalOptions, pool: _Pool) -> Codebook:
    """A codebook of the region classes in a seeded sample of the pictures."""
    ids = sorted(files)
    order = np.random.default_rng(options.seed).permutation(len(ids))[:CODEBOOK_IMAGES]
    sample = [(ids[index], files[ids[index]]) for index in np.sort(order)]
    bare = ProposalDetector(options)
    features = [regions.features for _, regions in pool.map(_Describe(bare), sample) if regions is not None]
    if not features:
        raise InputError(f"{next(iter(files.values())).parent}: not one readable picture among {len(sample)}")
    return Codebook.fit(np.concatenate(features), options.num_classes, options.seed)


def _is_done(output: str | Path, detector: ProposalDetector, files: Iterable[str]) -> bool:
    """Whether a finished store of these features holds every picture (unreadable ones aside)."""
    if not (Path(output) / "meta.json").is_file():
        return False
    with RegionStore(output) as store:
        known = set(store.ids()) | set(store.meta["about"].get("unreadable", []))
        return store.spec == detector.spec and set(files) <= known


def _describe_all(
    todo: Sequence[tuple[str, Path]],
    detector: ProposalDetector,
    writer: RegionStoreWriter,
    pool: _Pool,
    total: int,
    progress: Progress | None,
) -> list[str]:
    unreadable: list[str] = []
    batch: list[tuple[str, Regions]] = []
    for number, (image_id, regions) in enumerate(pool.map(_Describe(detector), todo), start=1):
        if regions is None:
            unreadable.append(image_id)
        else:
            batch.append((image_id, regions))
        if len(batch) == COMMIT_EVERY or number == len(todo):
            writer.add_many(batch)
            batch = []
        if progress is not None:
            progress(total - len(todo) + number, total)
    return unreadable


class _Describe:
    """Picklable: (image id, file) -> (image id, regions or None)."""

    def __init__(self, detector: ProposalDetector) -> None:
        self.detector = detector

    def __call__(self, item: tuple[str, Path]) -> tuple[str, Regions | None]:
        image_id, path = item
        image = read_image(path)
        return image_id, None if image is None else self.detector.detect(image)


class _Pool:
    """An ordered map over worker processes, or in this process where there is none."""

    def __init__(self, workers: ProcessPoolExecutor | None) -> None:
        self._workers = workers

    def map(self, function: _Describe, items: Sequence[tuple[str, Path]]) -> Iterator[tuple[str, Regions | None]]:
        if self._workers is None:
            yield from map(function, items)
        else:
            yield from self._workers.map(function, items, chunksize=16)


@contextmanager
def _pool(num_workers: int) -> Iterator[_Pool]:
    if num_workers <= 1:
        yield _Pool(None)
        return
    with worker_processes(num_workers, _one_thread) as workers:
        yield _Pool(workers)


def _one_thread() -> None:
    """Workers share the cores; OpenCV's own threads would only get in their way."""
    import cv2

    cv2.setNumThreads(1)
