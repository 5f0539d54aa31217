"""`unimo augment`: rewrite captions, and retrieve images and texts for them, as contrastive learning asks for.

The job goes on where an interrupted one stopped, and gives the same files whatever the number of processes.

Example::

    python -m unimo augment --config model_configs/augment/flickr30k.yaml
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from unimo.augment.options import AugmentConfig
from unimo.runtime.settings import usable_cores

SUMMARY = "make the corpus of contrastive learning: captions rewritten, images and texts retrieved"
JOB = True


@dataclass(frozen=True)
class Arguments:
    """Flags of the verb itself; every other `--a.b value` overrides a key of the yaml."""

    config: tuple[Path, ...]
    """Yaml files of the job; later ones win."""

    num_workers: int = 0
    """Processes on this machine; 0 is one a core. The corpus is the same for any number."""

    scheduler: str = ""
    """Address of a Dask scheduler (tcp://host:8786), whose workers then do the work; they must see the same files."""

    overwrite: bool = False
    """Replace a corpus of another configuration in the output folder."""


def load_augment_config(files: Sequence[Path], overrides: Sequence[str]) -> AugmentConfig:
    """The configuration of a corpus job.

    Raises:
        InputError: unknown keys, wrong types; names file and key.
    """
    from unimo.config import load_config

    config = load_config({"": AugmentConfig}, files, overrides)[""]
    assert isinstance(config, AugmentConfig)
    return config


def run(arguments: Arguments, job_argv: Sequence[str]) -> int:
    """Make the corpus, and print its statistics."""
    from unimo.augment.job import augment

    config = load_augment_config(arguments.config, job_argv)
    workers = arguments.num_workers or usable_cores()
    result = augment(config, workers, arguments.scheduler, arguments.overwrite)
    for name, count in result.statistics.items():
        print(f"{name}: {count}")
    if result.num_new == 0:
        print(f"{config.output}: all {result.num_shards} shards are already there, nothing to do")
    else:
        print(f"{config.output}: {result.num_new} of {result.num_shards} shards written, index.json and stats.json")
    return 0


def job_help(argv: Sequence[str]) -> str:
    """The keys of the job with their meaning."""
    from unimo.config import describe_parts

    return describe_parts({"": AugmentConfig})
