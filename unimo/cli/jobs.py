"""What the verbs that read a job share: its configuration, its run folder, its checkpoints, its help."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unimo.config import describe_parts, dump_config, load_config, read_yaml
from unimo.config.job import JobConfig
from unimo.config.overrides import parse_overrides
from unimo.config.sweep import Combination, read_sweep
from unimo.data.formats.parts import split_part
from unimo.errors import InputError
from unimo.files import atomic_write, write_json
from unimo.manifest import check_listed
from unimo.training.continuity import JOB_NAME

if TYPE_CHECKING:
    from unimo.training.distributed import ProcessGroup
    from unimo.training.health import Heartbeat
    from unimo.training.task import Task

CONFIG_NAME = JOB_NAME
"""The resolved job, in its run folder and in every checkpoint."""

SHOWN_IMAGES = 3


def load_job(files: Sequence[Path], overrides: Sequence[str]) -> tuple[JobConfig, Any]:
    """A job and the options of its task, from yaml files and `--a.b value` overrides.

    Raises:
        InputError: unknown task, unknown keys, wrong types; names file and key. Or a checkpoint's job is not the one
            that it was written with.
    """
    for path in files:
        check_listed(path.parent, {path.name})
    kinds = _kinds(files, overrides)
    parts = load_config(kinds, files, overrides)
    read_sweep(kinds, files, overrides)  # what cannot be is an error for every verb, not for `sweep` alone
    return parts[""], parts["options"]


def load_sweep(files: Sequence[Path], overrides: Sequence[str]) -> tuple[JobConfig, list[Combination]]:
    """A job and the combinations of its sweep block.

    Raises:
        InputError: as :func:`load_job`, or there is no such block.
    """
    job, _ = load_job(files, overrides)
    combinations = read_sweep(_kinds(files, overrides), files, overrides)
    if not combinations:
        raise InputError(f"{files[0]}: no key `sweep`; it names what to try, as in `sweep: {{training.seed: [1, 2]}}`")
    return job, combinations


def _kinds(files: Sequence[Path], overrides: Sequence[str]) -> dict[str, type]:
    """What a job is made of: its own keys, and those of its task."""
    from unimo.tasks import task_class

    name = read_yaml(files, overrides).get("task")
    if not isinstance(name, str):
        raise InputError(f"{files[0] if files else 'job'}: no key `task`; it names what to train")
    try:
        return {"": JobConfig, "options": task_class(name).options_class}
    except InputError as error:
        raise InputError(f"{', '.join(map(str, files)) or 'job'}: {error}") from error


def run_training(job: JobConfig, options: Any, resume: bool) -> dict[str, Any]:
    """Train a job in its run folder, and describe the run beside it; returns the report.

    Of several processes the first writes; all return the same report.

    Raises:
        InputError: a mistake in what was given, or another run is at work in the folder.
    """
    from unimo.training.distributed import launched_rank, start_processes
    from unimo.training.health import Heartbeat, is_supervised, watched
    from unimo.training.runlock import run_lock

    folder = Path(job.output)
    heartbeat = Heartbeat(launched_rank())
    keeps_others_out = launched_rank() == 0 and not is_supervised()
    with watched(heartbeat), run_lock(folder) if keeps_others_out else contextlib.nullcontext():
        if launched_rank() == 0 and not resume and (folder / "metrics.jsonl").exists():
            raise InputError(f"{folder}: a run is already there; add --resume, or name another --output")
        check_splits(job)
        processes = start_processes(job.distributed.sharding_stage, job.distributed.nccl)
        return _train(job, options, resume, processes, heartbeat)


def _train(job: JobConfig, options: Any, resume: bool, processes: ProcessGroup, heartbeat: Heartbeat) -> dict[str, Any]:
    from unimo.runtime.environment import describe_environment
    from unimo.tasks.assembly import assemble
    from unimo.training.trainer import Trainer

    folder = Path(job.output)
    assembly = assemble(job, options, processes)
    # reads the training data, and compares the job with the one to go on with; nothing is written before
    trainer = Trainer(job, assembly.task, assembly.model, processes, heartbeat)
    if resume:
        trainer.resume()
    companions = {}
    if processes.is_first:
        with atomic_write(folder / CONFIG_NAME) as stream:
            stream.write(dump_config({"": job, "options": options}))
        companions = {CONFIG_NAME: folder / CONFIG_NAME, **assembly.write_companions(folder / "companions")}
        write_json(folder / "environment.json", describe_environment())
    return trainer.train(companions)


def rehearse_training(job: JobConfig, options: Any, num_processes: int = 0) -> Iterator[str]:
    """What a job would cost, from a few real steps: lines to print.

    ``num_processes``: of the run that is rehearsed; 0 where that is not known, and nothing is refused for it.

    Raises:
        InputError: what would stop the training, now or at its first evaluation; files that are missing or broken
            are all named.
    """
    from unimo.tasks.assembly import build_model, build_task
    from unimo.training.distributed import ProcessGroup
    from unimo.training.limits import check_possible
    from unimo.training.rehearsal import rehearse, report_lines

    shared_out = job.distributed.sharding_stage > 0
    check_possible(job, ProcessGroup(0, num_processes or (2 if shared_out else 1)))
    _refuse([*missing_paths(job, options), *missing_splits(job)])
    task = build_task(job, options)
    looked, errors = check_retrieved(job, options, task)
    for name, path in job.data.evaluate.items():
        errors += [f"data.evaluate.{name}: {error}" for error in _file_errors(task, path)]
    _refuse(errors)
    model = build_model(job, task)
    yield from (*looked, *report_lines(job, model, rehearse(job, task, model)))


def check_splits(job: JobConfig) -> None:
    """Refuse a job whose evaluation files are not there, before anything is trained.

    Raises:
        InputError: naming every such split.
    """
    _refuse(missing_splits(job))


def missing_splits(job: JobConfig) -> list[str]:
    """Evaluation files that are not there, each with its key."""
    named = job.data.evaluate.items()
    return [f"data.evaluate.{name}: {path}: no such file" for name, path in named if not split_part(path)[0].is_file()]


def missing_paths(job: JobConfig, options: Any) -> list[str]:
    """What else a job reads at its start and is not there, each with its key."""
    named = {"tokenizer": [job.tokenizer], "init_from": [job.init_from], "data.regions": [job.data.regions]}
    if job.task == "pretraining":
        named |= {f"options.{name}": list(getattr(options, name)) for name in ("pairs", "texts", "images")}
        named["options.contrastive.augmented"] = [options.contrastive.augmented]
    else:
        named["data.train"] = [job.data.train]
    return [
        f"{key}: {path}: no such file or folder"
        for key, paths in named.items()
        for path in paths
        if path and not split_part(path)[0].exists()
    ]


def _file_errors(task: Task, path: str) -> Sequence[str]:
    try:
        return task.describe(path).errors
    except InputError as error:
        return [str(error)]


def _refuse(errors: Sequence[str]) -> None:
    """Raise one InputError of all that is wrong, if anything is."""
    if errors:
        raise InputError("; ".join(errors))


def check_retrieved(job: JobConfig, options: Any, task: Task) -> tuple[list[str], list[str]]:
    """Whether the region store has the images that contrastive learning may retrieve: what was seen, and errors."""
    contrastive = options.contrastive if job.task == "pretraining" else None
    if contrastive is None or not (contrastive.augmented and contrastive.num_pairs and contrastive.counts.images):
        return [], []
    images = task.context.images
    if images is None:
        return [], ["data.regions: names no region store, but options.contrastive.augmented names images"]
    from unimo.augment.corpus import AugmentedCorpus

    try:
        retrieved = AugmentedCorpus(contrastive.augmented).unpaired_images
        absent = images.absent(retrieved)
    except InputError as error:
        return [], [str(error)]
    if not absent:
        return [f"images to retrieve: {len(retrieved)}, all in {images.path}"] if retrieved else [], []
    shown = ", ".join(map(repr, absent[:SHOWN_IMAGES])) + (", ..." if len(absent) > SHOWN_IMAGES else "")
    told = f"{len(absent)} of {len(retrieved)} images to retrieve are not in {images.path}: {shown}"
    return [], [f"options.contrastive.augmented: {told}"]


def checkpoint_folder(path: Path, with_job: bool) -> Path:
    """The folder of a checkpoint that a user named.

    Args:
        path: what was named.
        with_job: whether the job's configuration must lie in it.

    Raises:
        InputError: it is none, with what to name or do in its place.
    """
    from unimo.modeling.pretrained import CONFIG_NAME as MODEL_CONFIG_NAME

    if not path.is_dir():
        raise InputError.at(path, "no such folder; a run's checkpoints are RUN/checkpoints/best and .../step-<n>")
    if not (path / MODEL_CONFIG_NAME).is_file():
        if (path / "checkpoints").is_dir():
            raise InputError.at(path, f"is a run folder, not a checkpoint; name {path / 'checkpoints' / 'best'}")
        raise InputError.at(path, f"no {MODEL_CONFIG_NAME} in this folder: it is no checkpoint")
    if with_job and not (path / CONFIG_NAME).is_file():
        raise InputError.at(
            path, f"no {CONFIG_NAME} in this checkpoint; a converted one has it by `convert ... --config JOB.yaml`"
        )
    return path


def job_help(argv: Sequence[str], of_checkpoint: bool = False) -> str:
    """The keys of a job with their meaning; where ``argv`` names a job, those of its task as well.

    ``of_checkpoint``: the verb reads the job that lies in a checkpoint, which has every key.
    """
    from unimo.tasks import TASKS, task_class

    parts: dict[str, type] = {"": JobConfig}
    if files := _named_files(argv):
        parts["options"] = task_class(str(read_yaml(files, []).get("task"))).options_class
    names = f"one of {', '.join(TASKS)}"
    if not of_checkpoint:
        return describe_parts(parts, {"task": f"required; {names}"})
    head = "Keys of the job; what is not given is as in --config, or else in the checkpoint's own job.\n\n"
    return head + describe_parts(parts, {"task": f"the job's own; {names}"}, left_out={"output"})


def _named_files(argv: Sequence[str]) -> list[Path]:
    """The yaml files of the job that a command line names, by --config or by a checkpoint that holds one."""
    words = {override.key: override.words for override in parse_overrides([word for word in argv if word != "-h"])}
    if words.get("config"):
        return [Path(word) for word in words["config"]]
    inside = [Path(word) / CONFIG_NAME for word in words.get("checkpoint", ())]
    return [path for path in inside if path.is_file()]
