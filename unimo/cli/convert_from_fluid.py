"""`unimo convert from-fluid`: a checkpoint of the original release as a checkpoint folder of ours.

Every parameter of the folder and of the model must find its place; the names of those that do not are listed.
`--config` makes the result ready for `predict` and `evaluate`, `--dictionary` for `train --init_from`.

Examples::

    python -m unimo convert from-fluid unimo_base_en --arch base --dictionary unimo_dict --output base
    python -m unimo convert from-fluid unimo_base_en_sst2 --arch base --dictionary unimo_dict --output sst2 \\
        --config model_configs/finetune/sst2.yaml
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

SUMMARY = "a checkpoint of the original release (one file a variable) as a checkpoint folder of ours"
POSITIONAL = "source"


@dataclass(frozen=True)
class Arguments:
    """What to read, what it is, and where to write."""

    source: Path
    """Folder of the released checkpoint, with or without optimizer state."""

    arch: str
    """base, large, a yaml file with sizes, or a released model config (json)."""

    output: Path
    """Checkpoint folder to write; it appears complete or not at all."""

    dictionary: Path | None = None
    """Folder of the released dictionary, or of a saved tokenizer; its tokenizer.json goes into the output."""

    config: Path | None = None
    """Yaml file of the job that the checkpoint was fine-tuned for; it goes into the output."""

    task: str = ""
    """Take only what this task's program has: text_classification, text_regression, text_generation, captioning,
    retrieval or visual_entailment; empty takes config's, or everything."""

    region_version: str = "1"
    """Version of the bottom-up-attention features that the model is used with, as `regions import` was told."""

    weights_only: bool = False
    """Leave optimizer state out."""

    num_updates: int | None = None
    """Updates done, for optimizer state without a step counter."""

    allow_missing: tuple[str, ...] = ()
    """Original names, or beginnings of them, that may be absent; theirs are freshly initialised."""

    allow_unused: tuple[str, ...] = ()
    """Original names, or beginnings of them, that are left out."""

    seed: int = 1
    """Of what is freshly initialised."""


def run(arguments: Arguments) -> int:
    """Convert, and print what was left out or added."""
    from dataclasses import replace

    from unimo.cli.converting import check_output, load_arch, load_dictionary, write_model
    from unimo.cli.jobs import load_job
    from unimo.conversion.converted import is_named
    from unimo.conversion.fluid import is_optimizer_name, read_fluid_folder
    from unimo.conversion.release import from_fluid

    check_output(arguments.output)
    config = replace(load_arch(arguments.arch), region_feature_version=arguments.region_version)
    job = load_job((arguments.config,), ()) if arguments.config is not None else None
    tokenizer = load_dictionary(arguments.dictionary)

    def skip(name: str) -> bool:
        return is_named(name, arguments.allow_unused) or (arguments.weights_only and is_optimizer_name(name))

    converted = from_fluid(
        read_fluid_folder(arguments.source, skip),
        config,
        arguments.source,
        task=_task(arguments, job),
        allow_missing=arguments.allow_missing,
        allow_unused=arguments.allow_unused,
        num_updates=arguments.num_updates,
        seed=arguments.seed,
    )
    write_model(converted, arguments.output, tokenizer, job)
    return 0


def _task(arguments: Arguments, job: tuple[Any, Any] | None) -> str:
    """The task whose program is taken: the flag's, or the job's where the release has it."""
    from unimo.conversion.release import PROGRAMS
    from unimo.errors import InputError

    if job is None or job[0].task == arguments.task:
        return arguments.task
    if arguments.task:
        raise InputError(f"--task: {arguments.task}, but {arguments.config} is a job of {job[0].task}")
    return job[0].task if job[0].task in PROGRAMS else ""
