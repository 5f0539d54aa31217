"""`unimo regions check`: read every record of a store and say whether it is whole."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SUMMARY = "read every record of a region store and check it"


@dataclass(frozen=True)
class Arguments:
    """The store."""

    store: Path
    """Folder of the store."""


def run(arguments: Arguments) -> int:
    """Print a summary; damage is an error that names the record."""
    import numpy as np

    from unimo.regions import RegionStore, verify_store

    counts, sums, squares, numbers = [], 0.0, 0.0, 0
    for _, regions in verify_store(arguments.store):
        counts.append(len(regions))
        sums += float(regions.features.sum(dtype=np.float64))
        squares += float((regions.features.astype(np.float64) ** 2).sum())
        numbers += regions.features.size
    spec = RegionStore(arguments.store).spec
    mean = sums / numbers
    deviation = max(0.0, squares / numbers - mean**2) ** 0.5
    print(f"features: {spec.name} {spec.version}, {spec.feature_size} numbers, {spec.num_classes} classes")
    print(f"images: {len(counts)}; regions: {min(counts)} to {max(counts)}, mean {np.mean(counts):.1f}")
    print(f"feature mean {mean:.4f}, standard deviation {deviation:.4f}")
    print("every record is whole")
    return 0
