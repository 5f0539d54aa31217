"""Images as the network reads them: regions of a store, the whole image first, cut to a limit."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np

from unimo.config.job import DataConfig
from unimo.data.compat.features import ReleasedFeatures, line_id
from unimo.data.examples import RegionInput
from unimo.errors import InputError
from unimo.regions import FeatureSpec, Regions, RegionStore
from unimo.regions.names import ImageNames
from unimo.regions.store import META_NAME


def region_input(regions: Regions, max_regions: int) -> RegionInput:
    """A detector's output as network input: at most ``max_regions`` rows, the whole image counted.

    The whole-image feature is the mean over all regions, before the cut (original release).
    """
    features, locations = regions.with_global()
    classes = regions.class_probabilities
    return RegionInput(
        features=np.asarray(features[:max_regions], np.float32),
        locations=np.asarray(locations[:max_regions], np.float32),
        boxes=regions.boxes[: max_regions - 1],
        class_probabilities=classes[: max_regions - 1] if classes.shape[1] else None,
    )


class Images(Protocol):
    """Where regions are read by image id."""

    spec: FeatureSpec

    def __contains__(self, image_id: object) -> bool: ...

    def __getitem__(self, image_id: str) -> Regions: ...

    def num_regions(self, image_id: str) -> int:
        """R of an image."""

    def ids(self) -> list[str]:
        """All image ids."""


class ImageSource:
    """Reads images by id from a region store, which may name them in its own way (see ``regions.names``)."""

    def __init__(self, path: str | Path, max_regions: int, store: Images | None = None) -> None:
        """``store``: what is read in place of the region store at ``path``."""
        self.path = Path(path)
        self.max_regions = max_regions
        self.store: Images = RegionStore(path) if store is None else store
        self._sides_swapped = False
        self._names: ImageNames | None = None

    @property
    def spec(self) -> FeatureSpec:
        """Identity of the features."""
        return self.store.spec

    def __getitem__(self, image_id: str) -> RegionInput:
        regions = self.store[self._stored_id(image_id)]
        if self._sides_swapped:
            regions = replace(regions, image_width=regions.image_height, image_height=regions.image_width)
        return region_input(regions, self.max_regions)

    def with_swapped_sides(self) -> ImageSource:
        """The same images, their boxes divided by the wrong side, as the original's test of retrieval does."""
        other = copy.copy(self)
        other._sides_swapped = True
        return other

    def of_lines(self, files: Sequence[Path], image_ids: Sequence[Sequence[str]]) -> list[str]:
        """Under which id the image of every line of every file is read: its own line's, where those files are read.

        In the original an image belongs to its line: lines with the same image id may hold other regions.
        """
        return [
            line_id(file, number) if line_id(file, number) in self.store else image_id
            for file, ids in zip(files, image_ids, strict=True)
            for number, image_id in enumerate(ids, start=1)
        ]

    def absent(self, image_ids: Iterable[str]) -> list[str]:
        """Those images that the store lacks."""
        return self._stored_names().absent(image_ids)

    def check(self, image_ids: Iterable[str], needed_by: str | Path) -> None:
        """Raise InputError naming the first image that the store lacks, before training meets it."""
        if absent := self.absent(image_ids):
            raise InputError(f"{needed_by}: {len(absent)} images are not in {self.path}, the first is {absent[0]!r}")

    def num_regions(self, image_ids: Iterable[str]) -> list[int]:
        """R of each image, the whole image counted."""
        return [min(self.max_regions, self.store.num_regions(self._stored_id(each)) + 1) for each in image_ids]

    def _stored_id(self, image_id: str) -> str:
        if image_id in self.store:
            return image_id
        return self._stored_names().find(image_id) or image_id  # the store says that it has no such image

    def _stored_names(self) -> ImageNames:
        """The store's ids by what they have in common with others; read once, when first needed."""
        if self._names is None:
            self._names = ImageNames(self.store.ids(), str(self.path))
        return self._names


def open_images(data: DataConfig) -> ImageSource | None:
    """The images that a job names: a region store or, for the original's batches, released files; None for none."""
    if not data.regions:
        return None
    released = data.compat and not (Path(data.regions) / META_NAME).is_file()
    return ImageSource(data.regions, data.max_regions, ReleasedFeatures(data.regions) if released else None)
