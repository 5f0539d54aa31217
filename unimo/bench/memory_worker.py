"""How memory grows while a store's images are read, in a process that has done nothing else.

``python -m unimo.bench.memory_worker STORE`` prints bytes. In a process that has worked before, what was freed there is
taken again, and nothing seems to grow.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from unimo.regions import RegionStore

MEMORY = Path("/proc/self/smaps_rollup")


def growth(folder: str | Path, read: Callable[[RegionStore], object]) -> int:
    """Bytes of memory of its own that this process takes while a store is read, and what ``read`` gives is kept."""
    before = anonymous_memory()
    with RegionStore(folder) as store:
        kept = read(store)
        grown = anonymous_memory() - before
    del kept
    return grown


def read_store(store: RegionStore) -> None:
    """Every image once."""
    for image_id in store.ids():
        store[image_id]


def anonymous_memory() -> int:
    """Bytes of memory that no file backs, of this process."""
    line = next(line for line in MEMORY.read_text().splitlines() if line.startswith("Anonymous:"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    print(growth(sys.argv[1], read_store))
