"""Baselines that any text generator should be compared with: word counts, copying the source, one constant text."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from unimo.metrics.captioning import token_metrics

NUM_CANDIDATES = 100
"""Training targets of which the constant text is chosen."""

NUM_COMPARED = 300
"""Training targets that each of them is compared with."""


class GenerationBaselines:
    """What can be had without reading (a unigram model, a constant text) and without writing (copying)."""

    def __init__(self, targets: Sequence[str], token_ids: Sequence[Sequence[int]], vocab_size: int) -> None:
        """Fit on training targets.

        Args:
            targets: their texts.
            token_ids: the same in tokens, without special ones.
            vocab_size: entries of the dictionary.
        """
        counts = Counter(token for ids in token_ids for token in ids)
        self._counts, self._ends = counts, len(token_ids)
        self._total = sum(counts.values()) + self._ends + vocab_size + 1  # one added to every count
        self.constant = _most_alike(targets)

    def perplexity(self, token_ids: Sequence[Sequence[int]]) -> float:
        """Of targets under the unigram model; each ends with a token of its own."""
        total = sum(self._loss(self._counts[token]) for ids in token_ids for token in ids)
        total += len(token_ids) * self._loss(self._ends)
        return math.exp(total / (sum(map(len, token_ids)) + len(token_ids)))

    def scores(self, sources: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, float | None]:
        """BLEU-4, over words as they stand, of copying the source and of the constant text."""
        return {
            "copied_bleu_4": _bleu_4(sources, references),
            "constant_bleu_4": _bleu_4([self.constant] * len(sources), references),
        }

    def _loss(self, count: int) -> float:
        return -math.log((count + 1) / self._total)


def _most_alike(targets: Sequence[str]) -> str:
    """The text that scores highest against the others, among some."""
    rng = np.random.default_rng(1)
    compared = [[targets[int(place)]] for place in rng.permutation(len(targets))[:NUM_COMPARED]]
    candidates = [targets[int(place)] for place in rng.permutation(len(targets))[:NUM_CANDIDATES]]
    return max(candidates, key=lambda text: _bleu_4([text] * len(compared), compared) or 0.0)


def _bleu_4(texts: Sequence[str], references: Sequence[Sequence[str]]) -> float | None:
    found = {str(number): [" ".join(text.split())] for number, text in enumerate(texts)}
    expected = {str(number): [" ".join(text.split()) for text in each] for number, each in enumerate(references)}
    return token_metrics(expected, found, ("bleu",))[0]["bleu_4"]
