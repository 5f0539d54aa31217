"""Where a checkpoint finds the images of a world when nobody says: a store that fits, or the pictures themselves."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from unimo.data.images import ImageSource
from unimo.errors import InputError
from unimo.modeling.pretrained import read_config
from unimo.regions import RegionStore
from unimo.regions.extract import find_images
from unimo.regions.pictures import DescribedPictures
from unimo.tasks.assembly import DETECTOR_FOLDER, check_features, load_own_detector


@dataclass(frozen=True)
class FoundImages:
    """Images, and in words where they were found and why not elsewhere."""

    source: ImageSource
    told: tuple[str, ...]


def find_split_images(
    checkpoint: Path, stores: Sequence[str], pictures: Path, image_ids: Collection[str], max_regions: int
) -> FoundImages:
    """The first of ``stores`` that fits the checkpoint and holds all images; else the pictures, described here.

    Args:
        checkpoint: whose features they must be, and whose detector describes pictures.
        stores: region stores, the most wanted first; empty names are passed over.
        pictures: folder of the pictures, named by image id.
        image_ids: what is needed.
        max_regions: most regions of an image, the whole image counted.

    Raises:
        InputError: no store fits, and the pictures or the detector are missing or do not fit either.
    """
    told: list[str] = []
    for store in (Path(name) for name in stores if name):
        reason = _misfit(store, checkpoint, image_ids)
        if reason is None:
            return FoundImages(ImageSource(store, max_regions), (*told, f"images: read from {store}"))
        if (line := f"images: not from {store}: {reason}") not in told:
            told.append(line)
    try:
        detector, files = load_own_detector(checkpoint), find_images(pictures)
        if absent := [image_id for image_id in image_ids if image_id not in files]:
            raise InputError.at(pictures, f"{len(absent)} images are missing, the first is {absent[0]!r}")
    except InputError as error:
        raise InputError(f"regions: no store was found ({'; '.join(told) or 'none named'}), and {error}") from error
    described = DescribedPictures(detector, {image_id: files[image_id] for image_id in image_ids})
    told.append(f"images: {len(described)} pictures of {pictures} described by {checkpoint / DETECTOR_FOLDER}")
    return FoundImages(ImageSource(pictures, max_regions, described), tuple(told))


def _misfit(path: Path, checkpoint: Path, image_ids: Collection[str]) -> str | None:
    """Why a store cannot be used, None where it can."""
    if not path.is_dir():
        return "no such folder"
    try:
        with RegionStore(path) as store:
            check_features(read_config(checkpoint)[0], store.spec, checkpoint)
            absent = ImageSource(path, 3, store).absent(image_ids)
    except InputError as error:
        return str(error)
    return f"{len(absent)} of {len(image_ids)} images are not in it, such as {absent[0]!r}" if absent else None
