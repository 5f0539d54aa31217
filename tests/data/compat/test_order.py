"""How batches are cut and shuffled, the parts that no golden shows: training shuffles, remainders, files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from unimo.config.job import DataConfig
from unimo.data.compat.captioning import CaptionReader
from unimo.data.compat.generation import Limits, cut_sources, cut_target
from unimo.data.compat.order import BatchRule, shuffled_again, shuffled_again_by_epoch, shuffled_within_files
from unimo.data.compat.reader import Pairs
from unimo.data.examples import Example, Vocabulary
from unimo.data.sampling import BatchStream
from unimo.errors import InputError

VOCABULARY = Vocabulary(size=100, cls_id=0, pad_id=1, sep_id=2, mask_id=99)


def test_batches_by_number_and_by_positions() -> None:
    lengths = [3, 5, 2, 2, 2, 9]
    assert BatchRule(4).cut(range(6), lengths) == [[0, 1, 2, 3], [4, 5]]
    assert BatchRule(10, in_tokens=True).cut(range(6), lengths) == [[0, 1], [2, 3, 4], [5]]
    assert BatchRule(1, in_tokens=True).cut(range(2), lengths) == [[0], [1]]  # a record alone may be too long
    assert BatchRule.of(DataConfig(tokens_per_batch=7)) == BatchRule(7, in_tokens=True)
    assert BatchRule.of(DataConfig(max_examples_per_batch=7)) == BatchRule(7)
    with pytest.raises(InputError, match="max_examples_per_batch"):
        BatchRule.of_records(DataConfig())


def test_orders_that_go_on_from_epoch_to_epoch() -> None:
    rng, expected = np.random.RandomState(5), list(range(9))
    for epoch in range(3):
        rng.shuffle(expected)
        assert shuffled_again(9, epoch, seed=5) == expected
    expected = list(range(9))
    for epoch in range(3):
        np.random.RandomState(epoch).shuffle(expected)
        assert shuffled_again_by_epoch(9, epoch) == expected


def test_records_are_shuffled_within_their_file() -> None:
    files = shuffled_within_files([5, 3], epoch=0, seed=1)
    assert [sorted(file) for file in files] == [[0, 1, 2, 3, 4], [5, 6, 7]]
    assert files != [[0, 1, 2, 3, 4], [5, 6, 7]]
    assert shuffled_within_files([5, 3], epoch=1, seed=1) != files
    (file,) = shuffled_within_files([7], epoch=0, seed=1, buffer=3)
    assert [sorted(file[:3]), sorted(file[3:6]), file[6:]] == [[0, 1, 2], [3, 4, 5], [6]]


def captions(file_sizes: list[int], size: int, seed: int | None) -> CaptionReader:
    count = sum(file_sizes)
    pairs = Pairs([Example("")] * count, [""] * count, None, VOCABULARY, BatchRule(size))  # type: ignore[arg-type]
    return CaptionReader(pairs, [()] * count, [0] * count, file_sizes, seed)


def test_the_remainder_of_captions() -> None:
    # 3 fills a batch with what is left of 5, so the same record is left for the next file again
    assert captions([5, 3, 4], 4, None).batches_of(0) == [[0, 1, 2, 3], [4, 5, 6, 7], [4, 8, 9, 10], [11]]
    assert captions([5, 3], 4, None).batches_of(0) == [[0, 1, 2, 3], [4, 5, 6, 7], [4]]
    assert captions([2, 1], 4, None).batches_of(0) == [[0, 1, 2]]


def test_training_drops_the_last_remainder_and_shuffles() -> None:
    reader = captions([6, 5], 4, seed=3)
    batches = reader.batches_of(0)
    assert [len(batch) for batch in batches] == [4, 4]
    assert set(batches[0]) < set(range(6))
    assert reader.batches_of(0) == batches != reader.batches_of(1)


def test_cuts() -> None:
    limits = Limits(max_source_length=6, max_target_length=5)
    assert cut_sources([[1, 2, 3, 4, 5], [6, 7, 8, 9]], limits) == [[1, 2, 3, 4], [6, 7, 8, 9]]
    through = Limits(6, 5, continuous_positions=True)
    assert cut_sources([[1, 2], [6, 7, 8, 9], [3]], through) == [[1, 2], [6]]
    assert cut_target([1, 2, 3], 99, limits) == ([1, 2, 3], 99)
    assert cut_target([1, 2, 3, 4], 99, limits) == ([1, 2, 3], 4)


def test_a_stream_of_given_batches_resumes(tmp_path: Path) -> None:
    def stream() -> BatchStream:
        return BatchStream((), 0, 0, batches_of=lambda epoch: [[epoch, 0], [epoch, 1]])

    whole = stream()
    expected = [next(whole) for _ in range(5)]
    assert expected == [(0, [0, 0]), (0, [0, 1]), (1, [1, 0]), (1, [1, 1]), (2, [2, 0])]
    broken = stream()
    first = [next(broken) for _ in range(3)]
    resumed = stream()
    resumed.load_state(broken.state())
    assert first + [next(resumed) for _ in range(2)] == expected
