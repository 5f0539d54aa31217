"""Two real steps of every kind before a long run: what a step costs, and how long a thousand of them take here."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import mean

import numpy as np
import paddle

from unimo.config.job import JobConfig
from unimo.data.batch import Batch
from unimo.modeling import UnimoModel
from unimo.modeling.cost import encoder_flops, language_head_flops, training_bytes, training_flops
from unimo.training.limits import check_streams
from unimo.training.mixture import Mixture
from unimo.training.optimizer import AdamW
from unimo.training.task import StepBatch, Task, TrainingStream

REPEATS = 2


@dataclass(frozen=True)
class StreamCost:
    """One kind of step."""

    name: str
    share: float
    """Share of the steps."""

    num_records: int
    steps_per_epoch: int
    positions: float
    """Positions of a step on this process, padding included."""

    padding_share: float
    flops: float
    """Floating-point operations of a step, forward and backward, by formula."""

    memory: float
    """Bytes at the peak, by formula."""

    seconds: float
    """Of a step on this machine, measured; the first one does not count."""


def rehearse(job: JobConfig, task: Task, model: UnimoModel) -> list[StreamCost]:
    """Train ``1 + REPEATS`` steps of every stream; the model is changed by them, and nothing is written.

    Raises:
        InputError: broken training data, or steps that the job's settings do not allow.
    """
    streams = task.streams()
    check_streams(job, streams)
    optimizer = AdamW(model, job.optimizer)
    total = sum(stream.weight for stream in streams)
    return [_rehearse(job, task, model, optimizer, stream, stream.weight / total) for stream in streams]


def report_lines(job: JobConfig, model: UnimoModel, costs: Sequence[StreamCost]) -> Iterator[str]:
    """The findings as lines to print."""
    yield f"parameters: {num_parameters(model):,}"
    accumulation = job.training.gradient_accumulation_steps
    for cost in costs:
        yield (
            f"{cost.name}: {cost.share:.0%} of the steps; {cost.num_records:,} records, "
            f"{cost.steps_per_epoch // accumulation:,} steps an epoch; {accumulation * cost.positions:,.0f} positions "
            f"a step ({cost.padding_share:.1%} padding), {accumulation * cost.flops / 1e9:,.1f} GFLOP, "
            f"{cost.memory / 2**30:.2f} GiB by formula, {accumulation * cost.seconds:.3f} s here"
        )
    expected = accumulation * sum(cost.share * cost.seconds for cost in costs)
    if job.training.num_steps:
        yield f"all {job.training.num_steps:,} steps on this machine: {duration(job.training.num_steps * expected)}"
    yield f"1,000 steps on this machine: {duration(1000 * expected)}"


def duration(seconds: float) -> str:
    """A length of time in the unit that it is read in."""
    if seconds < 120:
        return f"{seconds:,.1f} seconds"
    return f"{seconds / 60:,.1f} minutes" if seconds < 7200 else f"{seconds / 3600:,.1f} hours"


def num_parameters(model: UnimoModel) -> int:
    """Trained numbers of a model."""
    return int(sum(np.prod(parameter.shape) for parameter in model.parameters()))


def _rehearse(
    job: JobConfig, task: Task, model: UnimoModel, optimizer: AdamW, stream: TrainingStream, share: float
) -> StreamCost:
    mixture = Mixture([stream], job.data, job.training.seed)
    model.train()
    seconds, drawn = [], []
    for number in range(1 + REPEATS):
        batches = mixture.draw(job.training.num_steps + number).batches  # late: what starts later is on by then
        started = time.perf_counter()
        losses, _ = task.losses(model, batches)
        sum(losses.values(), start=paddle.zeros([])).backward()
        optimizer.step(0.0)
        seconds.append(time.perf_counter() - started)
        drawn.append(batches)
    counted = drawn[1:]
    valid = sum(batch.num_valid for step in counted for batch in step.values())
    positions = sum(batch.num_positions for step in counted for batch in step.values())
    return StreamCost(
        stream.name,
        share,
        len(stream.lengths),
        mixture.steps_per_epoch(1),
        positions / len(counted),
        1 - valid / positions,
        mean(_flops(model, step) for step in counted),
        max(_memory(model, step) for step in counted),
        mean(seconds[1:]),
    )


def _flops(model: UnimoModel, step: StepBatch) -> int:
    forward = 0
    for batch in step.values():
        rows, length = batch.segment_ids.shape
        forward += encoder_flops(model.config, rows, length, _num_regions(batch))
        forward += language_head_flops(model.config, _num_targets(batch))
    return training_flops(forward)


def _memory(model: UnimoModel, step: StepBatch) -> float:
    sizes = [(*batch.segment_ids.shape, _num_targets(batch)) for batch in step.values()]
    rows, length = sum(size[0] for size in sizes), max(size[1] for size in sizes)
    return training_bytes(model.config, num_parameters(model), rows, length, sum(size[2] for size in sizes))


def _num_regions(batch: Batch) -> int:
    return 0 if batch.region_features is None else int(batch.region_features.shape[1])


def _num_targets(batch: Batch) -> int:
    return 0 if batch.token_rows is None else len(batch.token_rows)
