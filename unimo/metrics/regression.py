"""Scores of predicted numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def pearson(predicted: ArrayLike, expected: ArrayLike) -> float | None:
    """Linear correlation: [N], [N] -> [-1, 1]; None where either is constant."""
    from scipy.stats import pearsonr

    found, true = np.asarray(predicted, np.float64), np.asarray(expected, np.float64)
    return None if _constant(found, true) else float(pearsonr(found, true)[0])


def spearman(predicted: ArrayLike, expected: ArrayLike) -> float | None:
    """Rank correlation: [N], [N] -> [-1, 1]; None where either is constant."""
    from scipy.stats import spearmanr

    found, true = np.asarray(predicted, np.float64), np.asarray(expected, np.float64)
    return None if _constant(found, true) else float(spearmanr(found, true)[0])


def _constant(*arrays: np.ndarray) -> bool:
    return any(len(array) < 2 or np.ptp(array) == 0 for array in arrays)
