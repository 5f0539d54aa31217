"""What a detector is. A new one implements this and is named in ``regions/detectors.py``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from unimo.regions.regions import FeatureSpec, Regions


class Detector(Protocol):
    """Finds and describes regions of one image."""

    @property
    def spec(self) -> FeatureSpec:
        """Identity of the features it makes."""

    def detect(self, image: np.ndarray) -> Regions:
        """[H, W, 3] uint8 in OpenCV's BGR order -> regions; at least one for every image."""

    def description(self) -> Mapping[str, Any]:
        """What is needed to build it again (plain JSON values): kept in every store and checkpoint."""
