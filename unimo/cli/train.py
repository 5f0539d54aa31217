"""`unimo train`: pre-training and fine-tuning alike; the yaml says which.

Example::

    python -m unimo train --config model_configs/finetune/sst2.yaml --optimizer.learning_rate 1e-4
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SUMMARY = "train a model: pre-training and fine-tuning alike, as the yaml says"
JOB = True


@dataclass(frozen=True)
class Arguments:
    """Flags of the verb itself; every other `--a.b value` overrides a key of the yaml."""

    config: tuple[Path, ...]
    """Yaml files of the job; later ones win."""

    resume: bool = False
    """Go on from the latest checkpoint of the run folder, if there is one."""

    dry_run: bool = False
    """Only read all data, make a few steps of every kind, and print what a step costs and how long the run would take;
    nothing is written."""


def run(arguments: Arguments, job_argv: Sequence[str]) -> int:
    """Train, and print the report."""
    from unimo.cli.jobs import load_job, rehearse_training, run_training

    job, options = load_job(arguments.config, job_argv)
    if arguments.dry_run:
        for line in rehearse_training(job, options):
            print(line)
        return 0
    report = run_training(job, options, arguments.resume)
    for split, metrics in report["splits"].items():
        values = "  ".join(f"{name} {value:.4f}" for name, value in metrics.items() if value is not None)
        print(f"{split}: {values}")
    print(f"{job.output}: {report['steps']} steps in {report['seconds']:.0f} s, report.json written")
    return 0


def job_help(argv: Sequence[str]) -> str:
    """Help for the keys of a job: those of its task besides, where ``argv`` names a config."""
    from unimo.cli.jobs import job_help as describe

    return describe(argv)
