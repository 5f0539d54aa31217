"""Beam search over scores alone, in the original release's semantics: no network in here.

Hypotheses are ranked by length-normalised log-probability. A finished one stays in the beam as a single candidate
with its old score and competes with the others; an example is done when all its hypotheses are finished and were so
already a step before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Array = np.ndarray

# added to the log-probability of the end token below the minimum length, and of a repeated trigram (original release)
FORBIDDEN = -1e18
REPEATED = -65000.0


@dataclass(frozen=True)
class BeamSettings:
    """Settings of beam search."""

    beam_size: int = 5
    """Hypotheses kept an example; 1 is greedy search."""

    min_length: int = 1
    """Fewest tokens before the end token."""

    max_length: int = 50
    """Most tokens, the end token counted."""

    length_penalty: float = 0.6
    """Exponent alpha of ((5 + length) / 6)^alpha, by which log-probabilities are divided."""

    block_trigrams: bool = False
    """Make hypotheses that repeat three words in a row very unlikely."""

    def __post_init__(self) -> None:
        """Refuse lengths that cannot be."""
        if self.beam_size < 1 or self.max_length < 1:
            raise ValueError("beam_size and max_length: at least 1")
        if not 0 <= self.min_length <= self.max_length:
            raise ValueError(f"min_length: {self.min_length} is not between 0 and max_length {self.max_length}")


@dataclass(frozen=True)
class Hypothesis:
    """One finished or cut-off sequence."""

    token_ids: tuple[int, ...]
    """Start token first; the end token last where it was reached."""

    scores: tuple[float, ...]
    """Normalised score after every token, 0.0 for the start token."""

    @property
    def score(self) -> float:
        """The score that hypotheses are ranked by."""
        return self.scores[-1]


@dataclass
class Beams:
    """The hypotheses of B examples, K each: token ids, scores, and where each came from."""

    token_ids: Array  # [B, K, length] int64
    scores: Array  # [B, K, length] float32, normalised
    finished: Array  # [B, K] bool
    parents: Array  # [B, K] int64: which hypothesis of the step before each extends

    @classmethod
    def start(cls, num_examples: int, start_id: int) -> Beams:
        """One hypothesis an example, holding the start token."""
        shape = (num_examples, 1)
        return cls(
            np.full((*shape, 1), start_id, np.int64),
            np.zeros((*shape, 1), np.float32),
            np.zeros(shape, bool),
            np.zeros(shape, int),
        )


def length_norm(length: int, penalty: float) -> float:
    """((5 + length) / 6)^alpha."""
    return ((5 + length) / 6) ** penalty


def extend(
    beams: Beams,
    candidate_ids: Array,
    candidate_logs: Array,
    end_id: int,
    settings: BeamSettings,
    repeats: Callable[[Array, Array], Array] | None = None,
) -> Beams:
    """One step: every hypothesis offers its best tokens, the best K over all of an example are kept.

    Scores are added up in float32 and in this order, as the original does: below -65,000, where repeated trigrams lie,
    numbers are 1/256 apart, and which of two such hypotheses is kept depends on how they are rounded.

    Args:
        beams: the hypotheses before.
        candidate_ids: [B, K', C] the C most likely next tokens of each, best first.
        candidate_logs: [B, K', C] their log-probabilities.
        end_id: token that ends a hypothesis.
        settings: penalty and sizes.
        repeats: (token ids [N, length], candidates [N, C]) -> [N, C] bool, where a candidate repeats a trigram.
    """
    num_candidates = candidate_ids.shape[2]
    step = beams.token_ids.shape[2] - 1
    before, after = (np.float32(length_norm(length, settings.length_penalty)) for length in (step, step + 1))
    previous = beams.scores[:, :, -1:].astype(np.float32)
    summed = candidate_logs.astype(np.float32) + previous * before
    if repeats is not None:
        flat_history = beams.token_ids.reshape(-1, step + 1)
        repeated = repeats(flat_history, candidate_ids.reshape(-1, num_candidates))
        summed = summed + np.float32(REPEATED) * repeated.reshape(summed.shape)
    scores = summed / after
    ids = np.array(candidate_ids)
    # a finished hypothesis has one candidate: itself, at its old score
    done = beams.finished[:, :, None]
    first = np.arange(num_candidates) == 0
    scores = np.where(done, np.where(first, previous, -np.inf), scores)
    ids = np.where(done, end_id, ids)
    return _keep_best(beams, ids, scores, end_id, settings.beam_size)


def _keep_best(beams: Beams, ids: Array, scores: Array, end_id: int, beam_size: int) -> Beams:
    """Of all candidates of an example the best ``beam_size``, in the order of their parents.

    On ties the later hypothesis wins, and of one hypothesis the likelier token (fluid's operator).
    """
    num_examples, num_beams, num_candidates = ids.shape
    flat = scores.reshape(num_examples, -1)
    beam, rank = np.divmod(np.arange(num_beams * num_candidates), num_candidates)
    order = np.sort(np.stack([np.lexsort((rank, -beam, -row))[:beam_size] for row in flat]), axis=1)
    parents, rows = order // num_candidates, np.arange(num_examples)[:, None]
    chosen_ids = ids.reshape(num_examples, -1)[rows, order]
    chosen_scores = flat[rows, order]
    return Beams(
        np.concatenate([beams.token_ids[rows, parents], chosen_ids[:, :, None]], axis=2),
        np.concatenate([beams.scores[rows, parents], chosen_scores[:, :, None]], axis=2),
        beams.finished[rows, parents] | (chosen_ids == end_id),
        parents,
    )


def read_hypotheses(token_ids: Array, scores: Array, end_id: int) -> list[Hypothesis]:
    """[K, length] arrays of one example -> hypotheses, best first; each is cut after its first end token."""
    found = []
    for ids, values in zip(token_ids, scores, strict=True):
        ends = np.flatnonzero(ids[1:] == end_id)
        length = int(ends[0]) + 2 if len(ends) else len(ids)
        found.append(Hypothesis(tuple(int(i) for i in ids[:length]), tuple(float(s) for s in values[:length])))
    return sorted(found, key=lambda hypothesis: -hypothesis.score)
