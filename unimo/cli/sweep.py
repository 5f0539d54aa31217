"""`unimo sweep`: train every combination of a job's `sweep:` block, and compare them.

Example::

    python -m unimo sweep --config model_configs/finetune/cola.yaml \\
        --sweep '{optimizer.learning_rate: [1e-5, 2e-5, 3e-5], training.seed: [1, 2, 3, 4, 5]}'

Every run has its own process and its own folder below the job's output, named by its values. The same command goes on
where an earlier one stopped: finished runs are kept, a run that was interrupted resumes. The data of the first
combination are checked before anything is trained, as `unimo data check` does. A run that fails is shown and counted,
and the others go on. sweep.json is written after every run; what a run printed stands in `logs/<run>.log`. The
exit status is 1 where a run failed, and 75 after SIGTERM or Ctrl-C.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unimo.config.job import JobConfig
    from unimo.config.sweep import Combination
    from unimo.reports.sweep import SweptRun

SUMMARY = "train every combination of a job's sweep block, and compare them"
JOB = True


@dataclass(frozen=True)
class Arguments:
    """Flags of the verb itself; every other `--a.b value` overrides a key of the yaml."""

    config: tuple[Path, ...]
    """Yaml files of the job; later ones win."""

    devices: int = 1
    """Processes of each run, as of `unimo train`."""

    max_restarts: int = 0
    """How often a run is started again when a process dies or hangs, as of `unimo train`."""


def run(arguments: Arguments, job_argv: Sequence[str]) -> int:
    """Train what is not finished yet, and print the comparison."""
    from unimo.cli.jobs import load_sweep
    from unimo.errors import InputError
    from unimo.files import write_json
    from unimo.metrics.direction import lower_is_better
    from unimo.reports.sweep import FAILED, FINISHED, sweep_lines, sweep_report
    from unimo.tasks import task_class
    from unimo.training.health import EXIT_PREEMPTED

    job, combinations = load_sweep(arguments.config, job_argv)
    if not job.data.evaluate:
        raise InputError("data.evaluate: names no split, and a sweep is decided by one")
    metric = job.training.best_metric or f"{next(iter(job.data.evaluate))}.{task_class(job.task).best_metric}"
    sweep = _Sweep(arguments, job_argv, job, combinations, metric)
    sweep.check_data()
    for number, combination in enumerate(combinations):
        if not sweep.stopped:
            sweep.train(number, combination)
            write_json(sweep.folder / "sweep.json", sweep_report(sweep.runs, metric, lower_is_better(metric)))
    for line in sweep_lines(sweep_report(sweep.runs, metric, lower_is_better(metric))):
        print(line)
    if any(each.status not in (FINISHED, FAILED) for each in sweep.runs):
        print("unimo: stopped; the same command goes on", file=sys.stderr)
        return EXIT_PREEMPTED
    return int(any(each.status == FAILED for each in sweep.runs))


@dataclass
class _Sweep:
    """The runs of a sweep, one after the other."""

    arguments: Arguments
    job_argv: Sequence[str]
    job: JobConfig
    combinations: Sequence[Combination]
    metric: str
    runs: list[SweptRun] = field(default_factory=list)
    stopped: bool = False

    def __post_init__(self) -> None:
        from unimo.reports.sweep import SweptRun

        self.folder = Path(self.job.output)
        self.runs = [SweptRun(each.name, each.values) for each in self.combinations]

    def check_data(self) -> None:
        """Find what is broken in the files of the first combination, unless every run is finished.

        Raises:
            InputError: naming the first error.
        """
        from unimo.cli.data_check import find_errors
        from unimo.cli.jobs import load_job
        from unimo.errors import InputError

        if all((self.folder / each.name / "report.json").is_file() for each in self.combinations):
            return
        argv = [*self.job_argv, *self.combinations[0].as_argv(), "--sweep", "{}"]
        errors = find_errors(*load_job(self.arguments.config, argv), lambda line: None)
        if errors:
            more = f"; {len(errors) - 1} errors more, see `unimo data check`" if len(errors) > 1 else ""
            raise InputError(f"{errors[0]}{more}")

    def train(self, number: int, combination: Combination) -> None:
        """Bring one run to its end, unless it is there already, and note what came of it."""
        from unimo.reports.sweep import FAILED, FINISHED

        folder = self.folder / combination.name
        argv = [*self.job_argv, *combination.as_argv(), "--sweep", "{}", "--output", str(folder)]
        kept = (folder / "report.json").is_file()
        problem = self._other_values(folder, argv) or ("" if kept else self._run(combination.name, argv))
        if self.stopped and problem:
            return
        if problem:
            run = replace(self.runs[number], status=FAILED, message=problem)
        else:
            value, seconds = self._outcome(folder)
            run = replace(self.runs[number], status=FINISHED, value=value, seconds=seconds)
        self.runs[number] = run
        came = problem or f"{self.metric} {'undefined' if run.value is None else f'{run.value:.4f}'}"
        print(f"{number + 1} of {len(self.runs)}: {run.name}: {came}{' (was there)' if kept else ''}", flush=True)

    def _run(self, name: str, argv: Sequence[str]) -> str:
        """Train in a process of its own; returns why it failed, or nothing."""
        from unimo.runtime.settings import clean_environment

        log = self.folder / "logs" / f"{name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        flags = ["--devices", str(self.arguments.devices), "--max_restarts", str(self.arguments.max_restarts)]
        words = [sys.executable, "-m", "unimo", "train", "--config", *map(str, self.arguments.config), *argv, *flags]
        start = log.stat().st_size if log.exists() else 0
        with open(log, "ab") as output:
            process = subprocess.Popen(
                [*words, "--resume"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=clean_environment(),
                start_new_session=True,  # Ctrl-C reaches this process alone, which asks the run to save and stop
            )
        status = self._wait(process)
        return "" if status == 0 else _reason(status, log.read_bytes()[start:].decode("utf-8", errors="replace"))

    def _wait(self, process: subprocess.Popen[bytes]) -> int:
        """The exit status of a run; SIGTERM and Ctrl-C are passed on to it, and end the sweep."""

        def stop(number: int, frame: FrameType | None) -> None:
            self.stopped = True
            process.terminate()

        before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            return process.wait()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _outcome(self, folder: Path) -> tuple[float | None, float | None]:
        """A finished run's value of the metric that decides, and how long it took."""
        from unimo.files import read_json

        report = read_json(folder / "report.json")
        split, _, name = self.metric.partition(".")
        return report["splits"].get(split, {}).get(name), report.get("seconds")

    def _other_values(self, folder: Path, argv: Sequence[str]) -> str:
        """What an earlier run in this folder had otherwise, or nothing."""
        import yaml

        from unimo.cli.jobs import CONFIG_NAME, load_job
        from unimo.config import dump_config, read_yaml

        if not (folder / CONFIG_NAME).is_file():
            return ""
        job, options = load_job(self.arguments.config, argv)
        wanted = _flat(yaml.safe_load(dump_config({"": job, "options": options})))
        found = _flat(read_yaml([folder / CONFIG_NAME]))
        changed = sorted(key for key in wanted.keys() | found.keys() if wanted.get(key) != found.get(key))
        return f"{folder} holds a run of another job (differs in {', '.join(changed)})" if changed else ""


def _flat(values: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(values, dict) or not values:
        return {prefix: values}
    return {
        inner: value
        for key, child in values.items()
        for inner, value in _flat(child, f"{prefix}.{key}" if prefix else str(key)).items()
    }


def _reason(status: int, printed: str) -> str:
    """Why a run failed: its own last words, or how it ended."""
    lines = [line.strip() for line in printed.replace("\r", "\n").splitlines() if line.strip()]
    told = [line for line in lines if line.startswith("unimo: error: ")]
    how = f"killed by signal {-status}" if status < 0 else f"exit status {status}"
    return told[-1].removeprefix("unimo: error: ") if told else f"{how}{f': {lines[-1]}' if lines else ''}"


def job_help(argv: Sequence[str]) -> str:
    """Help for the keys of a job: those of its task besides, where ``argv`` names a config."""
    from unimo.cli.jobs import job_help as describe

    return describe(argv)
