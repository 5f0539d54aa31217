"""Images as the network reads them: regions of a store, the whole image first, cut to a limit."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from unimo.data.examples import RegionInput
from unimo.errors import InputError
from unimo.regions import FeatureSpec, Regions, RegionStore


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
    """Reads images by id from a region store."""

    def __init__(self, path: str | Path, max_regions: int) -> None:
        self.path = Path(path)
        self.max_regions = max_regions
        self.store = RegionStore(path)

    @property
    def spec(self) -> FeatureSpec:
        """Identity of the features."""
        return self.store.spec

    def __getitem__(self, image_id: str) -> RegionInput:
        return region_input(self.store[image_id], self.max_regions)

    def check(self, image_ids: Iterable[str], needed_by: str | Path) -> None:
        """Raise InputError naming the first image that the store lacks, before training meets it."""
        known = set(self.store.ids())
        absent = [image_id for image_id in image_ids if image_id not in known]
        if absent:
            raise InputError(f"{needed_by}: {len(absent)} images are not in {self.path}, the first is {absent[0]!r}")

    def num_regions(self, image_ids: Iterable[str]) -> list[int]:
        """R of each image, the whole image counted."""
        return [min(self.max_regions, self.store.num_regions(image_id) + 1) for image_id in image_ids]
