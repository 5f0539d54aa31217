"""Exact nearest neighbours by inner product, in chunks: captions, texts and images alike.

Rows are TF-IDF vectors (scipy CSR) or dense features; a collection is a sequence of blocks of rows, each loaded when
its turn comes, so that memory is bounded by one chunk of queries times one block, whatever the corpus: 256 by 32,768
is at most 67 MB of products with dense rows, and about 30 MB with those of captions.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Rows = Any  # numpy array [N, F], or scipy.sparse CSR array [N, F]
CHUNK_ROWS = 256
BLOCK_ROWS = 32768


@dataclass(frozen=True)
class Condition:
    """Neighbours must also agree by a second measure: ``rows @ other.T >= minimum``."""

    queries: Rows
    blocks: Sequence[Rows]
    minimum: float


def top_k(
    queries: Rows,
    blocks: Sequence[Rows],
    k: int,
    minimum: float = 0.0,
    condition: Condition | None = None,
    maximum: float = math.inf,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """For every query the ``k`` rows with the largest inner product.

    Args:
        queries: [Q, F].
        blocks: the collection in parts, [N_i, F] each; loaded one after the other.
        k: how many.
        minimum: rows must be above it.
        condition: a second measure that they must reach as well.
        maximum: rows above it are left out, and take no places.

    Returns:
        For every query (row numbers int64 ascending by rank, scores float32), at most ``k``; ties go to the lower row.
    """
    best = [(np.empty(0, np.int64), np.empty(0, np.float32)) for _ in range(queries.shape[0])]
    if k == 0:
        return best
    offset = 0
    for number in range(len(blocks)):
        block = blocks[number]
        for first in range(0, queries.shape[0], CHUNK_ROWS):
            chunk = slice(first, first + CHUNK_ROWS)
            kept = None
            if condition is not None:
                kept = np.asarray(condition.queries[chunk] @ condition.blocks[number].T) >= condition.minimum
            for row, (columns, scores) in enumerate(_products(queries[chunk], block, (minimum, maximum), kept)):
                best[first + row] = _merge(best[first + row], columns + offset, scores, k)
        offset += block.shape[0]
    return best


def _products(
    queries: Rows, block: Rows, bounds: tuple[float, float], kept: np.ndarray | None
) -> Iterable[tuple[np.ndarray, np.ndarray]]:
    """(columns, scores) above the lower bound and not above the upper one, for every query row."""
    products = queries @ block.T
    if isinstance(products, np.ndarray):
        for row, scores in enumerate(products):
            chosen = (scores > bounds[0]) & (scores <= bounds[1])
            if kept is not None:
                chosen &= kept[row]
            columns = np.flatnonzero(chosen)
            yield columns, scores[columns]
        return
    products = products.tocsr()
    for row in range(products.shape[0]):
        part = slice(products.indptr[row], products.indptr[row + 1])
        columns, scores = products.indices[part], products.data[part]
        chosen = (scores > bounds[0]) & (scores <= bounds[1])
        if kept is not None:
            chosen &= kept[row, columns]
        yield columns[chosen].astype(np.int64), scores[chosen]


def _merge(
    best: tuple[np.ndarray, np.ndarray], columns: np.ndarray, scores: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    if len(scores) > k:
        # everything that ties with the k-th stays until the order by row number decides
        bound = np.partition(scores, len(scores) - k)[len(scores) - k]
        chosen = scores >= bound
        columns, scores = columns[chosen], scores[chosen]
    columns, scores = np.concatenate([best[0], columns]), np.concatenate([best[1], scores])
    order = np.lexsort((columns, -scores))[:k]
    return columns[order], scores[order]


class BlockFolder(Sequence[Rows]):
    """Blocks of rows on disk (`block-00000.npz` or `.npy`), loaded one at a time."""

    def __init__(self, folder: str | Path) -> None:
        self.paths = sorted(Path(folder).glob("block-*.np[yz]"))

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, number: int | slice) -> Rows:
        assert isinstance(number, int)
        path = self.paths[number]
        if path.suffix == ".npy":
            return np.load(path, mmap_mode="r")
        from scipy import sparse

        return sparse.load_npz(path)


def save_block(folder: Path, number: int, rows: Rows) -> None:
    """Write one block."""
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(rows, np.ndarray):
        np.save(folder / f"block-{number:05d}.npy", rows)
        return
    from scipy import sparse

    sparse.save_npz(folder / f"block-{number:05d}.npz", rows, compressed=False)
