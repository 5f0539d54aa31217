"""`unimo convert to-fluid`: a checkpoint folder of ours as the original release's programs load it.

Example::

    python -m unimo convert to-fluid runs/sst2/checkpoints/latest --output sst2_fluid
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

SUMMARY = "a checkpoint folder of ours as the original release's programs load it"
POSITIONAL = "source"


@dataclass(frozen=True)
class Arguments:
    """What to read, and where to write."""

    source: Path
    """Checkpoint folder of ours; its optimizer state, if any, is converted too."""

    output: Path
    """Folder to write, one file a variable; it appears complete or not at all."""

    weights_only: bool = False
    """Leave optimizer state out."""

    allow_unused: tuple[str, ...] = ()
    """Our parameters, or beginnings of their names, that are left out."""


def run(arguments: Arguments) -> int:
    """Convert, and print what was left out."""
    from unimo.cli.converting import check_output
    from unimo.conversion.fluid import write_fluid_folder
    from unimo.conversion.release import to_fluid
    from unimo.modeling.pretrained import read_arrays, read_config

    check_output(arguments.output)
    config, heads = read_config(arguments.source)
    optimizer = {} if arguments.weights_only else _optimizer(arguments.source)
    arrays = read_arrays(arguments.source)
    checkpoint, notes = to_fluid(arrays, config, heads, arguments.source, optimizer, arguments.allow_unused)
    write_fluid_folder(checkpoint, arguments.output)
    for note in notes:
        print(note)
    state = f", optimizer state of {checkpoint.step} updates" if optimizer else ""
    print(f"{arguments.output}: {len(checkpoint.parameters)} parameters{state}")
    return 0


def _optimizer(source: Path) -> dict[str, np.ndarray]:
    """The optimizer's arrays of a checkpoint to resume from; empty in one of weights alone."""
    from unimo.training.averaging import PREFIX
    from unimo.training.checkpoint import STATE_NAME, read_optimizer

    if not (source / STATE_NAME).is_file():
        return {}
    arrays = read_optimizer(source)
    if any(name.startswith(PREFIX) for name in arrays):
        print("the average of the weights is left out: the original keeps none")
    return {name: value for name, value in arrays.items() if not name.startswith(PREFIX)}
