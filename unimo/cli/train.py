"""`unimo train`: pre-training and fine-tuning alike; the yaml says which.

Example::

    python -m unimo train --config model_configs/finetune/sst2.yaml --optimizer.learning_rate 1e-4
    python -m unimo train --config model_configs/pretrain/base.yaml --devices 8 --max_restarts 20

The exit status is 0 for a finished run, 75 for one that SIGTERM stopped and that can go on, 2 for a mistake in what was
given, and 1 where a process failed and no restart was left.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unimo.errors import InputError

SUMMARY = "train a model: pre-training and fine-tuning alike, as the yaml says"
JOB = True


@dataclass(frozen=True)
class Arguments:
    """Flags of the verb itself; every other `--a.b value` overrides a key of the yaml."""

    config: tuple[Path, ...]
    """Yaml files of the job; later ones win."""

    resume: bool = False
    """Go on from the latest whole checkpoint of the run folder, if there is one."""

    devices: int = 1
    """Processes on this machine: one a GPU, or so many on the CPU. The order of samples does not depend
    on it, nor does the result but for the masks of dropout."""

    max_restarts: int = 0
    """How often the job is started again from its latest checkpoint when a process dies or hangs."""

    nodes: int = 1
    """Machines; the same command is started on each, over a run folder that all of them see."""

    master: str = ""
    """`HOST:PORT` of the first machine, where nodes is above 1; a name, or an IPv4 address."""

    node_rank: int = -1
    """This machine's number; -1 lets the master count."""

    dry_run: bool = False
    """Only read all data, make a few steps of every kind, and print what a step costs and how long the run would take;
    nothing is written."""


def run(arguments: Arguments, job_argv: Sequence[str]) -> int:
    """Train, and print the report."""
    from unimo.training.health import EXIT_PREEMPTED, Preempted, refusals_told

    if is_launcher(arguments):
        return supervise(arguments, job_argv)
    from unimo.cli.jobs import load_job, rehearse_training, run_training
    from unimo.reports.run import throughput_notes

    with refusals_told():
        job, options = load_job(arguments.config, job_argv)
    if job.sweep and os.environ.get("PADDLE_TRAINER_ID", "0") == "0":
        print("sweep: left out; this trains the job's own values, `python -m unimo sweep` every combination")
    if arguments.dry_run:
        for line in rehearse_training(job, options, arguments.devices * arguments.nodes):
            print(line)
        return 0
    try:
        report = run_training(job, options, arguments.resume)
    except Preempted:
        print("unimo: stopped by SIGTERM; the run is saved, and the same command with --resume goes on")
        return EXIT_PREEMPTED
    if os.environ.get("PADDLE_TRAINER_ID", "0") != "0":
        return 0
    for split, metrics in report["splits"].items():
        values = "  ".join(f"{name} {value:.4f}" for name, value in metrics.items() if value is not None)
        print(f"{split}: {values}")
    for note in throughput_notes({Path(job.output).name: Path(job.output)}):
        print(note)
    print(f"{job.output}: {report['steps']} steps in {report['seconds']:.0f} s, report.json written")
    return 0


def is_launcher(arguments: Arguments) -> bool:
    """Whether this process starts others, rather than being one of them or alone."""
    if "PADDLE_TRAINER_ID" in os.environ or arguments.dry_run:
        return False
    return arguments.devices > 1 or arguments.nodes > 1 or arguments.max_restarts > 0


def supervise(arguments: Arguments, job_argv: Sequence[str]) -> int:
    """Start and watch the job's processes.

    Raises:
        InputError: flags that make no sense, a config that names no run folder, or another run at work in it.
    """
    from unimo.config import read_yaml
    from unimo.training.launch import Plan
    from unimo.training.runlock import run_lock
    from unimo.training.supervisor import EXIT_REFUSED, Supervisor, forget_refused

    if arguments.devices < 1 or arguments.nodes < 1 or arguments.max_restarts < 0:
        raise InputError("devices, nodes: at least 1; max_restarts: at least 0")
    host, _, port = arguments.master.rpartition(":")
    if arguments.nodes > 1 and not (host and ":" not in host and port.isdecimal()):
        raise InputError("master: HOST:PORT of the first machine is needed with several nodes")
    values = read_yaml(arguments.config, job_argv)
    if not isinstance(values.get("output"), str):
        raise InputError(f"{arguments.config[0]}: no key `output`; it names the run folder")
    folder = Path(values["output"])
    worker = [sys.executable, "-m", "unimo", "train", "--config", *map(str, arguments.config), *job_argv]
    plan = Plan(
        worker,
        folder,
        arguments.devices,
        arguments.nodes,
        arguments.master,
        arguments.node_rank,
        arguments.max_restarts,
        _seconds(values, "hang_seconds"),
        _seconds(values, "start_seconds"),
        arguments.resume,
    )
    is_new = not folder.exists()
    with run_lock(folder, arguments.master, arguments.node_rank if arguments.nodes > 1 else 0):
        if not arguments.resume and (folder / "metrics.jsonl").exists():
            raise InputError(f"{folder}: a run is already there; add --resume, or name another --output")
        status = Supervisor(plan).run()
        # other machines read in the folder why this one was refused
        if is_new and status == EXIT_REFUSED and arguments.nodes == 1:
            forget_refused(folder)
        return status


def _seconds(values: Mapping[str, Any], name: str) -> float:
    """A limit of a job's `distributed`, as the yaml has it."""
    from unimo.config.job import DistributedConfig

    distributed = values.get("distributed")
    given = distributed.get(name) if isinstance(distributed, dict) else None
    # anything else is a mistake, of which the workers will tell
    return float(given if isinstance(given, int | float) else getattr(DistributedConfig, name))


def job_help(argv: Sequence[str]) -> str:
    """Help for the keys of a job: those of its task besides, where ``argv`` names a config."""
    from unimo.cli.jobs import job_help as describe

    return describe(argv)
