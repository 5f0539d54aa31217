"""`unimo evaluate`: score a checkpoint on the splits of its job, or on other files.

Example::

    python -m unimo evaluate --checkpoint runs/shapes/captioning/checkpoints/best --data.evaluate '{test: test.jsonl}'
    python -m unimo evaluate --checkpoint runs/mnli/checkpoints/best --predictions scores \\
        --data.evaluate '{m: test_matched.tsv, mm: test_mismatched.tsv}' --submission '{m: MNLI-m, mm: MNLI-mm}'
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unimo.config.job import JobConfig

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

    submission: dict[str, str] = field(default_factory=dict)
    """Split -> format of a server: GLUE's file names without suffix (SST-2, CoLA, MNLI-m, MNLI-mm, AX, STS-B, ...),
    coco or vqa. Its predictions are written besides so that the server takes them, into the folder submission/."""


def run(arguments: Arguments, job_argv: Sequence[str]) -> int:
    """Evaluate every split and print its scores."""
    from unimo.cli.jobs import CONFIG_NAME, checkpoint_folder, load_job
    from unimo.config.overrides import parse_overrides
    from unimo.errors import InputError
    from unimo.files import write_json
    from unimo.inference.submissions import write_submission
    from unimo.tasks.assembly import load_for_inference
    from unimo.training.evaluation import evaluate
    from unimo.training.reporting import write_predictions

    if any(override.key == "output" for override in parse_overrides(job_argv)):
        raise InputError("--output: evaluate writes no run folder; --predictions names the folder for what it finds")
    checkpoint = checkpoint_folder(arguments.checkpoint, with_job=not arguments.config)
    job, options = load_job(arguments.config or (checkpoint / CONFIG_NAME,), job_argv)
    if not job.data.evaluate:
        raise InputError("data.evaluate: names no split to evaluate")
    _check_submissions(arguments, job)
    task, model = load_for_inference(checkpoint, job.task, options, job.data, job.training.seed)
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
            if kind := arguments.submission.get(split):
                file, notes = write_submission(
                    arguments.predictions / "submission", split, kind, evaluation.predictions
                )
                print(f"{split}: {file}", *notes, sep="\n")
    if arguments.predictions is not None:
        write_json(arguments.predictions / "report.json", {"task": job.task, "splits": splits})
    return 0


def _check_submissions(arguments: Arguments, job: JobConfig) -> None:
    """Refuse submissions that cannot be written, before anything is computed."""
    from unimo.errors import InputError
    from unimo.inference.submissions import check_submission

    if arguments.submission and arguments.predictions is None:
        raise InputError("submission: needs --predictions, the folder to write into")
    for split, kind in arguments.submission.items():
        if split not in job.data.evaluate:
            raise InputError(f"submission: {split!r} names none of the splits {', '.join(job.data.evaluate)}")
        check_submission(kind, job.task)


def job_help(argv: Sequence[str]) -> str:
    """Help for the keys of a job: those of its task besides, where ``argv`` names a config or a checkpoint."""
    from unimo.cli.jobs import job_help as describe

    return describe(argv, of_checkpoint=True)
