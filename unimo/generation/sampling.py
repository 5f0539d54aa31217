"""Sampling: tokens drawn from the model's distribution, cut to its likeliest part (top-k, top-p)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unimo.data.sampling import record_rng
from unimo.generation.beam import BeamSearch, Decoder, TargetStart
from unimo.generation.largest import largest
from unimo.generation.search import Beams, BeamSettings, Hypothesis, length_norm
from unimo.modeling import ModelInputs

Array = np.ndarray


@dataclass(frozen=True)
class SamplingSettings:
    """Settings of sampling."""

    num_samples: int = 1
    """Sequences drawn for each example."""

    top_k: int = 0
    """Draw among this many likeliest tokens; 0 is no limit."""

    top_p: float = 1.0
    """Draw among the likeliest tokens that together hold this probability (nucleus sampling)."""

    temperature: float = 1.0
    """Logits are divided by it: below 1 sharpens, above 1 flattens."""

    seed: int = 1
    """Of the draws, at least 0; the same seed and example give the same texts in batches of any size, but for
    rounding."""

    def __post_init__(self) -> None:
        """Refuse distributions that cannot be."""
        if self.num_samples < 1 or self.top_k < 0:
            raise ValueError("num_samples: at least 1; top_k: at least 0")
        if self.seed < 0:
            raise ValueError(f"seed: {self.seed}, expected at least 0")
        if not 0 < self.top_p <= 1 or self.temperature <= 0:
            raise ValueError("top_p: in (0, 1]; temperature: above 0")


def nucleus(probabilities: Array, top_k: int, top_p: float) -> Array:
    """[N, V] probabilities with all but the likeliest tokens set to 0, renormalised.

    Kept are the ``top_k`` likeliest, and of these the fewest that hold ``top_p`` of their sum; always at least one.
    A whole vocabulary is sorted only where ``top_p`` alone cuts it.
    """
    if top_k == 0 and top_p == 1:
        return probabilities / probabilities.sum(axis=-1, keepdims=True)
    if top_k:
        ranked, order = largest(probabilities, min(top_k, probabilities.shape[-1]))
    else:
        order = np.argsort(-probabilities, axis=-1, kind="stable")
        ranked = np.take_along_axis(probabilities, order, axis=-1)
    ranked /= ranked.sum(axis=-1, keepdims=True)
    before = np.cumsum(ranked, axis=-1) - ranked
    ranked[before >= top_p] = 0.0
    ranked /= ranked.sum(axis=-1, keepdims=True)
    kept = np.zeros_like(probabilities)
    np.put_along_axis(kept, order, ranked, axis=-1)
    return kept


def sample(
    model: Decoder,
    prefix: ModelInputs,
    lengths: BeamSettings,
    settings: SamplingSettings,
    target: TargetStart,
    numbers: Sequence[int] | None = None,
) -> list[list[Hypothesis]]:
    """Draw sequences for each of B examples; the likeliest (length-normalised) of an example comes first.

    Args:
        model: in evaluation mode, with the masked-language head.
        prefix: what is given.
        lengths: whose min_length, max_length and length_penalty hold; its beam_size does not.
        settings: the distribution drawn from.
        target: how a target begins and ends.
        numbers: of the B examples among all that are decoded: the draws are a pure function of seed and number;
            None counts from 0.
    """
    return _Sampling(model, prefix, lengths, settings, target, numbers).run()


class _Sampling(BeamSearch):
    """Hypotheses that never compete: each draws its own next token."""

    def __init__(
        self,
        model: Decoder,
        prefix: ModelInputs,
        lengths: BeamSettings,
        settings: SamplingSettings,
        target: TargetStart,
        numbers: Sequence[int] | None = None,
    ) -> None:
        super().__init__(model, prefix, lengths, target)
        self.sampling = settings
        numbers = range(len(self.active)) if numbers is None else numbers
        assert len(numbers) == len(self.active)
        self.rngs = [record_rng(settings.seed, 0, number) for number in numbers]

    def extended(self) -> Beams:
        beams, count = self.beams, self.sampling.num_samples
        logits = self.next_logits().numpy().astype(np.float64) / self.sampling.temperature
        weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
        probabilities = nucleus(weights, self.sampling.top_k, self.sampling.top_p)
        parents = np.arange(count)[None, :].repeat(len(self.active), axis=0)
        if beams.finished.shape[1] != count:  # the first step starts from one hypothesis an example
            parents = np.zeros_like(parents)
        rows = np.arange(len(self.active))[:, None]
        rows_flat = (rows * beams.finished.shape[1] + parents).reshape(-1)
        thresholds = np.concatenate([self.rngs[row].random(count) for row in self.active])[:, None]
        drawn = (np.cumsum(probabilities[rows_flat], axis=-1) <= thresholds).sum(axis=-1)
        drawn = np.minimum(drawn, probabilities.shape[-1] - 1).reshape(parents.shape)
        drawn_weights = weights[rows_flat, drawn.reshape(-1)] / weights.sum(axis=-1)[rows_flat]
        logs = np.log(drawn_weights).reshape(parents.shape)
        finished = beams.finished[rows, parents]
        tokens = np.where(finished, self.target.end_id, drawn)
        scores = np.where(finished, beams.scores[rows, parents, -1], self._score(beams, rows, parents, logs))
        return Beams(
            np.concatenate([beams.token_ids[rows, parents], tokens[:, :, None]], axis=2),
            np.concatenate([beams.scores[rows, parents], scores[:, :, None]], axis=2),
            finished | (tokens == self.target.end_id),
            parents,
        )

    def _score(self, beams: Beams, rows: Array, parents: Array, logs: Array) -> Array:
        """Normalised log-probability with one more token, as in beam search."""
        length, penalty = beams.token_ids.shape[2], self.settings.length_penalty
        before = beams.scores[rows, parents, -1] * length_norm(length - 1, penalty)
        return (before + logs) / length_norm(length, penalty)
