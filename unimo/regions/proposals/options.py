"""Settings of the proposal detector."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ProposalOptions:
    """Settings of the detector; any change makes other features."""

    feature_size: int = 256
    """Numbers in a region's feature."""

    num_classes: int = 64
    """Classes of the codebook."""

    max_regions: int = 36
    """Most regions of an image, the grid's included."""

    grid: int = 2
    """The picture is also cut into grid x grid cells; 0 leaves them out."""

    min_area: float = 0.002
    """Smallest region, as a share of the picture."""

    max_overlap: float = 0.6
    """Intersection over union above which the worse of two regions is dropped."""

    seed: int = 0
    """Of the projection and the codebook."""

    def __post_init__(self) -> None:
        """Refuse settings that cannot work."""
        for name in ("feature_size", "num_classes", "max_regions"):
            if getattr(self, name) < 2:
                raise ValueError(f"{name}: {getattr(self, name)} is too small")
