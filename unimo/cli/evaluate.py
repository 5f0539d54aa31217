"""`unimo evaluate`: score a checkpoint on the splits of its job, or on other files.

Example::

    python -m unimo evaluate --checkpoint runs/shapes/captioning/checkpoints/best --data.evaluate '{test: test.jsonl}'
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SUMMARY = "score a checkpoint on named splits, and write its predictions"
JOB = True


@dataclass(frozen=True)
class Arguments:
    """Flags of the verb itself; every other `--a.b value` overrides a key of the job."""

    checkpoint: Path
    """Checkpoint folder."""

    config: tuple[Path, ...] = ()
    """Yaml files of the job; without any, the one that lies in the checkpoint."""

    predictions: Path | None = None
    """Folder for predictions/<split>.jsonl and report.json; without it, scores are only printed."""


def run(arguments: Arguments, job_argv: Sequence[str]) -> int:
    """Evaluate every split and print its scores."""
    from unimo.cli.jobs import CONFIG_NAME, load_job
    from unimo.errors import InputError
    from unimo.files import write_json
    from unimo.tasks.assembly import load_for_inference
    from unimo.training.evaluation import evaluate
    from unimo.training.reporting import write_predictions

    job, options = load_job(arguments.config or (arguments.checkpoint / CONFIG_NAME,), job_argv)
    if not job.data.evaluate:
        raise InputError("data.evaluate: names no split to evaluate")
    task, model = load_for_inference(arguments.checkpoint, job.task, options, job.data, job.training.seed)
    splits = {}
    for split, path in job.data.evaluate.items():
        evaluation = evaluate(task, model, path)
        splits[split] = evaluation.metrics
        for name, value in evaluation.metrics.items():
            print(f"{split}.{name}: {'undefined' if value is None else f'{value:.4f}'}")
        for note in evaluation.notes:
            print(f"{split}: {note}")
        if arguments.predictions is not None:
            write_predictions(arguments.predictions / "predictions" / f"{split}.jsonl", evaluation)
    if arguments.predictions is not None:
        write_json(arguments.predictions / "report.json", {"task": job.task, "splits": splits})
    return 0


def job_help(argv: Sequence[str]) -> str:
    """Help for the keys of a job: those of its task besides, where ``argv`` names a config."""
    from unimo.cli.jobs import job_help as describe

    return describe(argv)
