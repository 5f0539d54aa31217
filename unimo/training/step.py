"""One optimizer step over all processes: the same sum of the same losses, whoever computes which part.

A loss is a mean over things (target tokens, regions, rows) of all that a step reads: its micro-batches, of which each
process holds some records. So each process multiplies each of its means by the share of things that it is of, and
losses and gradients are summed: the result is the mean over one large batch, for any number of processes and batches.
The shares are exchanged before the forward. What needs the records of a micro-batch together (contrastive learning's
candidates) is computed within it, and averaged over them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import paddle
from paddle import Tensor

from unimo.config.job import JobConfig
from unimo.modeling import UnimoModel
from unimo.training.distributed import ProcessGroup, sum_gradients
from unimo.training.mixture import Draw
from unimo.training.optimizer import AdamW
from unimo.training.precision import LossScaler, autocast
from unimo.training.reporting import Window
from unimo.training.sharding import ShardedAdamW
from unimo.training.task import Losses, Report, Task, num_rows

MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Shares:
    """What part of a step's losses a process's micro-batch is, by loss name; ``""`` stands for those not named."""

    losses: Mapping[str, float]
    rows: float

    def of(self, name: str) -> float:
        """The share of a loss."""
        return self.losses[name] if name in self.losses else self.losses[""]


class Stepper:
    """Makes steps: forward and backward of every micro-batch, the sum over processes, the update."""

    def __init__(self, job: JobConfig, task: Task, model: UnimoModel, optimizer: AdamW, group: ProcessGroup) -> None:
        self.job, self.task, self.model, self.optimizer, self.group = job, task, model, optimizer, group
        self.scaler = LossScaler.of(job.precision)
        self.asked_to_stop = False
        """Whether any process was asked to stop before the last step."""

    def step(self, step: int, draws: Sequence[Draw], rate: float, window: Window, stop: bool = False) -> bool:
        """One step; False where loss or gradient were not finite, and nothing was updated.

        ``stop``: this process was asked to stop; all of them learn of it.
        """
        paddle.seed(step_seed(self.job.training.seed, step, self.group.rank))
        self.model.train()
        loss = paddle.zeros([])
        for draw, shares in zip(draws, self._exchange_shares(draws, stop), strict=True):
            window.count(draw)
            loss = loss + self._backward(draw, shares, 1 / (len(draws) * self.group.world_size), window)
        # whoever averages during the backward pass leaves only the loss to be summed
        parameters = [] if self.optimizer.sums_gradients else self.optimizer.parameters
        loss = sum_gradients(self.group, parameters, loss, self.job.distributed.bucket_megabytes * MEGABYTE)
        return self._update(float(loss), rate, window)

    def _update(self, loss: float, rate: float, window: Window) -> bool:
        norm = math.nan
        if math.isfinite(loss):
            norm = self.optimizer.step(rate, self.scaler.scale)
        else:
            self.optimizer.skip()
        finite = math.isfinite(norm)
        self.scaler.update(finite)
        if finite:
            window.add("gradient_norm", norm)
            window.add("learning_rate", rate)
        if self.scaler.active:
            window.add("loss_scale", self.scaler.scale)
        return finite

    def _exchange_shares(self, draws: Sequence[Draw], stop: bool) -> list[Shares]:
        """This process's shares in the step, by micro-batch."""
        if self.group.world_size == 1 and len(draws) == 1:
            self.asked_to_stop = stop
            return [Shares({"": 1.0}, 1.0)]
        mine = [(dict(self.task.loss_counts(d.batches)) if d.batches else {}, num_rows(d.batches)) for d in draws]
        everybody = self.group.gather((mine, stop))
        self.asked_to_stop = any(each for _, each in everybody)
        parts = [part for given, _ in everybody for part in given]
        totals = {name: sum(counts.get(name, 0) for counts, _ in parts) for each, _ in parts for name in each}
        all_rows = max(1, sum(rows for _, rows in parts))
        return [
            Shares({name: count / max(1, totals[name]) for name, count in counts.items()}, rows / all_rows)
            for counts, rows in mine
        ]

    def _backward(self, draw: Draw, shares: Shares, part: float, window: Window) -> Tensor:
        """Forward and backward of a micro-batch, one ``part`` of the step; returns its share of the step's loss."""
        total = paddle.zeros([])
        if draw.batches or isinstance(self.optimizer, ShardedAdamW):
            with autocast(self.job.precision):
                losses, report = self._losses(draw)
            weighed = _weigh(losses, shares)
            total = sum(weighed.values(), start=total)
            if weighed:
                factor = self.scaler.scale * (self.group.world_size if self.optimizer.sums_gradients else 1)
                (total if factor == 1 else total * factor).backward()
            for name, value in weighed.items():
                window.add(f"loss.{name}", value.detach(), shares.of(name))
            for name, value in report.items():
                share = shares.losses.get(name, shares.rows)
                window.add(name, value * share, share)
        total = total.detach()
        window.add("loss", total, part)
        return total

    def _losses(self, draw: Draw) -> tuple[Losses, Report]:
        if isinstance(self.optimizer, ShardedAdamW):
            return self.optimizer.losses(draw.batches)
        return self.task.losses(self.model, draw.batches)


def _weigh(losses: Mapping[str, Tensor], shares: Shares) -> dict[str, Any]:
    """The losses times this process's share of them; those it has no share in are left out."""
    weighed = {}
    for name, loss in losses.items():
        share = shares.of(name)
        if share > 0:
            weighed[name] = loss if share == 1 else loss * share
    return weighed


def step_seed(seed: int, step: int, rank: int = 0) -> int:
    """A seed for Paddle's generator that belongs to one step of one run on one process."""
    words = [seed, step, rank] if rank else [seed, step]
    return int(np.random.SeedSequence(words).generate_state(1, np.uint32)[0] % (2**31 - 1))
