"""Packed rows: everything once, within the budget, nothing sees its neighbour, little padding."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import paddle
from hypothesis import given, settings
from hypothesis import strategies as st

from unimo.data.batch import collate
from unimo.data.examples import Example, RegionInput, RegionTargets, TokenTargets, Vocabulary, text_example
from unimo.data.packing import fill_rows, level_rows, packed_batch, packed_batches, padded_positions, row_capacity
from unimo.modeling import UnimoConfig, UnimoModel, gather_rows
from unimo.training.task import model_inputs

VOCABULARY = Vocabulary(40, 0, 1, 2, 39)
CONFIG = UnimoConfig(
    vocab_size=40,
    hidden_size=16,
    num_hidden_layers=2,
    num_attention_heads=2,
    image_embedding_size=4,
    image_class_size=3,
)
sizes_strategy = st.lists(st.tuples(st.integers(0, 20), st.integers(1, 30)), min_size=1, max_size=60)


@settings(deadline=None)
@given(sizes_strategy, st.integers(20, 300), st.integers(0, 8))
def test_every_record_once_within_the_budget(sizes: list[tuple[int, int]], budget: int, max_examples: int) -> None:
    batches = packed_batches(sizes, budget, seed=1, epoch=2, max_examples=max_examples)
    assert sorted(index for batch in batches for index in batch) == list(range(len(sizes)))
    capacity = row_capacity(sizes)
    for batch in batches:
        of_batch = [sizes[index] for index in batch]
        rows = packed_rows(of_batch, capacity)
        assert rows == 1 or padded_positions(of_batch, capacity) <= budget
        assert not max_examples or len(batch) <= max_examples


def packed_rows(sizes: list[tuple[int, int]], capacity: int) -> int:
    return len(fill_rows(sizes, capacity))


def test_positions_are_those_of_the_batch() -> None:
    for images in (False, True):
        examples = examples_of(3, images)
        sizes = [(each.num_regions, each.num_tokens) for each in examples]
        segments = packed_batch(examples, 1, capacity=16).segment_ids
        assert padded_positions(sizes, 16) == segments.size


@settings(deadline=None)
@given(sizes_strategy)
def test_rows_hold_every_example_and_not_more_than_their_capacity(sizes: list[tuple[int, int]]) -> None:
    rows = fill_rows(sizes)
    assert sorted(index for row in rows for index in row) == list(range(len(sizes)))
    part = 0 if any(size[0] for size in sizes) else 1
    largest = max(size[part] for size in sizes)
    assert all(sum(sizes[index][part] for index in row) <= largest for row in rows)


def examples_of(seed: int, images: bool) -> list[Example]:
    rng = np.random.default_rng(seed)
    made = []
    for number in range(7):
        text = text_example(str(number), [rng.integers(3, 39, rng.integers(1, 9)).tolist()], VOCABULARY, 64)
        position = int(rng.integers(1, text.num_tokens))
        example = replace(text, token_targets=TokenTargets(np.asarray([position]), np.asarray([number + 3])))
        if images:
            count = int(rng.integers(2, 8))
            features, locations = rng.random((count, 4), np.float32), rng.random((count, 5), np.float32)
            targets = RegionTargets(np.asarray([1]), features[1:2], None)
            regions = RegionInput(features, locations, np.zeros((count - 1, 4), np.float32))
            example = replace(example, regions=regions, region_targets=targets)
        made.append(example)
    return made


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 1000), st.booleans())
def test_packing_changes_no_output(seed: int, images: bool) -> None:
    paddle.seed(4)
    model = UnimoModel(CONFIG, {"text_pooler": 0, "image_pooler": 0, "match": 0})
    model.eval()
    examples = examples_of(seed, images)
    alone, packed = collate(examples, 1), packed_batch(examples, 1, capacity=16)
    assert len(packed.segment_ids) < len(alone.segment_ids)
    outputs = []
    for batch in (alone, packed):
        inputs = model_inputs(batch)
        hidden = model(inputs)
        found = [model.pool_text(hidden, inputs), gather_rows(hidden, paddle.to_tensor(batch.token_rows))]
        if images:
            found += [model.match(hidden, inputs), gather_rows(hidden, paddle.to_tensor(batch.region_rows))]
        outputs.append([value.numpy() for value in found])
    for one, other in zip(*outputs, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-6)


def test_little_padding_where_lengths_differ() -> None:
    rng = np.random.default_rng(0)
    for sizes in (
        [(0, int(n)) for n in np.clip(rng.geometric(0.1, 4000), 3, 66)],
        [
            (int(r), int(t))
            for r, t in zip(rng.integers(11, 102, 4000), np.clip(rng.poisson(15, 4000), 6, 40), strict=True)
        ],
    ):
        padded = used = 0
        capacity = row_capacity(sizes)
        for batch in packed_batches(sizes, 4096, seed=1, epoch=0):
            rows = fill_rows([sizes[index] for index in batch], capacity)
            sums = [[sum(sizes[batch[i]][part] for i in row) for row in rows] for part in (0, 1)]
            padded += len(rows) * (max(sums[0]) + max(sums[1]))
            used += sum(map(sum, sums))
        assert 1 - used / padded < 0.08


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 30)), min_size=1, max_size=60), st.integers(20, 200))
def test_level_rows_hold_everything_once(sizes: list[tuple[int, int]], length: int) -> None:
    rows = level_rows(sizes, length)
    assert sorted(index for row in rows for index in row) == list(range(len(sizes))) and all(rows)
    assert len(rows) <= max(1, -(-sum(map(sum, sizes)) // length))


def test_level_rows_pad_less_than_a_row_each() -> None:
    rng = np.random.default_rng(0)
    sizes = [(int(rng.integers(6, 10)), int(rng.integers(10, 36))) for _ in range(60)] + [(8, 0)] * 6 + [(0, 15)] * 6

    def padding(rows: list[list[int]]) -> float:
        width = sum(max(sum(sizes[index][part] for index in row) for row in rows) for part in (0, 1))
        return 1 - sum(map(sum, sizes)) / (len(rows) * width)

    assert padding(level_rows(sizes, 128)) < 0.15 < 0.3 < padding([[index] for index in range(len(sizes))])
