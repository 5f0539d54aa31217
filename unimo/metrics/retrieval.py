"""Recall at k in both directions, over a full matrix of scores."""

from __future__ import annotations

import numpy as np

Array = np.ndarray
KS = (1, 5, 10)


def first_hit_ranks(scores: Array, relevant: Array) -> Array:
    """Rank (from 0) of each row's best relevant column: [Q, N] scores, [Q, N] bool -> [Q] int.

    Ties count against the query: a column that is not relevant and scores the same stands before. A row without any
    relevant column gets rank N.
    """
    best = np.where(relevant, scores, -np.inf).max(axis=1, keepdims=True)
    ranks = ((scores >= best) & ~relevant).sum(axis=1)
    return np.where(relevant.any(axis=1), ranks, scores.shape[1])


def recall_at(scores: Array, relevant: Array, ks: tuple[int, ...] = KS) -> dict[str, float]:
    """Share of rows with a relevant column among the first k: {"r1": ..., "r5": ..., "r10": ...}."""
    ranks = first_hit_ranks(scores, relevant)
    return {f"r{k}": float((ranks < k).mean()) for k in ks}


def retrieval_metrics(scores: Array, relevant: Array, ks: tuple[int, ...] = KS) -> dict[str, dict[str, float]]:
    """Recall in both directions.

    Args:
        scores: [I, W] of every image against every caption, higher is better.
        relevant: [I, W] bool, every image that a caption is true of counts as a hit.
        ks: cut-offs.
    """
    return {"text_to_image": recall_at(scores.T, relevant.T, ks), "image_to_text": recall_at(scores, relevant, ks)}


def chance_metrics(relevant: Array, ks: tuple[int, ...] = KS) -> dict[str, dict[str, float]]:
    """What a random order of the candidates would reach on average, exactly."""

    def expected(rows: Array) -> dict[str, float]:
        hits, total = rows.sum(axis=1), rows.shape[1]
        return {f"r{k}": float(np.mean([_hit_probability(total, int(n), k) for n in hits])) for k in ks}

    return {"text_to_image": expected(relevant.T), "image_to_text": expected(relevant)}


def _hit_probability(total: int, hits: int, k: int) -> float:
    """P(at least one of ``hits`` among the first k of ``total`` in random order)."""
    missed = 1.0
    for place in range(min(k, total)):
        missed *= max(0, total - hits - place) / (total - place)
    return 1 - missed
