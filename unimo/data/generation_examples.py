"""Sequences with a causal target: what is given is read in both directions, the target sees it and its own past."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from unimo.data.examples import Example, TokenTargets, Vocabulary
from unimo.data.masking import as_ids, position_ids_of

Array = np.ndarray

FIRST_POSITION = 2
KNOWLEDGE_ROLE = 2


def generation_example(
    record_id: str,
    sources: Sequence[Sequence[int]],
    target_ids: Sequence[int] | None,
    vocabulary: Vocabulary,
    end_id: int,
    max_source_length: int = 512,
    max_target_length: int = 128,
    continuous_positions: bool = False,
) -> Example:
    """``[CLS] source [SEP] (source [SEP])* [CLS] target [END]`` (original release).

    Args:
        record_id: name of the record.
        sources: token ids of the given texts; none for captioning, where the image is what is given.
        target_ids: None leaves the target out: what decoding starts from.
        vocabulary: special ids.
        end_id: token that ends the target.
        max_source_length: tokens of the sources, special tokens included; the longest loses tokens first.
        max_target_length: tokens of the target, special tokens included; a cut target keeps its end token.
        continuous_positions: count positions through; else every source restarts at 3 and the target at 2.
    """
    source, positions = _source(cut_sources(sources, max_source_length - 1), vocabulary)
    target = [] if target_ids is None else [vocabulary.cls_id, *target_ids[: max_target_length - 2], end_id]
    first = len(source)
    token_ids = as_ids(source + target)
    target_positions = position_ids_of(len(target), FIRST_POSITION + first if continuous_positions else FIRST_POSITION)
    given_positions = position_ids_of(first) if continuous_positions else as_ids(positions)
    example = Example(
        record_id,
        token_ids,
        np.concatenate([given_positions, target_positions]),
        np.concatenate([np.zeros(first, np.int64), np.arange(1, len(target) + 1)]),
    )
    return example if target_ids is None else _with_targets(example, first)


def dialogue_example(
    record_id: str,
    knowledge: Sequence[int] | None,
    turns: Sequence[Sequence[int]],
    target_ids: Sequence[int] | None,
    vocabulary: Vocabulary,
    end_id: int,
    num_turns: int = 16,
    max_source_length: int = 512,
    max_target_length: int = 128,
) -> Example:
    """``[CLS] knowledge [SEP] turn [SEP] ... [CLS] answer [END]`` with roles and turns (original release, CoQA).

    The last ``num_turns - 1`` turns are kept. Roles alternate, so that the answer's speaker is 0; knowledge has role
    2; turns count down to 1 for the newest, knowledge and answer have turn 0.
    """
    kept = list(turns)[-(num_turns - 1) :]
    segments = [*([knowledge] if knowledge else []), *kept]
    example = generation_example(
        record_id, segments, target_ids, vocabulary, end_id, max_source_length, max_target_length
    )
    cut = cut_sources(segments, max_source_length - 1)
    opening = (len(kept) % 2, len(kept))
    numbers = [opening]
    if knowledge:
        numbers += [(KNOWLEDGE_ROLE, 0)] * (len(cut[0]) + 1)
    for index, turn in enumerate(cut[len(cut) - len(kept) :]):
        left = len(kept) - index
        numbers += [(left % 2, left)] * (len(turn) + 1)
    numbers += [(0, 0)] * (example.num_tokens - len(numbers))
    roles_and_turns = np.asarray(numbers, np.int64)
    return replace(example, role_ids=roles_and_turns[:, 0], turn_ids=roles_and_turns[:, 1])


def cut_sources(sources: Sequence[Sequence[int]], room: int) -> list[list[int]]:
    """The sources, each with a [SEP] to come, cut at their ends to ``room`` tokens; the longest loses first."""
    parts = [list(source) for source in sources]
    excess = sum(map(len, parts)) + len(parts) - room
    while excess > 0:
        longest = max(range(len(parts)), key=lambda index: (len(parts[index]), index))
        shorter = sorted(map(len, parts))[-2] if len(parts) > 1 else 0
        step = max(1, min(excess, len(parts[longest]) - shorter))
        del parts[longest][len(parts[longest]) - step :]
        excess -= step
    return parts


def with_object_tags(example: Example, tag_ids: Sequence[int]) -> Example:
    """The same example with an image's object tags before its text, read in both directions (original release)."""
    if not len(tag_ids):
        return example
    tags, count = as_ids(tag_ids), len(tag_ids)
    empty: Array = np.zeros(0, np.int64)
    targets = example.token_targets
    return replace(
        example,
        token_ids=np.concatenate([tags, empty if example.token_ids is None else example.token_ids]),
        position_ids=np.concatenate(
            [position_ids_of(count), empty if example.position_ids is None else example.position_ids]
        ),
        order_ids=np.concatenate(
            [np.zeros(count, np.int64), empty if example.order_ids is None else example.order_ids]
        ),
        token_targets=None if targets is None else replace(targets, positions=targets.positions + count),
    )


def hide_history(example: Example, share: float, vocabulary: Vocabulary, rng: np.random.Generator) -> Example:
    """A generation example whose target tokens are hidden behind [MASK] as input, each with probability ``share``.

    What is predicted stays the same; special tokens stay visible.
    """
    assert example.token_ids is not None and example.order_ids is not None
    if share == 0:
        return example
    hidden = (rng.random(example.num_tokens) < share) & (example.order_ids > 0)
    hidden &= ~np.isin(example.token_ids, [vocabulary.cls_id, vocabulary.sep_id, vocabulary.mask_id])
    return replace(example, token_ids=np.where(hidden, vocabulary.mask_id, example.token_ids))


def _source(sources: Sequence[Sequence[int]], vocabulary: Vocabulary) -> tuple[list[int], list[int]]:
    """Ids and restarting positions of what is given; nothing where there are no sources."""
    if not sources:
        return [], []
    ids, positions = [vocabulary.cls_id], [FIRST_POSITION]
    for source in sources:
        ids += [*source, vocabulary.sep_id]
        positions += range(FIRST_POSITION + 1, FIRST_POSITION + 2 + len(source))
    return ids, positions


def _with_targets(example: Example, first: int) -> Example:
    """Every target token after its [CLS] is predicted from the one before it."""
    assert example.token_ids is not None
    targets = TokenTargets(np.arange(first, example.num_tokens - 1), example.token_ids[first + 1 :])
    return replace(example, token_targets=targets)
