"""Examples: a record as arrays, one sequence each, before they are padded into a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from unimo.data.masking import (
    Fragments,
    SpanMasking,
    as_ids,
    choose_regions,
    choose_spans,
    corrupt_tokens,
    position_ids_of,
    split_fragments,
)

Array = np.ndarray


@dataclass(frozen=True)
class Vocabulary:
    """What building sequences needs to know of a tokenizer."""

    size: int
    cls_id: int
    pad_id: int
    sep_id: int
    mask_id: int


@dataclass(frozen=True)
class RegionInput:
    """An image as the network reads it, whole-image region first."""

    features: Array  # [R, F] float32
    locations: Array  # [R, 5] float32
    boxes: Array  # [R - 1, 4] pixels, without the whole image
    class_probabilities: Array | None = None  # [R - 1, C] float32


@dataclass(frozen=True)
class TokenTargets:
    """Tokens to predict: positions counted in the example's text, and the ids that belong there."""

    positions: Array  # [N] int64
    labels: Array  # [N] int64


@dataclass(frozen=True)
class RegionTargets:
    """Masked regions: positions counted with the whole-image region, and what the detector said of them."""

    positions: Array  # [N] int64
    features: Array  # [N, F] float32
    class_probabilities: Array | None  # [N, C] float32


@dataclass(frozen=True)
class Example:
    """One sequence ``[regions, text]`` with its targets; either part may be absent."""

    record_id: str
    token_ids: Array | None = None  # [T] int64
    position_ids: Array | None = None  # [T] int64
    order_ids: Array | None = None  # [T] int64, 0 = read in both directions, 1.. = causal target
    regions: RegionInput | None = None
    token_targets: TokenTargets | None = None
    region_targets: RegionTargets | None = None
    label: float | int | Array | None = None
    """Class number, value, or a score for every class."""

    role_ids: Array | None = None  # [T] int64, dialogue only
    turn_ids: Array | None = None  # [T] int64, dialogue only

    @property
    def num_tokens(self) -> int:
        """T."""
        return 0 if self.token_ids is None else len(self.token_ids)

    @property
    def num_regions(self) -> int:
        """R, the whole image counted."""
        return 0 if self.regions is None else len(self.regions.features)


def text_example(record_id: str, segments: Sequence[Sequence[int]], vocabulary: Vocabulary, max_length: int) -> Example:
    """``[CLS] a [SEP]`` or ``[CLS] a [SEP] b [SEP]``; too long, the longer segment loses tokens (b on ties)."""
    parts = [list(segment) for segment in segments]
    room = max_length - 1 - len(parts)
    while sum(map(len, parts)) > room:
        longest = max(range(len(parts)), key=lambda index: (len(parts[index]), index))
        parts[longest].pop()
    ids = [vocabulary.cls_id]
    for part in parts:
        ids += [*part, vocabulary.sep_id]
    token_ids = as_ids(ids)
    return Example(record_id, token_ids, position_ids_of(len(ids)), np.zeros_like(token_ids))


def masked_language_example(
    example: Example, unit_starts: Array, vocabulary: Vocabulary, settings: SpanMasking, rng: np.random.Generator
) -> Example:
    """Hide spans of a ``[CLS] text [SEP]`` example and ask for them. ``unit_starts`` [T - 2] is of the text alone."""
    maskable = np.ones(example.num_tokens, dtype=bool)
    maskable[[0, -1]] = False
    starts = np.concatenate([[True], unit_starts[: example.num_tokens - 2], [True]])
    return hide_tokens(example, choose_spans(starts, maskable, settings, rng), vocabulary, settings, rng)


def hide_tokens(
    example: Example, positions: Array, vocabulary: Vocabulary, settings: SpanMasking, rng: np.random.Generator
) -> Example:
    """The example with the tokens at ``positions`` hidden, and asked for."""
    assert example.token_ids is not None
    corrupted = corrupt_tokens(example.token_ids, positions, settings, vocabulary.mask_id, vocabulary.size, rng)
    return replace(example, token_ids=corrupted, token_targets=TokenTargets(positions, example.token_ids[positions]))


def fragments_example(
    record_id: str, text_ids: Sequence[int], vocabulary: Vocabulary, settings: Fragments, rng: np.random.Generator
) -> Example:
    """``[CLS] source [SEP]`` read in both directions, then ``[CLS] fragment`` for every removed fragment, causally.

    Tokens keep the positions they have in the whole text, a fragment's [CLS] that of the token before it; the
    closing [SEP] belongs to the target when the text's end does, and to the source besides (PAPER 3.3).
    """
    ids = as_ids(text_ids)
    fragments = split_fragments(len(ids), settings, rng)
    in_target = np.zeros(len(ids), dtype=bool)
    for start, end in fragments:
        in_target[start:end] = True
    text_positions = position_ids_of(len(ids), first=3)
    kept = ~in_target
    end_position = 3 + len(ids)
    source = np.concatenate([[vocabulary.cls_id], ids[kept], [vocabulary.sep_id]])
    source_positions = np.concatenate([[2], text_positions[kept], [end_position if kept.any() else 3]])
    target, target_positions = [], []
    for start, end in fragments:
        target += [vocabulary.cls_id, *ids[start:end]]
        target_positions += [2 + start, *text_positions[start:end]]
    if fragments[-1][1] == len(ids):
        target.append(vocabulary.sep_id)
        target_positions.append(end_position)
    token_ids = np.concatenate([source, as_ids(target)])
    order = np.concatenate([np.zeros(len(source), np.int64), np.arange(1, len(target) + 1)])
    positions = np.arange(len(source), len(token_ids) - 1)
    labels = token_ids[len(source) + 1 :]
    inside = labels != vocabulary.cls_id  # a fragment's [CLS] is given, not predicted
    targets = TokenTargets(positions[inside], labels[inside])
    return Example(
        record_id, token_ids, np.concatenate([source_positions, as_ids(target_positions)]), order, token_targets=targets
    )


def with_regions(example: Example, regions: RegionInput) -> Example:
    """The same text with an image before it."""
    return replace(example, regions=regions)


def masked_region_example(example: Example, ratio: float, max_overlap: float, rng: np.random.Generator) -> Example:
    """Hide regions of the example's image (their features become zeros) and ask for feature and class."""
    regions = example.regions
    assert regions is not None
    chosen = choose_regions(regions.boxes, ratio, max_overlap, rng)
    features = regions.features.copy()
    features[chosen + 1] = 0.0
    classes = None if regions.class_probabilities is None else regions.class_probabilities[chosen]
    targets = RegionTargets(chosen + 1, regions.features[chosen + 1], classes)
    return replace(example, regions=replace(regions, features=features), region_targets=targets)
