"""Sequences as they are built for each objective, and their padding into batches."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from unimo.data.batch import collate
from unimo.data.examples import (
    Example,
    RegionInput,
    Vocabulary,
    fragments_example,
    masked_language_example,
    masked_region_example,
    text_example,
    with_regions,
)
from unimo.data.generation_examples import generation_example
from unimo.data.masking import Fragments, SpanMasking

VOCABULARY = Vocabulary(size=100, cls_id=0, pad_id=1, sep_id=2, mask_id=99)


def picture(count: int, seed: int = 0) -> RegionInput:
    rng = np.random.default_rng(seed)
    corners = rng.random((count, 2)) * 50
    return RegionInput(
        features=rng.standard_normal((count + 1, 8)).astype(np.float32),
        locations=rng.random((count + 1, 5)).astype(np.float32),
        boxes=np.concatenate([corners, corners + 20], axis=1),
        class_probabilities=rng.random((count, 4)).astype(np.float32),
    )


def test_text_pair_is_cut_from_the_longer_text() -> None:
    example = text_example("r", [[10, 11, 12, 13], [20, 21]], VOCABULARY, max_length=8)
    assert example.token_ids.tolist() == [0, 10, 11, 12, 2, 20, 21, 2]
    assert example.position_ids.tolist() == list(range(2, 10))


def test_generation_layout_restarts_positions() -> None:
    example = generation_example("r", [[10, 11]], [20, 21], VOCABULARY, end_id=99)
    assert example.token_ids.tolist() == [0, 10, 11, 2, 0, 20, 21, 99]
    assert example.position_ids.tolist() == [2, 3, 4, 5, 2, 3, 4, 5]
    assert example.order_ids.tolist() == [0, 0, 0, 0, 1, 2, 3, 4]
    assert example.token_targets.positions.tolist() == [4, 5, 6]
    assert example.token_targets.labels.tolist() == [20, 21, 99]


@given(st.lists(st.integers(4, 98), min_size=1, max_size=120), st.integers(0, 1000))
def test_fragments_keep_every_token_at_its_place(ids: list[int], seed: int) -> None:
    example = fragments_example("r", ids, VOCABULARY, Fragments(), np.random.default_rng(seed))
    inner = ~np.isin(example.token_ids, [VOCABULARY.cls_id, VOCABULARY.sep_id])
    placed = sorted(zip(example.position_ids[inner].tolist(), example.token_ids[inner].tolist(), strict=True))
    assert placed == [(3 + place, token) for place, token in enumerate(ids)]
    labels = example.token_targets.labels
    assert len(labels) >= 1
    assert VOCABULARY.cls_id not in labels
    np.testing.assert_array_equal(example.token_ids[example.token_targets.positions + 1], labels)
    assert (example.order_ids[example.token_targets.positions] > 0).all()


@given(st.lists(st.integers(4, 98), min_size=1, max_size=60), st.integers(0, 1000))
def test_masked_language_asks_for_what_was_there(ids: list[int], seed: int) -> None:
    plain = text_example("r", [ids], VOCABULARY, 128)
    starts = np.ones(len(ids), bool)
    masked = masked_language_example(plain, starts, VOCABULARY, SpanMasking(), np.random.default_rng(seed))
    targets = masked.token_targets
    np.testing.assert_array_equal(plain.token_ids[targets.positions], targets.labels)
    untouched = np.setdiff1d(np.arange(plain.num_tokens), targets.positions)
    np.testing.assert_array_equal(masked.token_ids[untouched], plain.token_ids[untouched])


def test_masked_regions_are_zero_and_asked_for() -> None:
    example = Example("r", regions=picture(6))
    masked = masked_region_example(example, 0.3, 0.3, np.random.default_rng(0))
    positions = masked.region_targets.positions
    assert positions.min() >= 1
    assert (masked.regions.features[positions] == 0).all()
    np.testing.assert_array_equal(masked.region_targets.features, example.regions.features[positions])
    np.testing.assert_array_equal(
        masked.region_targets.class_probabilities, example.regions.class_probabilities[positions - 1]
    )


def test_collate_pads_both_sides_and_counts_rows_in_the_flat_sequence() -> None:
    first = with_regions(generation_example("a", (), [20, 21], VOCABULARY, end_id=2), picture(2))
    second = with_regions(generation_example("b", (), [30], VOCABULARY, end_id=2), picture(4))
    batch = collate([first, second], VOCABULARY.pad_id)
    length = 5 + 4
    assert batch.segment_ids.shape == (2, length)
    assert batch.segment_ids[0].tolist() == [1, 1, 1, 0, 0, 1, 1, 1, 1]
    assert batch.order_ids[1].tolist() == [0, 0, 0, 0, 0, 1, 2, 3, 0]
    flat = np.concatenate([np.zeros((2, 5), np.int64), batch.input_ids], axis=1).reshape(-1)
    np.testing.assert_array_equal(flat[batch.token_rows + 1], batch.token_labels)
    assert batch.num_valid == 3 + 4 + 5 + 3
