"""A region store that several worker processes read at once: the same regions, and no copies of its file."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from unimo.bench.memory_worker import MEMORY, anonymous_memory
from unimo.regions import FeatureSpec, Regions, RegionStore, RegionStoreWriter

IMAGES, SHAPE = 400, (60, 512)  # 24.6 MB of features on the disk


def sums_and_growth(path: str) -> tuple[list[float], int]:
    """Of each image's features, and the bytes of memory of its own that reading them took."""
    with RegionStore(path) as store:
        names = sorted(store.ids())
        float(store[names[0]].features.sum())  # what the first reading allocates for good
        before = anonymous_memory()
        sums = [float(store[name].features.sum()) for name in names]
        return sums, anonymous_memory() - before


@pytest.mark.skipif(not MEMORY.exists(), reason="this kernel does not tell what a process has of its own")
@pytest.mark.multiprocess
def test_workers_read_the_same_without_copies(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with RegionStoreWriter(tmp_path / "store", FeatureSpec("test", "1", SHAPE[1], 0)) as writer:
        for number in range(IMAGES):
            features = rng.standard_normal(SHAPE).astype(np.float16).astype(np.float32)
            boxes = np.tile(np.asarray([0, 0, 1, 1], np.float32), (SHAPE[0], 1))
            writer.add(f"{number:03d}", Regions(features, boxes, 9, 9, np.zeros((SHAPE[0], 0), np.float32)))
    assert (tmp_path / "store" / "data.mdb").stat().st_size > 24e6
    expected, _ = sums_and_growth(str(tmp_path / "store"))
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as workers:
        found = list(workers.map(sums_and_growth, [str(tmp_path / "store")] * 2))
    for sums, growth in found:
        assert sums == expected
        assert growth < 6e6
