"""Batches made ahead come in order, their state is that of what was taken, and errors reach the caller."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import pytest

from unimo.config.job import DataConfig
from unimo.data.batch import Batch, collate
from unimo.data.examples import Vocabulary, text_example
from unimo.training.mixture import Mixture
from unimo.training.prefetch import Prefetcher
from unimo.training.task import TrainingStream

VOCABULARY = Vocabulary(50, 0, 1, 2, 49)


def mixture(fail_at: int = -1) -> Mixture:
    def make_batch(indices: Sequence[int], epoch: int, step: int) -> dict[str, Batch]:
        if step == fail_at:
            raise ValueError("no such batch")
        return {"main": collate([text_example(str(i), [[5] * (i % 7 + 1)], VOCABULARY, 20) for i in indices], 1)}

    streams = [
        TrainingStream(name, [i % 7 + 3 for i in range(30)], make_batch, weight)
        for name, weight in (("a", 1.0), ("b", 2.0))
    ]
    return Mixture(streams, DataConfig(tokens_per_batch=40), seed=1)


def test_order_and_state_equal_those_of_drawing() -> None:
    plain, ahead = mixture(), mixture()
    with contextlib.closing(Prefetcher(ahead, 0, 12, 2)) as prefetcher:
        for step in range(12):
            for _ in range(2):
                expected, found = plain.draw(step), prefetcher.next()
                assert found.stream == expected.stream
                assert found.batches["main"].record_ids == expected.batches["main"].record_ids
                assert prefetcher.state == plain.state()


def test_an_error_reaches_the_step_that_asks_for_it() -> None:
    with contextlib.closing(Prefetcher(mixture(fail_at=3), 0, 10, 1)) as prefetcher:
        for _ in range(3):
            prefetcher.next()
        with pytest.raises(ValueError, match="no such batch"):
            prefetcher.next()


def test_closing_early_leaves_no_thread() -> None:
    prefetcher = Prefetcher(mixture(), 0, 1000, 1)
    prefetcher.next()
    prefetcher.close()
    assert not prefetcher._thread.is_alive()
