"""`unimo convert from-pdparams`: a file that `paddle.save` wrote, under our parameter names, as a checkpoint folder.

The file is a pickle; it is read by a loader that admits arrays and plain containers only.

Example::

    python -m unimo convert from-pdparams sst2.pdparams --arch runs/sst2/checkpoints/best --output sst2
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SUMMARY = "a .pdparams file under our parameter names as a checkpoint folder"
POSITIONAL = "source"


@dataclass(frozen=True)
class Arguments:
    """What to read, what it is, and where to write."""

    source: Path
    """The .pdparams file."""

    arch: str
    """base, large, a yaml file with sizes, or a checkpoint folder whose config.json to take."""

    output: Path
    """Checkpoint folder to write; it appears complete or not at all."""

    dictionary: Path | None = None
    """Folder of the released dictionary, or of a saved tokenizer; its tokenizer.json goes into the output."""

    allow_missing: tuple[str, ...] = ()
    """Our names, or beginnings of them, that may be absent; theirs are freshly initialised."""

    allow_unused: tuple[str, ...] = ()
    """Names, or beginnings of them, that are left out."""

    seed: int = 1
    """Of what is freshly initialised."""


def run(arguments: Arguments) -> int:
    """Convert, and print what was left out or added."""
    from unimo.cli.converting import check_output, load_arch, load_dictionary, write_model
    from unimo.conversion.pdparams import from_pdparams

    check_output(arguments.output)
    tokenizer = load_dictionary(arguments.dictionary)
    converted = from_pdparams(
        arguments.source,
        load_arch(arguments.arch),
        arguments.allow_missing,
        arguments.allow_unused,
        seed=arguments.seed,
    )
    write_model(converted, arguments.output, tokenizer)
    return 0
