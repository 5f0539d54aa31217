"""The one training loop.

It knows tasks only by their contract (``training.task``), so that every task trains, evaluates, saves and resumes the
same way. Nothing random survives a step: Paddle's generator is seeded from (seed, step, process) at each one, so a
resumed run equals an uninterrupted one, bit for bit.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from unimo.config.job import JobConfig
from unimo.errors import InputError
from unimo.files import told_of_full_disk, write_json
from unimo.modeling import UnimoModel
from unimo.runtime.progress import progress_bar
from unimo.training.averaging import PREFIX, WeightAverage
from unimo.training.checkpoint import CheckpointFolder, Snapshot, TrainingState, host_copy, load_checkpoint
from unimo.training.continuity import check_same_job
from unimo.training.distributed import Abandoned, ProcessGroup
from unimo.training.evaluation import BestMetric, evaluate_splits
from unimo.training.health import Heartbeat, Preempted, StopRequest
from unimo.training.limits import check_possible, check_streams
from unimo.training.mixture import Draw, Mixture
from unimo.training.optimizer import AdamW
from unimo.training.prefetch import Prefetcher
from unimo.training.recompute import recompute_layers
from unimo.training.reporting import Window, scores_at, write_predictions
from unimo.training.runlog import RunLog
from unimo.training.schedules import learning_rate
from unimo.training.sharding import ShardedAdamW
from unimo.training.step import Stepper
from unimo.training.task import Task
from unimo.training.writer import BackgroundWriter

NOT_FINITE_NAME = "not_finite.json"


class Trainer:
    """Runs one job in one run folder."""

    def __init__(
        self,
        job: JobConfig,
        task: Task,
        model: UnimoModel,
        group: ProcessGroup | None = None,
        heartbeat: Heartbeat | None = None,
    ) -> None:
        self.group = group or ProcessGroup()
        check_possible(job, self.group)
        self.job, self.task, self.model = job, task, model
        self.heartbeat = heartbeat or Heartbeat(self.group.rank)
        self.group.on_wait = self.heartbeat.beat
        self.folder = Path(job.output)
        self.shares_optimizer = job.distributed.sharding_stage > 0
        self.saves_parts = job.distributed.sharding_stage in (1, 2)  # 3 gathers them
        self.checkpoints = CheckpointFolder(self.folder / "checkpoints", {}, job.training.keep_checkpoints, self.group)
        self.optimizer = make_optimizer(job, task, model, self.group)
        self.average = WeightAverage(model, job.training.average_decay) if job.training.average_decay else None
        if job.distributed.recompute:
            recompute_layers(model.layers)
        self.stepper = Stepper(job, task, model, self.optimizer, self.group)
        streams = task.streams()
        check_streams(job, streams)
        self.mixture = Mixture(streams, job.data, job.training.seed, self.group.rank, self.group.world_size)
        self.steps_per_epoch = self.mixture.steps_per_epoch(job.training.gradient_accumulation_steps)
        self.num_steps = job.training.num_steps or round(job.training.num_epochs * self.steps_per_epoch)
        if self.num_steps < 1:
            raise InputError("training: num_steps or num_epochs must be above 0")
        self.best_metric = BestMetric.of(job, task)
        self.state = TrainingState(step=0, streams=self.mixture.state())
        self.resumed = False
        self.seconds_before = 0.0
        self.writer = BackgroundWriter()
        self.stop = StopRequest()
        for processes in (self.group, task.context.processes):  # one and the same, unless a caller made two
            processes.asked_to_stop = lambda: self.stop.received
        self.skipped_in_a_row = 0
        self.said: set[str] = set()

    def train(self, companions: Mapping[str, Path], resume: bool = False) -> dict[str, Any]:
        """Train to the last step; returns the report that is also written to report.json.

        ``companions``: name -> file or folder that every checkpoint carries. ``resume``: as :meth:`resume`, unless
        that was called before.

        Raises:
            Preempted: SIGTERM came; the run is saved. An evaluation under way is given up within a batch, and
                made by the run that goes on. When all is done but the writing, the run ends as if none had come.
            InputError: damaged checkpoints, a full disk, or steps in a row that were not finite.
        """
        self.checkpoints.companions = dict(companions)
        if self.group.is_first:
            self.checkpoints.recover()
        if resume and not self.resumed:
            self.resume()
        again = self.job.data.evaluate if self.state.owes_evaluation else ()
        resumed_step = self.state.step if self.resumed else None
        log = RunLog(self.folder / "metrics.jsonl", resumed_step, self.group.is_first, again)
        self.group.meet()
        with self.stop.listening():  # to the end: a stop after the last step must not cut the last checkpoint short
            try:
                with contextlib.closing(self._start_prefetching()) as prefetcher:
                    self._train_steps(log, prefetcher)
                report = self._report()
            except OSError as error:
                raise told_of_full_disk(error) or error from error
            finally:
                self.writer.finish()
            self.writer.check()
            self.group.meet()
        return report

    def _start_prefetching(self) -> Prefetcher:
        accumulation = self.job.training.gradient_accumulation_steps
        return Prefetcher(self.mixture, self.state.step, self.num_steps, accumulation)

    def _train_steps(self, log: RunLog, prefetcher: Prefetcher) -> None:
        """All remaining steps, with their evaluations and checkpoints."""
        started, window = time.perf_counter(), Window()
        training = self.job.training
        if self.state.owes_evaluation:
            self._finish_step(self.state.step, log, prefetcher)
        bar = progress_bar("step", self.num_steps, self.state.step, disable=not self.group.is_first)
        with contextlib.closing(bar):  # an error begins a line of its own
            for step in range(self.state.step, self.num_steps):
                self._step(step, window, prefetcher)
                done, last = step + 1, step + 1 == self.num_steps
                bar.update()
                if done % training.log_every == 0 or last:
                    summary = window.summary(self.group)
                    log.log(done, "train", summary)
                    bar.set_postfix({"loss": f"{summary['loss']:.3g}"}, refresh=False)
                    window = Window()
                self._remember(done, prefetcher, self.seconds_before + time.perf_counter() - started)
                began = time.perf_counter()
                if self._finish_step(done, log, prefetcher):
                    window.started += time.perf_counter() - began

    def _finish_step(self, done: int, log: RunLog, prefetcher: Prefetcher) -> bool:
        """What is due after a step: its evaluation, its checkpoint, and the end if one was asked for.

        Returns whether there was an evaluation.
        """
        training, last = self.job.training, done == self.num_steps
        due = (training.evaluate_every and done % training.evaluate_every == 0) or last or self.state.owes_evaluation
        evaluates = bool(due and self.job.data.evaluate)
        stopping = self.stepper.asked_to_stop and not (last and not evaluates)
        if evaluates:
            stopping = stopping or not self._evaluate_unless_stopped(done, log, prefetcher)
        self.state = dataclasses.replace(self.state, owes_evaluation=evaluates and stopping)
        if (training.save_every and done % training.save_every == 0) or last or stopping:
            self._save()
        if stopping:
            self.writer.wait()
            self.group.meet()  # a launcher ends all processes once one has ended
            raise Preempted
        return evaluates

    def _evaluate_unless_stopped(self, step: int, log: RunLog, prefetcher: Prefetcher) -> bool:
        """Evaluate; False where that was given up, and neither scores nor best weights were kept."""
        try:
            with self._kept_weights(), prefetcher.paused():
                self._evaluate_all(step, log)
        except Abandoned:
            return False
        return True

    def _kept_weights(self) -> contextlib.AbstractContextManager[None]:
        """The model with the weights that are evaluated and kept: their average, where one is followed."""
        return self.average.in_place() if self.average is not None else self.optimizer.whole_weights()

    def _step(self, step: int, window: Window, prefetcher: Prefetcher) -> None:
        """One optimizer step on as many micro-batches as are accumulated."""
        waiting = time.perf_counter()
        draws = [prefetcher.next() for _ in range(self.job.training.gradient_accumulation_steps)]
        window.waited += time.perf_counter() - waiting
        rate = learning_rate(self.job.optimizer, step, self.num_steps, self.steps_per_epoch)
        finite = self.stepper.step(step, draws, rate, window, self.stop.received)
        if finite:
            self.skipped_in_a_row = 0
        elif not self.stepper.scaler.may_fall:
            self.skipped_in_a_row += 1
        if not finite:
            self._note_skipped(step, draws)
        elif self.average is not None:
            self.average.update(step + 1)
        self.writer.check()
        self.heartbeat.beat()

    def _note_skipped(self, step: int, draws: list[Draw]) -> None:
        """Count a step that was skipped; too many in a row end the run."""
        self.state = dataclasses.replace(self.state, skipped_steps=self.state.skipped_steps + 1)
        if self.skipped_in_a_row < self.job.training.max_skipped_steps:
            return
        mine: dict[str, list[str]] = {}
        for draw in draws:  # the accumulated ones: any may be at fault
            for name, batch in draw.batches.items():
                mine.setdefault(name, []).extend(batch.record_ids)
        everybody = self.group.gather(mine)
        path = self.folder / NOT_FINITE_NAME
        if self.group.is_first:
            write_json(path, {"step": step + 1, "records_by_process": everybody})
        raise InputError(
            f"{path}: loss or gradient was not finite in {self.skipped_in_a_row} steps in a row, up to {step + 1}; "
            "the file names the last batch's records"
        )

    def _remember(self, step: int, prefetcher: Prefetcher, seconds: float) -> None:
        self.state = dataclasses.replace(
            self.state,
            step=step,
            streams=prefetcher.state,
            seconds=round(seconds, 3),
            scaler=self.stepper.scaler.state() if self.stepper.scaler.active else {},
        )

    def _save(self) -> None:
        """Copy what a checkpoint holds to host memory, and let it be written while training goes on."""
        if not (self.group.is_first or self.shares_optimizer):
            return
        with self.optimizer.whole_weights():
            snapshot = Snapshot.of(self.model) if self.group.is_first else None
        averages = self.average.state() if self.average is not None and self.group.is_first else {}
        arrays = host_copy({**self.optimizer.state(), **averages})
        if snapshot is None and not self.saves_parts:
            return
        state, shared_out = self.state, self.saves_parts
        self.writer.submit(lambda: self.checkpoints.save(snapshot, arrays, state, shared_out))

    def _save_best(self) -> None:
        if self.group.is_first:
            snapshot = Snapshot.of(self.model)
            self.writer.submit(lambda: self.checkpoints.save_best(snapshot))

    def _evaluate_all(self, step: int, log: RunLog) -> None:
        """Score every split; keep predictions and weights where they are the best so far."""
        evaluations = evaluate_splits(self.job, self.task, self.model, step, log)
        self._say(f"{name}: {note}" for name, each in evaluations.items() for note in each.notes)
        decisive = evaluations[self.best_metric.split].metrics
        if self.best_metric.metric not in decisive:
            told = (
                f"has no {self.best_metric.metric}, but {', '.join(decisive)}; the first evaluation's weights are kept"
            )
            self._say([f"training.best_metric: {self.best_metric.split} {told}"])
        value = decisive.get(self.best_metric.metric)
        if self.best_metric.is_better(value, self.state.best_value) or self.state.best_step is None:
            self.state = dataclasses.replace(self.state, best_value=value, best_step=step)
            self._save_best()
            for name, evaluation in evaluations.items() if self.group.is_first else ():
                write_predictions(self.folder / "predictions" / f"{name}.jsonl", evaluation)

    def _say(self, notes: Iterable[str]) -> None:
        """Print what evaluation has to tell, each thing at the first evaluation only."""
        for note in notes if self.group.is_first else ():
            if note not in self.said:
                print(note, flush=True)
                self.said.add(note)

    def resume(self) -> bool:
        """Go on from the run folder's latest whole checkpoint; False without one. Every process must call this.

        Raises:
            InputError: no checkpoint is whole, or it is of another job; names the key.
        """
        found = self._find_whole()
        self.group.meet()  # whose checksums may take longer than others wait in a collective
        found = self.group.broadcast(found)
        if isinstance(found, InputError):
            raise found
        if found is None:
            return False
        self.state, moments = load_checkpoint(self.model, found)
        averages = {name: moments.pop(name) for name in list(moments) if name.startswith(PREFIX)}
        self.optimizer.load_state(moments, str(found))
        if bool(averages) != (self.average is not None):
            had = "has an average of the weights" if averages else "has no average of the weights to go on from"
            raise InputError.at(found, f"training.average_decay: the checkpoint {had}")
        if self.average is not None:
            self.average.load_state(averages)
        self.mixture.load_state(self.state.streams)
        self.stepper.scaler.load_state(dict(self.state.scaler))
        self.seconds_before = self.state.seconds
        self.resumed = True
        return True

    def _find_whole(self) -> Path | InputError | None:
        """The checkpoint to go on from, or why there is none: every process must learn it."""
        if not self.group.is_first:
            return None
        try:
            self.checkpoints.recover()
            found = self.checkpoints.find_whole()
            if found is not None:
                check_same_job(found, self.job, self.task.options, self.num_steps, self.steps_per_epoch)
            return found
        except InputError as error:
            return error

    def _report(self) -> dict[str, Any]:
        """The evaluated splits at the best step, written to report.json."""
        if not self.job.data.evaluate:
            with self._kept_weights():
                self._save_best()
        report = {
            "task": self.job.task,
            "steps": self.num_steps,
            "skipped_steps": self.state.skipped_steps,
            "best_step": self.state.best_step,
            "best_metric": self.best_metric.name,
            "splits": scores_at(self.folder / "metrics.jsonl", self.state.best_step, self.job.data.evaluate),
            "seconds": self.state.seconds,
            "num_processes": self.group.world_size,
            "num_parameters": int(sum(math.prod(parameter.shape) for parameter in self.model.parameters())),
        }
        self.writer.wait()
        if self.group.is_first:
            write_json(self.folder / "report.json", report)
        return report


def make_optimizer(job: JobConfig, task: Task, model: UnimoModel, group: ProcessGroup) -> AdamW:
    """AdamW, whose state is shared out as the job says."""
    if job.distributed.sharding_stage > 1:
        return ShardedAdamW(model, job.optimizer, task, group, job.distributed.sharding_stage)
    return AdamW(model, job.optimizer, shared_out=job.distributed.sharding_stage == 1)
