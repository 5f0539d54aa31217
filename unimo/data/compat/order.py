"""How the original cuts an order of records into batches, and shuffles it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unimo.config.job import DataConfig
from unimo.errors import InputError


@dataclass(frozen=True)
class BatchRule:
    """How many records share a batch."""

    size: int
    """Records of a batch, or its most positions where ``in_tokens``."""

    in_tokens: bool = False
    """Whether a batch is full when one more record would make records times longest length exceed ``size``."""

    @classmethod
    def of(cls, data: DataConfig) -> BatchRule:
        """`max_examples_per_batch` records, or, where it is 0, `tokens_per_batch` positions."""
        if data.max_examples_per_batch:
            return cls(data.max_examples_per_batch)
        return cls(data.tokens_per_batch, in_tokens=True)

    @classmethod
    def of_records(cls, data: DataConfig) -> BatchRule:
        """The rule of the original's readers of images, which count records alone.

        Raises:
            InputError: max_examples_per_batch is 0.
        """
        if not data.max_examples_per_batch:
            raise InputError("data.max_examples_per_batch: the original's batches of images need a number of records")
        return cls(data.max_examples_per_batch)

    def cut(self, order: Sequence[int], lengths: Sequence[int]) -> list[list[int]]:
        """Consecutive batches of ``order``; ``lengths`` are those of all records."""
        batches: list[list[int]] = []
        current: list[int] = []
        longest = 0
        for index in order:
            longest, count = max(longest, lengths[index]), len(current) + 1
            if current and (count * longest if self.in_tokens else count) > self.size:
                batches.append(current)
                current, longest = [], lengths[index]
            current.append(index)
        return [*batches, current] if current else batches


def consecutive(order: Sequence[int], size: int) -> list[list[int]]:
    """Batches of ``size`` records; the last may be smaller."""
    return [list(order[start : start + size]) for start in range(0, len(order), size)]


def shuffled_by_epoch(count: int, epoch: int) -> list[int]:
    """Classification and regression: a fresh order each epoch, its number the seed."""
    order = list(range(count))
    np.random.RandomState(epoch).shuffle(order)
    return order


def shuffled_again_by_epoch(count: int, epoch: int) -> list[int]:
    """Retrieval: each epoch, its number the seed, shuffles the order that the one before left."""
    order = list(range(count))
    for passed in range(epoch + 1):
        np.random.RandomState(passed).shuffle(order)
    return order


def shuffled_again(count: int, epoch: int, seed: int) -> list[int]:
    """Sequence to sequence: one generator, seeded once, shuffles the same list again each epoch."""
    rng, order = np.random.RandomState(seed), list(range(count))
    for _ in range(epoch + 1):
        rng.shuffle(order)
    return order


def shuffled_within_files(file_sizes: Sequence[int], epoch: int, seed: int, buffer: int = 0) -> list[list[int]]:
    """Captioning and entailment: the records of each file, ``buffer`` after ``buffer`` of them shuffled (0: all).

    One generator, seeded once, goes through all files of all epochs.
    """
    rng = np.random.RandomState(seed)
    for _ in range(epoch):
        _shuffle_files(file_sizes, rng, buffer)
    return _shuffle_files(file_sizes, rng, buffer)


def in_files(file_sizes: Sequence[int]) -> list[list[int]]:
    """The records of each file as they stand there."""
    ends = np.cumsum(file_sizes).tolist()
    return [list(range(end - size, end)) for end, size in zip(ends, file_sizes, strict=True)]


def _shuffle_files(file_sizes: Sequence[int], rng: np.random.RandomState, buffer: int) -> list[list[int]]:
    files = []
    for indices in in_files(file_sizes):
        shuffled = []
        for start in range(0, len(indices), buffer or max(1, len(indices))):
            part = indices[start : start + (buffer or len(indices))]
            rng.shuffle(part)
            shuffled += part
        files.append(shuffled)
    return files
