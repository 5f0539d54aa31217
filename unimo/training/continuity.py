"""Whether a run may go on under another configuration than the one it began with."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from unimo.config import read_yaml, to_plain
from unimo.config.job import JobConfig
from unimo.errors import InputError

JOB_NAME = "config.yaml"
"""The job in a checkpoint, among its companions."""

MAY_DIFFER = (
    "output",
    "init_from",
    "tokenizer",
    "training.num_steps",
    "training.num_epochs",
    "training.log_every",
    "training.evaluate_every",
    "training.save_every",
    "training.keep_checkpoints",
    "training.max_skipped_steps",
    "distributed",
    "precision",
    "sweep",
)


def check_same_job(checkpoint: Path, job: JobConfig, options: Any, num_steps: int, steps_per_epoch: int) -> None:
    """Refuse to resume a checkpoint under a job that would not have led to it.

    What may differ: where the run lies (`output`), what it began from (`init_from`: the weights are the
    checkpoint's) and where its dictionary lies (`tokenizer`, whose content the weights know), how often it logs,
    evaluates and saves, what it keeps, how processes share the work and in which numbers they compute
    (`distributed`, `precision`), and a larger number of steps. All else decides weights, order of data or which
    weights are the best: task, architecture, data, options, optimizer, seed, accumulation, average. A checkpoint
    without a job in it (converted, hand-made) is taken as it is, and so are keys that its version did not have.

    Args:
        checkpoint: the folder to go on from.
        job: the present job, and its task's ``options``.
        options: a dataclass.
        num_steps: all steps of the present job.
        steps_per_epoch: of the present data, which are the earlier ones.

    Raises:
        InputError: names the first key that differs, and both values.
    """
    path = checkpoint / JOB_NAME
    if not path.is_file():
        return
    earlier = read_yaml([path])
    for key, before, now in _differences(job, earlier, ""):
        if key == "arch" and job.arch is None and job.init_from:
            continue  # the checkpoint's sizes; version 0.1 wrote those of base, which it did not look at
        if not _may_differ(key):
            raise _refusal(path, key, before, now)
    kept = earlier.get("options")
    for key, before, now in _differences(options, kept if isinstance(kept, dict) else {}, "options."):
        raise _refusal(path, key, before, now)
    training = earlier.get("training")
    training = training if isinstance(training, dict) else {}
    steps_before = training.get("num_steps") or round(float(training.get("num_epochs") or 0) * steps_per_epoch)
    if num_steps < steps_before:
        key = "num_steps" if job.training.num_steps else "num_epochs"
        told = f"training.{key}: {num_steps} steps, fewer than the {steps_before} of the run to resume"
        raise InputError.at(path, told)


def _differences(part: Any, earlier: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any, Any]]:
    """Key, value before and value now of what differs, down to the fields of dataclasses."""
    for field in dataclasses.fields(part) if dataclasses.is_dataclass(part) else ():
        if field.name not in earlier or not field.init:
            continue
        before, now = earlier[field.name], getattr(part, field.name)
        if dataclasses.is_dataclass(now) and isinstance(before, Mapping):
            yield from _differences(now, before, f"{prefix}{field.name}.")
        elif before != to_plain(now):
            yield f"{prefix}{field.name}", before, to_plain(now)


def _may_differ(key: str) -> bool:
    return any(key == free or key.startswith(f"{free}.") for free in MAY_DIFFER)


def _refusal(path: Path, key: str, before: Any, now: Any) -> InputError:
    told = (
        f"{key}: {_short(now)}, but the run to resume has {_short(before)}; give it that value to go on, or"
        " name another --output to train anew"
    )
    return InputError.at(path, told)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
