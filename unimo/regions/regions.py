"""One image as a detector sees it: regions with features, boxes and class probabilities.

Shapes: R regions, F numbers a feature, C classes, A attributes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from unimo.errors import InputError

Array = np.ndarray

WHOLE_IMAGE_LOCATION = (0.0, 0.0, 1.0, 1.0, 1.0)


@dataclass(frozen=True)
class FeatureSpec:
    """Identity of region features: a store and every model trained from it carry it."""

    name: str
    """Detector, e.g. `proposals` or `bottom-up-attention`."""

    version: str
    """Changes whenever the same image would give other numbers."""

    feature_size: int
    """F."""

    num_classes: int
    """C."""


LARGEST_SIDE = (1 << 32) - 1  # pixels, as a region store can write


@dataclass(frozen=True)
class Regions:
    """The regions of one image."""

    features: Array  # [R, F] float32
    boxes: Array  # [R, 4] float32 pixels x1, y1, x2, y2
    image_width: int
    image_height: int
    class_probabilities: Array  # [R, C] float32
    attribute_probabilities: Array | None = None  # [R, A] float32
    class_names: tuple[str, ...] | None = None  # one a region

    def __post_init__(self) -> None:
        """Refuse arrays that do not belong together.

        Raises:
            ValueError: naming the array.
        """
        count = len(self.features)
        if count == 0:
            raise ValueError("regions: an image needs at least one")
        if self.features.ndim != 2 or self.boxes.shape != (count, 4):
            raise ValueError(f"boxes: shape {self.boxes.shape} for features {self.features.shape}")
        for name in ("class_probabilities", "attribute_probabilities"):
            value = getattr(self, name)
            if value is not None and (value.ndim != 2 or len(value) != count):
                raise ValueError(f"{name}: shape {value.shape} for {count} regions")
        if self.class_names is not None and len(self.class_names) != count:
            raise ValueError(f"class_names: {len(self.class_names)} for {count} regions")
        if not (0 < self.image_width <= LARGEST_SIDE and 0 < self.image_height <= LARGEST_SIDE):
            raise ValueError(f"image size: {self.image_width} x {self.image_height}")

    def __len__(self) -> int:
        return len(self.features)

    def locations(self) -> Array:
        """[R, 5] float32: x1/W, y1/H, x2/W, y2/H, area/(W*H) (original release)."""
        scale = np.asarray([self.image_width, self.image_height] * 2, np.float32)
        corners = self.boxes / scale
        areas = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])
        return np.concatenate([corners, areas[:, None]], axis=1).astype(np.float32)

    def with_global(self) -> tuple[Array, Array]:
        """Features [R + 1, F] and locations [R + 1, 5], the whole image first: mean feature, (0, 0, 1, 1, 1)."""
        features = np.concatenate([self.features.mean(axis=0, keepdims=True), self.features])
        locations = np.concatenate([np.asarray([WHOLE_IMAGE_LOCATION], np.float32), self.locations()])
        return features, locations


def assert_same_features(expected: FeatureSpec, found: FeatureSpec, what: str) -> None:
    """Refuse features that a model was not trained on; one that expects 0 classes predicts none, and takes any.

    Raises:
        InputError: naming ``what`` (the checkpoint or store) and the reason.
    """
    if expected in (found, replace(found, num_classes=0)):
        return
    if expected.name != found.name:
        reason = f"it expects {expected.name} features, these are {found.name}"
    elif expected.version != found.version:
        reason = f"it expects {expected.name} version {expected.version}, these are version {found.version}"
        if expected.name == "proposals":
            reason += "; `regions extract --codebook STORE_IT_WAS_TRAINED_WITH` and that store's flags make them"
        else:
            reason += "; if they are the same features, `regions import --version` or `convert --region_version` say so"
    else:
        reason = (
            f"it expects {expected.feature_size} numbers and {expected.num_classes} classes a region, these have "
            f"{found.feature_size} and {found.num_classes}"
        )
    raise InputError(f"{what}: other region features: {reason}")
