"""The original's own variants of two metrics (ORIGINAL.md Q17 and Q18), which the package does not have."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

Ngrams = Counter[tuple[str, ...]]


def original_bleu(
    references: Sequence[Sequence[Sequence[str]]], predictions: Sequence[Sequence[str]], smooth: bool = False
) -> tuple[float, list[float], float, float, int, int]:
    """BLEU-4 with a brevity penalty of exp(1 - 1/(ratio + 1e-4)), over the shortest reference of each record.

    Returns:
        BLEU, precisions of the four orders, brevity penalty, ratio of lengths, length of predictions, of references.
    """
    matches, possible = [0] * 4, [0] * 4
    for given, found in zip(references, predictions, strict=True):
        wanted: Ngrams = Counter()
        for reference in given:
            wanted |= _ngrams(reference)
        for ngram, count in (_ngrams(found) & wanted).items():
            matches[len(ngram) - 1] += count
        for order in range(4):
            possible[order] += max(0, len(found) - order)
    extra = int(smooth)
    precisions = [(m + extra) / (p + extra) if p + extra else 0.0 for m, p in zip(matches, possible, strict=True)]
    found_length = sum(map(len, predictions))
    wanted_length = sum(min(map(len, given)) for given in references)
    ratio = found_length / wanted_length
    penalty = 1.0 if ratio > 1 else math.exp(1 - 1 / (ratio + 1e-4))
    mean = math.exp(sum(map(math.log, precisions)) / 4) if min(precisions) > 0 else 0.0
    return mean * penalty, precisions, penalty, ratio, found_length, wanted_length


def _ngrams(tokens: Sequence[str]) -> Ngrams:
    return Counter(tuple(tokens[i : i + n]) for n in range(1, 5) for i in range(len(tokens) - n + 1))


def original_recall(
    rows: np.ndarray, image_of: Mapping[int, int], texts_of: Mapping[int, Sequence[int]], kindly: bool
) -> dict[str, float]:
    """Recall of rows [N, 3] of score, image and text.

    The original ranks by a reversed, unstable sort, so that where equal scores stand is left to chance: ``kindly`` puts
    what is looked for first among its equals, otherwise it comes last.
    """
    of_texts = [_rank(rows[rows[:, 2] == text], 1, image, kindly) for text, image in image_of.items()]
    of_images = [
        min(_rank(rows[rows[:, 1] == image], 2, text, kindly) for text in texts) for image, texts in texts_of.items()
    ]
    values = {}
    for name, found in (("img", np.asarray(of_texts)), ("cap", np.asarray(of_images))):
        values[f"{name}_avg_rank"] = float(np.mean(found + 1))
        values |= {f"{name}_recall@{k}": float(np.mean(found < k)) for k in (1, 5, 10)}
    return values


def _rank(rows: np.ndarray, column: int, wanted: int, kindly: bool) -> int:
    """How many rows stand before the one that has ``wanted`` in the column."""
    own = rows[rows[:, column] == wanted][0, 0]
    return int((rows[:, 0] > own).sum() if kindly else (rows[:, 0] >= own).sum() - 1)
