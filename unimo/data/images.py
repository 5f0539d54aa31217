"""Images as the network reads them: regions of a store, the whole image first, cut to a limit."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from unimo.data.examples import RegionInput
from unimo.errors import InputError
from unimo.regions import FeatureSpec, Regions, RegionStore
from unimo.regions.names import ImageNames


def region_input(regions: Regions, max_regions: int) -> RegionInput:
    """A detector's output as network input: at most ``max_regions`` rows, the whole image counted.

    The whole-image feature is the mean over all regions, before the cut (original release).
    """
    features, locations = regions.with_global()
    return RegionInput(
        features=np.asarray(features[:max_regions], np.float32),
        locations=np.asarray(locations[:max_regions], np.float32),
        boxes=regions.boxes[: max_regions - 1],
        class_probabilities=regions.class_probabilities[: max_regions - 1],
    )


class ImageSource:
    """Reads images by id from a region store, which may name them in its own way (see ``regions.names``)."""

    def __init__(self, path: str | Path, max_regions: int) -> None:
        self.path = Path(path)
        self.max_regions = max_regions
        self.store = RegionStore(path)
        self._names: ImageNames | None = None

    @property
    def spec(self) -> FeatureSpec:
        """Identity of the features."""
        return self.store.spec

    def __getitem__(self, image_id: str) -> RegionInput:
        return region_input(self.store[self._stored_id(image_id)], self.max_regions)

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
