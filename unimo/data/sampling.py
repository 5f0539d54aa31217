"""The order in which records are seen: a pure function of (seed, epoch), the same for any number of processes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from unimo.data.packing import Size, packed_batches

# records drawn together and sorted by length before they are cut into batches; larger pools pad less, mix less
POOL_BATCHES = 50


def bucketed_batches(
    lengths: Sequence[int], tokens_per_batch: int, seed: int, epoch: int, max_examples: int = 0
) -> list[list[int]]:
    """Cut a shuffled order into batches of similar length: every record once, batches in random order.

    Args:
        lengths: positions (regions + tokens) of each record.
        tokens_per_batch: largest number of records times longest length of a batch; one record alone may exceed it.
        seed: of the run.
        epoch: changes the order.
        max_examples: most records of a batch; 0 is no limit.
    """
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(len(lengths))
    sizes = np.asarray(lengths)
    mean = max(1.0, float(sizes.mean()))
    pool = max(1, round(POOL_BATCHES * tokens_per_batch / mean))
    batches: list[list[int]] = []
    for start in range(0, len(order), pool):
        ordered = sorted(order[start : start + pool].tolist(), key=lambda index: sizes[index])
        batches += _cut(ordered, sizes, tokens_per_batch, max_examples)
    return [batches[index] for index in rng.permutation(len(batches))]


def sequential_batches(lengths: Sequence[int], tokens_per_batch: int, max_examples: int = 0) -> list[list[int]]:
    """Batches of similar length for evaluation: every record once, sorted by length, nothing random."""
    sizes = np.asarray(lengths)
    return _cut(np.argsort(sizes, kind="stable").tolist(), sizes, tokens_per_batch, max_examples)


def _cut(ordered: Sequence[int], sizes: np.ndarray, tokens_per_batch: int, max_examples: int) -> list[list[int]]:
    """Cut an order sorted by length into consecutive batches within the budget."""
    batches: list[list[int]] = [[]]
    for index in ordered:
        current = batches[-1]
        too_many = max_examples and len(current) >= max_examples
        if current and (too_many or (len(current) + 1) * sizes[index] > tokens_per_batch):
            batches.append([])
        batches[-1].append(index)
    return [batch for batch in batches if batch]


@dataclass
class StreamPosition:
    """Where a stream of batches stands: ``batch`` batches of ``epoch`` have been drawn."""

    epoch: int = 0
    batch: int = 0


class BatchStream:
    """An endless sequence of batches of record indices over one dataset, epoch after epoch, resumable anywhere."""

    def __init__(
        self,
        lengths: Sequence[int],
        tokens_per_batch: int,
        seed: int,
        max_examples: int = 0,
        batches_of: Callable[[int], list[list[int]]] | None = None,
        sizes: Sequence[Size] = (),
    ) -> None:
        """Batches of similar length, unless said otherwise.

        Args:
            lengths: positions of each record.
            tokens_per_batch: budget of a batch.
            seed: of the order.
            max_examples: most records of a batch; 0 is no limit.
            batches_of: the batches of an epoch, a pure function of it, in place of all this.
            sizes: regions and tokens of each record; with them the batches are made to be packed into rows.
        """
        draw = functools.partial(packed_batches, sizes) if sizes else functools.partial(bucketed_batches, lengths)
        self._make = batches_of or (lambda epoch: draw(tokens_per_batch, seed, epoch, max_examples))
        self.position = StreamPosition()
        self._epoch_batches: tuple[int, list[list[int]]] | None = None

    def batches_of(self, epoch: int) -> list[list[int]]:
        """All batches of an epoch."""
        if self._epoch_batches is None or self._epoch_batches[0] != epoch:
            self._epoch_batches = (epoch, self._make(epoch))
        return self._epoch_batches[1]

    def __iter__(self) -> Iterator[tuple[int, list[int]]]:
        return self

    def __next__(self) -> tuple[int, list[int]]:
        """(epoch, record indices) of the next batch."""
        if self.position.batch >= len(self.batches_of(self.position.epoch)):
            self.position = StreamPosition(self.position.epoch + 1, 0)
        epoch = self.position.epoch
        batch = self.batches_of(epoch)[self.position.batch]
        self.position = StreamPosition(epoch, self.position.batch + 1)
        return epoch, batch

    def state(self) -> dict[str, int]:
        """What to save."""
        return {"epoch": self.position.epoch, "batch": self.position.batch}

    def load_state(self, state: dict[str, int]) -> None:
        """Continue where ``state`` was taken."""
        self.position = StreamPosition(int(state["epoch"]), int(state["batch"]))


def share_of_rank(batch: Sequence[int], rank: int, world_size: int) -> list[int]:
    """The part of a global batch that one process takes: every ``world_size``-th record."""
    return list(batch[rank::world_size])


def choose_stream(weights: Sequence[float], seed: int, step: int) -> int:
    """Which stream of a mixture step ``step`` draws from, the same on every process."""
    shares = np.asarray(weights, dtype=np.float64)
    return int(np.random.default_rng([seed, 7, step]).choice(len(shares), p=shares / shares.sum()))


def record_rng(seed: int, epoch: int, index: int) -> np.random.Generator:
    """Randomness that belongs to one record in one epoch, whatever process or worker handles it."""
    return np.random.default_rng([seed, epoch, index])
