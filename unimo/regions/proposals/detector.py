"""Region proposals, described and labelled: a detector that needs no weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from unimo.regions.proposals.boxes import propose_boxes
from unimo.regions.proposals.codebook import Codebook
from unimo.regions.proposals.descriptor import describe
from unimo.regions.proposals.options import ProposalOptions
from unimo.regions.regions import FeatureSpec, Regions

NAME = "proposals"
# changes whenever the same image and options would give other boxes or numbers
ALGORITHM_VERSION = "2"


class ProposalDetector:
    """Boxes from contours, blobs and a grid; colour, silhouette, gradients and texture as features."""

    def __init__(self, options: ProposalOptions, codebook: Codebook | None = None) -> None:
        """Without a codebook the class probabilities are uniform (as while the codebook is being fitted)."""
        self.options, self.codebook = options, codebook

    @property
    def spec(self) -> FeatureSpec:
        """Name, version (algorithm, options and codebook) and sizes."""
        o = self.options
        kind = f"{ALGORITHM_VERSION}-r{o.max_regions}g{o.grid}a{o.min_area:g}o{o.max_overlap:g}s{o.seed}"
        version = f"{kind}-{self.codebook.fingerprint}" if self.codebook is not None else kind
        return FeatureSpec(NAME, version, o.feature_size, o.num_classes)

    def detect(self, image: np.ndarray) -> Regions:
        """[H, W, 3] uint8 BGR -> regions; the whole picture where nothing else is found."""
        o = self.options
        height, width = image.shape[:2]
        boxes = propose_boxes(image, o.max_regions, o.grid, o.min_area, o.max_overlap)
        if len(boxes) == 0:
            boxes = np.asarray([[0, 0, width, height]], np.float32)
        features = describe(image, boxes, o.feature_size, o.seed)
        if self.codebook is None:
            classes = np.full((len(boxes), o.num_classes), 1 / o.num_classes, np.float32)
        else:
            classes = self.codebook.probabilities(features)
        return Regions(features, boxes, width, height, classes)

    def description(self) -> Mapping[str, Any]:
        """Name and options; the codebook lies beside it as a file."""
        return {"name": NAME, "options": asdict(self.options)}
