"""`unimo data check`: look at the records of a job before it is trained.

Example::

    python -m unimo data check --config model_configs/finetune/sst2_small.yaml
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unimo.config.job import JobConfig
    from unimo.data.description import DataDescription
    from unimo.training.task import Task

SUMMARY = "count the records of a job, show a few as the network reads them, and find broken ones"
JOB = True

MOST_LABELS = 12  # different labels that are counted one by one


@dataclass(frozen=True)
class Arguments:
    """Flags of the verb itself; every other `--a.b value` overrides a key of the yaml."""

    config: tuple[Path, ...]
    """Yaml files of the job; later ones win."""


def run(arguments: Arguments, job_argv: Sequence[str]) -> int:
    """Describe every file of the job; what training would stop at makes the exit status 2."""
    from unimo.cli.jobs import load_job
    from unimo.errors import InputError

    job, options = load_job(arguments.config, job_argv)
    if errors := find_errors(job, options, print):
        raise InputError(f"{job.task}: {len(errors)} errors, listed above, would stop the training")
    return 0


def job_help(argv: Sequence[str]) -> str:
    """Help for the keys of a job: those of its task besides, where ``argv`` names a config."""
    from unimo.cli.jobs import job_help as describe

    return describe(argv)


def find_errors(job: JobConfig, options: Any, tell: Callable[[str], object]) -> list[str]:
    """What would stop the training of a job; ``tell`` is given every line of what stands in its files.

    Raises:
        InputError: tokenizer or region store cannot be read.
    """
    from unimo.cli.jobs import check_retrieved
    from unimo.tasks.assembly import build_task

    task = build_task(job, options)
    files = [(name, path) for name, paths in task.training_files().items() for path in paths]
    found: list[str] = []
    for name, path in [*files, *job.data.evaluate.items()]:
        tell(f"{name}: {path}")
        lines, errors = _describe(task, path)
        for line in [*lines, *(f"error: {error}" for error in errors)]:
            tell(f"  {line}")
        found += errors
    lines, errors = check_retrieved(job, options, task)
    for line in [*lines, *(f"error: {error}" for error in errors)]:
        tell(line)
    found += errors
    if not found:
        lines, found = _describe_training(task)
        for line in lines:
            tell(f"training: {line}")
        for error in found:
            tell(f"training\n  error: {error}")
    return found


def _describe(task: Task, path: str) -> tuple[list[str], list[str]]:
    """What stands in a file as lines, and its errors."""
    from unimo.errors import InputError

    try:
        description = task.describe(path)
    except InputError as error:
        return [], [str(error)]
    return list(_lines(description)), list(description.errors)


def _describe_training(task: Task) -> tuple[list[str], list[str]]:
    """Make the training data and a batch of each stream, as training does at its start: lines, and errors."""
    from unimo.errors import InputError

    try:
        streams = task.streams()
        for stream in streams:
            stream.make_batch(range(min(2, len(stream.lengths))), 0, 0)
    except InputError as error:
        return [], [str(error)]
    lines = []
    for stream in streams:
        lengths = stream.lengths
        mean = sum(lengths) / len(lengths)
        lines.append(f"{len(lengths)} {stream.name} of {min(lengths)} to {max(lengths)} positions, mean {mean:.1f}")
    return lines, []


def _lines(description: DataDescription) -> Iterator[str]:
    counts = [f"{description.num_records} records"]
    counts += [f"{count} {name}s" for name, count in description.texts.items()]
    counts += [f"{description.num_images} images"] if description.num_images else []
    yield ", ".join(counts)
    labels = description.labels
    if labels and len(labels) <= MOST_LABELS:
        yield "labels: " + ", ".join(f"{label} {count}" for label, count in sorted(labels.items()))
    elif labels:
        yield f"labels: {len(labels)} different ones, most often {labels.most_common(1)[0][0]}"
    for sample in description.samples:
        parts = [sample.record_id, *sample.texts]
        parts += [f"{sample.num_regions} regions"] if sample.num_regions is not None else []
        parts += [f"label {', '.join(sample.labels)}"] if sample.labels else []
        yield " | ".join(parts)
    yield from (f"note: {note}" for note in description.notes)
