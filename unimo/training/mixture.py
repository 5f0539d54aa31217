"""Training streams drawn in a ratio: which stream and which records a step sees, resumable at any step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from unimo.config.job import DataConfig
from unimo.data.sampling import BatchStream, choose_stream, share_of_rank
from unimo.training.task import StepBatch, TrainingStream


@dataclass(frozen=True)
class Draw:
    """One micro-batch: what it is called in the log, and its batches."""

    stream: str
    batches: StepBatch


class Mixture:
    """Draws batches from streams; a pure function of (seed, position), the same on every process but for the share."""

    def __init__(
        self, streams: Sequence[TrainingStream], data: DataConfig, seed: int, rank: int = 0, world_size: int = 1
    ) -> None:
        self.streams = list(streams)
        self.seed, self.rank, self.world_size = seed, rank, world_size
        self._batches = [
            BatchStream(
                stream.lengths,
                stream.tokens_per_batch or data.tokens_per_batch,
                seed + number,
                stream.max_examples or data.max_examples_per_batch,
            )
            for number, stream in enumerate(self.streams)
        ]

    def steps_per_epoch(self, accumulation: int) -> int:
        """Optimizer steps that one pass over the first stream takes."""
        return max(1, len(self._batches[0].batches_of(0)) // accumulation)

    def draw(self, step: int) -> Draw:
        """The next micro-batch of a step; all micro-batches of a step come from the same stream."""
        number = choose_stream([stream.weight for stream in self.streams], self.seed, step)
        epoch, indices = next(self._batches[number])
        mine = share_of_rank(indices, self.rank, self.world_size) or indices[:1]
        return Draw(self.streams[number].name, self.streams[number].make_batch(mine, epoch, step))

    def state(self) -> dict[str, dict[str, int]]:
        """Position of every stream, by name."""
        return {stream.name: batches.state() for stream, batches in zip(self.streams, self._batches, strict=True)}

    def load_state(self, state: Mapping[str, Mapping[str, int]]) -> None:
        """Continue where ``state`` was taken."""
        for stream, batches in zip(self.streams, self._batches, strict=True):
            batches.load_state(dict(state[stream.name]))
