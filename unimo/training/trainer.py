"""The one training loop, and the one evaluation loop.

It knows tasks only by their contract (``training.task``), so that every task trains, evaluates, saves and resumes the
same way. Nothing random survives a step: Paddle's generator is seeded from (seed, step) at each one, so a resumed run
equals an uninterrupted one, bit for bit.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import paddle

from unimo.config.job import JobConfig
from unimo.errors import InputError
from unimo.files import atomic_write, write_json
from unimo.modeling import UnimoModel
from unimo.runtime.progress import progress_bar
from unimo.training.averaging import PREFIX, WeightAverage
from unimo.training.checkpoint import CheckpointFolder, TrainingState
from unimo.training.mixture import Draw, Mixture
from unimo.training.optimizer import AdamW
from unimo.training.prefetch import Prefetcher
from unimo.training.runlog import RunLog, read_events
from unimo.training.schedules import learning_rate
from unimo.training.task import Evaluation, Task


@dataclass
class _Window:
    """What is averaged between two lines of the log."""

    sums: dict[str, Any] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    valid: int = 0
    positions: int = 0
    waited: float = 0.0
    started: float = field(default_factory=time.perf_counter)

    def add(self, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
            self.counts[name] = self.counts.get(name, 0) + 1

    def summary(self) -> dict[str, float]:
        seconds = max(1e-9, time.perf_counter() - self.started)
        means = {name: float(total) / self.counts[name] for name, total in self.sums.items()}
        return means | {
            "tokens_per_second": self.valid / seconds,
            "padding_share": 1 - self.valid / max(1, self.positions),
            "data_wait_share": self.waited / seconds,
        }


class Trainer:
    """Runs one job in one run folder."""

    def __init__(self, job: JobConfig, task: Task, model: UnimoModel, show_progress: bool = True) -> None:
        self.job, self.task, self.model = job, task, model
        self.folder = Path(job.output)
        self.checkpoints = CheckpointFolder(self.folder / "checkpoints", {}, job.training.keep_checkpoints)
        self.optimizer = AdamW(model, job.optimizer)
        self.average = WeightAverage(model, job.training.average_decay) if job.training.average_decay else None
        self.show_progress = show_progress
        self.mixture = Mixture(task.streams(), job.data, job.training.seed)
        self.steps_per_epoch = self.mixture.steps_per_epoch(job.training.gradient_accumulation_steps)
        self.num_steps = job.training.num_steps or round(job.training.num_epochs * self.steps_per_epoch)
        if self.num_steps < 1:
            raise InputError("training: num_steps or num_epochs must be above 0")
        self.best_name = job.training.best_metric or self._default_best()
        if self.best_name.partition(".")[0] not in {"", *job.data.evaluate}:
            raise InputError(f"training.best_metric: {self.best_name!r} names none of {sorted(job.data.evaluate)}")
        self.state = TrainingState(step=0, streams=self.mixture.state())
        self.seconds_before = 0.0

    def train(self, companions: Mapping[str, Path], resume: bool = False) -> dict[str, Any]:
        """Train to the last step; returns the report that is also written to report.json.

        ``companions``: name -> file or folder that every checkpoint carries.
        """
        self.checkpoints.companions = dict(companions)
        resumed = resume and self._resume()
        log = RunLog(self.folder / "metrics.jsonl", self.state.step if resumed else None)
        with contextlib.closing(self._start_prefetching()) as prefetcher:
            self._train_steps(log, prefetcher)
        return self._report()

    def _start_prefetching(self) -> Prefetcher:
        accumulation = self.job.training.gradient_accumulation_steps
        return Prefetcher(self.mixture, self.state.step, self.num_steps, accumulation)

    def _train_steps(self, log: RunLog, prefetcher: Prefetcher) -> None:
        """All remaining steps, with their evaluations and checkpoints."""
        started, window = time.perf_counter(), _Window()
        training = self.job.training
        bar = progress_bar("step", self.num_steps, self.state.step, disable=not self.show_progress)
        for step in range(self.state.step, self.num_steps):
            self._step(step, window, prefetcher)
            done, last = step + 1, step + 1 == self.num_steps
            bar.update()
            if done % training.log_every == 0 or last:
                summary = window.summary()
                log.log(done, "train", summary)
                bar.set_postfix({"loss": f"{summary['loss']:.3g}"}, refresh=False)
                window = _Window()
            self._remember(done, prefetcher, self.seconds_before + time.perf_counter() - started)
            if (training.evaluate_every and done % training.evaluate_every == 0) or last:
                with self._kept_weights(), prefetcher.paused():
                    self._evaluate_all(done, log)
                window.started = time.perf_counter()
            if (training.save_every and done % training.save_every == 0) or last:
                averages = self.average.state() if self.average is not None else {}
                self.checkpoints.save(self.model, {**self.optimizer.state(), **averages}, self.state)
        bar.close()

    def _kept_weights(self) -> contextlib.AbstractContextManager[None]:
        """The model with the weights that are evaluated and kept: their average, where one is followed."""
        return self.average.in_place() if self.average is not None else contextlib.nullcontext()

    def _step(self, step: int, window: _Window, prefetcher: Prefetcher) -> None:
        """One optimizer step: draw, forward, backward for every micro-batch, then update."""
        paddle.seed(_step_seed(self.job.training.seed, step))
        self.model.train()
        accumulation = self.job.training.gradient_accumulation_steps
        for _ in range(accumulation):
            waiting = time.perf_counter()
            draw = prefetcher.next()
            window.waited += time.perf_counter() - waiting
            window.add(self._backward(draw, accumulation))
            for batch in draw.batches.values():
                window.valid += batch.num_valid
                window.positions += batch.num_positions
        rate = learning_rate(self.job.optimizer, step, self.num_steps, self.steps_per_epoch)
        window.add({"gradient_norm": self.optimizer.step(rate), "learning_rate": rate})
        if self.average is not None:
            self.average.update(step + 1)

    def _backward(self, draw: Draw, accumulation: int) -> dict[str, Any]:
        losses, report = self.task.losses(self.model, draw.batches)
        total = sum(losses.values(), start=paddle.zeros([]))
        (total / accumulation).backward()
        named = {f"loss.{name}": value.detach() for name, value in losses.items()}
        return {"loss": total.detach(), **named, **report}

    def _remember(self, step: int, prefetcher: Prefetcher, seconds: float) -> None:
        self.state = TrainingState(
            step, prefetcher.state, self.state.best_value, self.state.best_step, round(seconds, 3)
        )

    def _evaluate_all(self, step: int, log: RunLog) -> None:
        """Score every split; keep predictions and weights where they are the best so far."""
        if not self.job.data.evaluate:
            return
        evaluations = {}
        for split, path in self.job.data.evaluate.items():
            started = time.perf_counter()
            evaluations[split] = evaluate(self.task, self.model, path)
            log.log(step, split, {**evaluations[split].metrics, "seconds": time.perf_counter() - started})
        split, _, metric = self.best_name.partition(".")
        value = evaluations[split].metrics.get(metric)
        if self._is_better(value) or self.state.best_step is None:
            self.state = TrainingState(step, self.state.streams, value, step, self.state.seconds)
            self.checkpoints.save_best(self.model)
            for name, evaluation in evaluations.items():
                write_predictions(self.folder / "predictions" / f"{name}.jsonl", evaluation)

    def _is_better(self, value: float | None) -> bool:
        best = self.state.best_value
        if value is None or best is None:
            return value is not None
        return value < best if self.task.lower_is_better else value > best

    def _default_best(self) -> str:
        splits = list(self.job.data.evaluate)
        return f"{splits[0]}.{self.task.best_metric}" if splits else ""

    def _resume(self) -> bool:
        found = self.checkpoints.load_latest(self.model)
        if found is None:
            return False
        self.state, moments = found
        averages = {name: moments.pop(name) for name in list(moments) if name.startswith(PREFIX)}
        self.optimizer.load_state(moments, str(self.checkpoints.path(self.state.step)))
        if self.average is not None:
            self.average.load_state(averages)
        self.mixture.load_state(self.state.streams)
        self.seconds_before = self.state.seconds
        return True

    def _report(self) -> dict[str, Any]:
        """The evaluated splits at the best step, written to report.json."""
        if not self.job.data.evaluate:
            with self._kept_weights():
                self.checkpoints.save_best(self.model)
        events = read_events(self.folder / "metrics.jsonl")
        splits: dict[str, Any] = {}
        for event in events:
            if event["split"] in self.job.data.evaluate and event["step"] == self.state.best_step:
                splits[event["split"]] = {k: v for k, v in event.items() if k not in ("step", "split", "seconds")}
        report = {
            "task": self.job.task,
            "steps": self.num_steps,
            "best_step": self.state.best_step,
            "best_metric": self.best_name,
            "splits": splits,
            "seconds": self.state.seconds,
            "num_parameters": int(sum(np.prod(parameter.shape) for parameter in self.model.parameters())),
        }
        write_json(self.folder / "report.json", report)
        return report


def evaluate(task: Task, model: UnimoModel, path: str | Path) -> Evaluation:
    """Score a file with dropout off and no gradients."""
    model.eval()
    with paddle.no_grad():
        return task.evaluate(model, path)


def write_predictions(path: str | Path, evaluation: Evaluation) -> None:
    """One JSON object a line, atomically."""
    with atomic_write(path) as stream:
        stream.writelines(json.dumps(prediction, ensure_ascii=False) + "\n" for prediction in evaluation.predictions)


def _step_seed(seed: int, step: int) -> int:
    """A seed for Paddle's generator that belongs to one step of one run."""
    return int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint32)[0] % (2**31 - 1))
