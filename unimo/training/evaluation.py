"""The one evaluation loop: every split scored, and which weights were the best so far."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import paddle

from unimo.config.job import JobConfig
from unimo.errors import InputError
from unimo.metrics.direction import lower_is_better
from unimo.modeling import UnimoModel
from unimo.training.runlog import RunLog
from unimo.training.task import Evaluation, Task


def evaluate(task: Task, model: UnimoModel, path: str | Path) -> Evaluation:
    """Score a file with dropout off and no gradients; several processes share the work and get the same result."""
    model.eval()
    with paddle.no_grad():
        return task.evaluate(model, path)


@dataclass(frozen=True)
class BestMetric:
    """`split.metric` that decides which weights are kept as the best; an empty name decides nothing."""

    split: str
    metric: str

    @classmethod
    def of(cls, job: JobConfig, task: Task) -> BestMetric:
        """The one that the job names, or the task's own on the first split.

        Raises:
            InputError: a split that is not evaluated.
        """
        splits = list(job.data.evaluate)
        name = job.training.best_metric or (f"{splits[0]}.{task.best_metric}" if splits else "")
        split, _, metric = name.partition(".")
        if split not in {"", *splits}:
            raise InputError(f"training.best_metric: {name!r} names none of {sorted(splits)}")
        return cls(split, metric)

    @property
    def name(self) -> str:
        """As users write it."""
        return f"{self.split}.{self.metric}" if self.split else ""

    def is_better(self, value: float | None, best: float | None) -> bool:
        """Whether a value beats the best so far; an undefined one never does."""
        if value is None or best is None:
            return value is not None
        return value < best if lower_is_better(self.metric) else value > best


def evaluate_splits(job: JobConfig, task: Task, model: UnimoModel, step: int, log: RunLog) -> dict[str, Evaluation]:
    """Score every split, then log them all: an evaluation that is given up half-way leaves no line.

    Raises:
        Abandoned: a process was asked to stop; on every process.
    """
    evaluations, seconds = {}, {}
    for split, path in job.data.evaluate.items():
        started = time.perf_counter()
        evaluations[split] = evaluate(task, model, path)
        seconds[split] = time.perf_counter() - started
    for split, evaluation in evaluations.items():
        log.log(step, split, {**evaluation.metrics, "seconds": seconds[split]})
    return evaluations
