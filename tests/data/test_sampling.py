"""The order of records: everything once an epoch, within the budget, resumable, the same for any number of ranks."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from unimo.data.sampling import BatchStream, bucketed_batches, choose_stream, sequential_batches, share_of_rank

lengths_strategy = st.lists(st.integers(1, 60), min_size=1, max_size=200)


@given(lengths_strategy, st.integers(20, 300), st.integers(0, 100), st.integers(0, 8))
def test_every_record_once_within_the_budget(lengths: list[int], budget: int, seed: int, max_examples: int) -> None:
    batches = bucketed_batches(lengths, budget, seed, epoch=3, max_examples=max_examples)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[index] for index in batch) <= budget
        assert not max_examples or len(batch) <= max_examples


@given(lengths_strategy, st.integers(20, 300))
def test_evaluation_batches_hold_every_record_once(lengths: list[int], budget: int) -> None:
    batches = sequential_batches(lengths, budget)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))


def test_epochs_differ_and_seeds_repeat() -> None:
    lengths = list(np.random.default_rng(0).integers(5, 40, size=300))
    assert bucketed_batches(lengths, 200, 1, 0) == bucketed_batches(lengths, 200, 1, 0)
    assert bucketed_batches(lengths, 200, 1, 0) != bucketed_batches(lengths, 200, 1, 1)
    assert bucketed_batches(lengths, 200, 1, 0) != bucketed_batches(lengths, 200, 2, 0)


def test_sorting_by_length_leaves_little_padding() -> None:
    lengths = np.random.default_rng(0).integers(5, 60, size=5000)
    batches = bucketed_batches(list(lengths), 2000, 0, 0)
    padded = sum(len(batch) * lengths[batch].max() for batch in batches)
    assert 1 - lengths.sum() / padded < 0.08


@given(st.integers(0, 40), st.integers(1, 30))
def test_a_stream_continues_where_its_state_was_taken(before: int, after: int) -> None:
    lengths = list(range(3, 40))
    whole = BatchStream(lengths, 100, seed=5)
    for _ in range(before):
        next(whole)
    resumed = BatchStream(lengths, 100, seed=5)
    resumed.load_state(whole.state())
    assert [next(whole) for _ in range(after)] == [next(resumed) for _ in range(after)]


@given(st.lists(st.integers(), min_size=1, max_size=30), st.integers(1, 5))
def test_ranks_share_a_batch_without_overlap(batch: list[int], world_size: int) -> None:
    shares = [share_of_rank(batch, rank, world_size) for rank in range(world_size)]
    assert sorted(index for share in shares for index in share) == sorted(batch)


def test_the_mixture_keeps_its_ratio() -> None:
    draws = [choose_stream([1, 1, 5], seed=0, step=step) for step in range(7000)]
    np.testing.assert_allclose(np.bincount(draws) / 7000, [1 / 7, 1 / 7, 5 / 7], atol=0.02)
