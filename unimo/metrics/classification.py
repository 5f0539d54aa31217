"""Scores of predicted labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def accuracy(predicted: ArrayLike, labels: ArrayLike) -> float:
    """Share of labels predicted right: [N], [N] -> [0, 1]."""
    found, expected = np.asarray(predicted), np.asarray(labels)
    assert found.shape == expected.shape and found.size, "as many predictions as labels, at least one"
    return float((found == expected).mean())


def f1(predicted: ArrayLike, labels: ArrayLike) -> float | None:
    """F1 of class 1: [N], [N] of 0 and 1 -> [0, 1]; None where class 1 is neither predicted nor there."""
    from sklearn.metrics import f1_score

    found, expected = np.asarray(predicted), np.asarray(labels)
    if not ((found == 1) & (expected == 1)).any() and not ((found == 1).any() and (expected == 1).any()):
        return None
    return float(f1_score(expected, found))


def matthews(predicted: ArrayLike, labels: ArrayLike) -> float | None:
    """Matthews correlation: [N], [N] -> [-1, 1]; None where predictions or labels are all the same."""
    from sklearn.metrics import matthews_corrcoef

    found, expected = np.asarray(predicted), np.asarray(labels)
    if len(np.unique(found)) < 2 or len(np.unique(expected)) < 2:
        return None
    return float(matthews_corrcoef(expected, found))
