"""Which tokens and regions are hidden, and what stands in their place (PAPER 3.2 and 3.3).

Every function takes its random generator, so that a record's masking depends on (seed, epoch, record) alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from unimo.config.ranges import COUNT, SHARE, check_ranges

Array = np.ndarray


@dataclass(frozen=True)
class SpanMasking:
    """Settings of span masking. Defaults: PAPER 3.3 and 7."""

    ratio: float = 0.15
    """Share of a text's tokens to mask, special tokens counted in its length (PAPER: 15%, sure)."""

    geometric_p: float = 0.2
    """Span lengths follow Geo(p), in words (PAPER: 0.2, from memory and UNIMO-2's code)."""

    max_span_words: int = 10
    """Longest span in words (UNIMO-2's code: support 0..10, where 0 still masks one word)."""

    mask_share: float = 0.8
    """Masked tokens replaced by [MASK] (sure)."""

    random_share: float = 0.1
    """Masked tokens replaced by a random token; the rest are kept (sure)."""

    def __post_init__(self) -> None:
        """Refuse shares that are none."""
        check_ranges(self, ratio=SHARE, geometric_p=SHARE, max_span_words=COUNT, mask_share=SHARE, random_share=SHARE)
        if self.ratio == 0 or self.geometric_p == 0:
            raise ValueError("ratio and geometric_p: must be above 0")
        if self.mask_share + self.random_share > 1:
            raise ValueError("mask_share and random_share: together at most 1")


@dataclass(frozen=True)
class Fragments:
    """Settings of sequence-to-sequence learning by removed fragments. Defaults: PAPER 3.3 and 7."""

    scheme: Literal["two_scale", "uniform"] = "two_scale"
    """`two_scale`: source U{3..12} with target U{1..4}, or with probability 0.6 source U{12..96} with target U{4..32}
    (UNIMO-2's code; 25% of long texts are target, but 64% of texts of 20 tokens, of which 40% are one target as a
    whole); `uniform`: fragments of U(4, 32) tokens up to 25% (the paper's words), of which the last is cut and
    neighbours may grow together."""

    long_scale_probability: float = 0.6
    """Share of the long scale in `two_scale`."""

    ratio: float = 0.25
    """Target share that `uniform` stops at (sure)."""

    min_length: int = 6
    """Texts with fewer tokens become a target as a whole (UNIMO-2's code)."""

    history_dropout: float = 0.0
    """Share of a target's own past hidden behind [MASK] while the next token is predicted, so that it is read off the
    source or image rather than guessed from the words before (ours)."""

    whole_text_probability: float = 0.0
    """Share of texts that are generated as a whole, without a source; above 0 it teaches captioning as it is asked
    for later (ours; the paper does not say)."""

    def __post_init__(self) -> None:
        """Refuse shares that are none."""
        shares = ("long_scale_probability", "ratio", "history_dropout", "whole_text_probability")
        check_ranges(self, **dict.fromkeys(shares, SHARE), min_length=COUNT)


def span_length_probabilities(settings: SpanMasking) -> Array:
    """P(l) of span lengths l = 0..max_span_words in words, proportional to p * (1 - p)^l."""
    lengths = np.arange(settings.max_span_words + 1)
    weights = settings.geometric_p * (1 - settings.geometric_p) ** lengths
    return weights / weights.sum()


def choose_spans(unit_starts: Array, maskable: Array, settings: SpanMasking, rng: np.random.Generator) -> Array:
    """Token positions to mask, sorted; whole units (words or phrases) as far as the budget goes.

    The budget is ceil(ratio * length); the last span may be cut by it, never to nothing. An anchor token is drawn
    uniformly; its span begins at the unit that holds it and takes the following units until the drawn length.

    Args:
        unit_starts: [T] bool, True where a token opens a unit.
        maskable: [T] bool, False for special tokens.
        settings: lengths and ratio.
        rng: source of randomness.
    """
    length = len(unit_starts)
    candidates = np.flatnonzero(maskable)
    if len(candidates) == 0:
        return candidates
    budget = min(max(1, math.ceil(settings.ratio * length)), len(candidates))
    probabilities = span_length_probabilities(settings)
    chosen = np.zeros(length, dtype=bool)
    remaining = budget
    while remaining > 0:
        anchor = int(rng.choice(np.flatnonzero(maskable & ~chosen)))
        while anchor > 0 and not unit_starts[anchor] and maskable[anchor - 1]:
            anchor -= 1
        units_left = max(1, int(rng.choice(len(probabilities), p=probabilities)))
        position = anchor
        while position < length and maskable[position] and remaining > 0:
            if position > anchor and unit_starts[position]:
                units_left -= 1
                if units_left == 0:
                    break
            if not chosen[position]:
                chosen[position] = True
                remaining -= 1
            position += 1
    return np.flatnonzero(chosen)


RELATION = "relation"
"""The kind of scene-graph node that says how two objects stand to each other."""


class SceneNode(Protocol):
    """A node of a caption's scene graph: its kind (object, attribute, relation) and the characters that say it."""

    @property
    def kind(self) -> str:
        """object, attribute or relation."""

    @property
    def start(self) -> int:
        """Its first character."""

    @property
    def end(self) -> int:
        """The character after its last."""


def choose_nodes(
    nodes: Sequence[SceneNode],
    offsets: Array,
    rng: np.random.Generator,
    kind_weights: Mapping[str, float] | None = None,
    most: int = 1,
) -> Array:
    """Token positions of scene-graph nodes, sorted: a kind is drawn among those there, then a node of it.

    A relation is hidden alone, so that it is asked for with its objects in sight; beside an object or attribute others
    are drawn in the same way. Empty where no token lies in the nodes drawn (beyond a cut).

    Args:
        nodes: at least one.
        offsets: [T, 2] characters that each token covers.
        rng: source of randomness.
        kind_weights: how often a kind is drawn beside the others; 1 where it is not named.
        most: how many objects and attributes are drawn at most; how many is drawn uniformly.
    """
    left = list(nodes)
    first = _draw_node(left, rng, kind_weights or {})
    if first is None:
        return np.zeros(0, np.int64)
    drawn = [first]
    if first.kind != RELATION and most > 1:
        left = [node for node in left if node.kind != RELATION]
        for _ in range(int(rng.integers(most))):
            left.remove(drawn[-1])
            another = _draw_node(left, rng, kind_weights or {})
            if another is None:
                break
            drawn.append(another)
    hidden = np.zeros(len(offsets), bool)
    for node in drawn:
        hidden |= (offsets[:, 0] < node.end) & (offsets[:, 1] > node.start)
    return np.flatnonzero(hidden)


def _draw_node(
    nodes: Sequence[SceneNode], rng: np.random.Generator, kind_weights: Mapping[str, float]
) -> SceneNode | None:
    """A node of a kind drawn by weight; None where no kind that is there has any."""
    kinds = sorted({node.kind for node in nodes})
    weights = np.asarray([kind_weights.get(kind, 1.0) for kind in kinds])
    if not weights.any():
        return None
    kind = kinds[int(rng.choice(len(kinds), p=weights / weights.sum()))]
    alike = [node for node in nodes if node.kind == kind]
    return alike[int(rng.integers(len(alike)))]


def corrupt_tokens(
    token_ids: Array, positions: Array, settings: SpanMasking, mask_id: int, vocab_size: int, rng: np.random.Generator
) -> Array:
    """Token ids with the masked positions replaced: 80% [MASK], 10% a random token (never a special one), 10% kept.

    The first four ids ([CLS] [PAD] [SEP] [UNK]) and ``mask_id`` are never drawn. Decided token by token (UNIMO-2's
    code; SpanBERT decides span by span).
    """
    corrupted = np.array(token_ids)
    draws = rng.random(len(positions))
    random_ids = rng.integers(4, vocab_size - 1, size=len(positions))
    random_ids += random_ids >= mask_id  # skip [MASK] wherever it lies above the first four
    random_ids = np.minimum(random_ids, vocab_size - 1)
    use_random = (draws >= settings.mask_share) & (draws < settings.mask_share + settings.random_share)
    replaced = np.where(draws < settings.mask_share, mask_id, np.where(use_random, random_ids, corrupted[positions]))
    corrupted[positions] = replaced
    return corrupted


def split_fragments(length: int, settings: Fragments, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Target fragments as sorted, disjoint [start, end) token ranges of a text of ``length`` tokens.

    Never empty: a short text gives the one range (0, length).
    """
    if length < settings.min_length:
        return [(0, length)]
    if settings.scheme == "two_scale":
        return _two_scale_fragments(length, settings, rng) or [(0, length)]
    return _uniform_fragments(length, settings, rng)


def expected_fragments(length: int, settings: Fragments) -> float:
    """About how many fragments :func:`split_fragments` gives for a text of ``length`` tokens, in the mean."""
    if length < settings.min_length:
        return 1.0
    if settings.scheme == "two_scale":
        long = settings.long_scale_probability
        turn = long * (54 + 18) + (1 - long) * (7.5 + 2.5)  # of source and target together
        return max(1.0, length / turn)
    return max(1.0, settings.ratio * length / 18 + 0.5)  # the last one is cut


def _two_scale_fragments(length: int, settings: Fragments, rng: np.random.Generator) -> list[tuple[int, int]]:
    fragments, position = [], 0
    is_target = bool(rng.random() < 0.5)
    while position < length:
        long = rng.random() < settings.long_scale_probability
        low, high = ((4, 32) if long else (1, 4)) if is_target else ((12, 96) if long else (3, 12))
        end = min(length, position + int(rng.integers(low, high + 1)))
        if is_target:
            fragments.append((position, end))
        position, is_target = end, not is_target
    return fragments


def _uniform_fragments(length: int, settings: Fragments, rng: np.random.Generator) -> list[tuple[int, int]]:
    budget = max(1, round(settings.ratio * length))
    taken = np.zeros(length, dtype=bool)
    while budget > 0:
        size = min(int(rng.integers(4, 33)), budget)
        free = np.lib.stride_tricks.sliding_window_view(~taken, size).all(axis=1)
        starts = np.flatnonzero(free)
        if len(starts) == 0:
            size, starts = 1, np.flatnonzero(~taken)
        start = int(rng.choice(starts))
        taken[start : start + size] = True
        budget -= size
    edges = np.flatnonzero(np.diff(np.concatenate([[False], taken, [False]]).astype(np.int8)))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def overlaps(boxes: Array) -> Array:
    """Intersection over union of every two boxes: [R, 4] pixels -> [R, R]."""
    x1, y1, x2, y2 = boxes.T
    width = np.clip(np.minimum(x2[:, None], x2) - np.maximum(x1[:, None], x1), 0, None)
    height = np.clip(np.minimum(y2[:, None], y2) - np.maximum(y1[:, None], y1), 0, None)
    intersection = width * height
    area = (x2 - x1) * (y2 - y1)
    union = area[:, None] + area - intersection
    return np.where(union > 0, intersection / np.maximum(union, 1e-9), 0.0)


def choose_regions(boxes: Array, ratio: float, max_overlap: float, rng: np.random.Generator) -> Array:
    """Regions to mask, sorted: each an anchor with probability ``ratio``, and all that overlap one too much.

    At least one anchor is drawn, so that the target is never empty; the whole-image region is not among ``boxes``.

    Args:
        boxes: [R, 4] pixels.
        ratio: anchor probability (PAPER: 15%, sure).
        max_overlap: intersection over union above which a region would leak an anchor (PAPER: 0.3; released base
            config 0.4).
        rng: source of randomness.
    """
    if len(boxes) == 0:
        return np.zeros(0, dtype=np.int64)
    anchors = rng.random(len(boxes)) < ratio
    if not anchors.any():
        anchors[rng.integers(len(boxes))] = True
    return np.flatnonzero(anchors | (overlaps(boxes)[anchors] > max_overlap).any(axis=0))


def position_ids_of(length: int, first: int = 2) -> Array:
    """Rows of the position table of a text read from its beginning: 2, 3, ... (RoBERTa's offset)."""
    return np.arange(first, first + length, dtype=np.int64)


def as_ids(values: Sequence[int]) -> Array:
    """A list of ids as int64."""
    return np.asarray(values, dtype=np.int64)
