"""Training streams drawn in a ratio: which stream and which records a step sees, resumable at any step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from unimo.config.job import DataConfig
from unimo.data.sampling import BatchStream, choose_stream, share_of_rank
from unimo.errors import InputError
from unimo.training.task import StepBatch, TrainingStream


@dataclass(frozen=True)
class Draw:
    """One process's part of a micro-batch: what it is called in the log, and its batches; none where there were fewer
    records than processes."""

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
                stream.batches_of,
                stream.sizes if data.pack else (),
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
        stream = self.streams[number]
        turn = self._batches[number].position.batch % self.world_size
        mine = self._share(indices, turn, stream.joint_size(step))
        batches = dict(stream.make_batch(mine, epoch, step)) if mine else {}
        if stream.make_parts is not None:
            batches |= stream.make_parts(indices, epoch, step, self.rank, self.world_size)
        if stream.make_joint is not None and turn == self.rank:
            batches |= stream.make_joint(indices, epoch, step)
        return Draw(stream.name, batches)

    def _share(self, indices: Sequence[int], turn: int, joint_size: int) -> list[int]:
        """This process's records where process ``turn`` has work of ``joint_size`` records besides."""
        if self.world_size == 1 or joint_size == 0:
            return share_of_rank(indices, self.rank, self.world_size)
        count = round(max(0.0, (len(indices) + joint_size) / self.world_size - joint_size))
        chosen = set(np.linspace(0, len(indices), count, endpoint=False, dtype=int).tolist())
        if self.rank == turn:
            return [indices[position] for position in sorted(chosen)]
        others = [index for position, index in enumerate(indices) if position not in chosen]
        return share_of_rank(others, (self.rank - turn - 1) % self.world_size, self.world_size - 1)

    def state(self) -> dict[str, dict[str, int]]:
        """Position of every stream, by name."""
        return {stream.name: batches.state() for stream, batches in zip(self.streams, self._batches, strict=True)}

    def load_state(self, state: Mapping[str, Mapping[str, int]]) -> None:
        """Continue where ``state`` was taken; an empty one is another program's, after which the data begin anew.

        Raises:
            InputError: the state is of other streams.
        """
        if not state:
            return
        if changed := sorted(set(state) ^ {stream.name for stream in self.streams}):
            raise InputError(f"streams of training data: {', '.join(changed)} not in both the checkpoint and the job")
        for stream, batches in zip(self.streams, self._batches, strict=True):
            batches.load_state(dict(state[stream.name]))
