"""`unimo convert to-pdparams`: the weights of a checkpoint folder as a file for `paddle.load`.

Example::

    python -m unimo convert to-pdparams runs/sst2/checkpoints/best --output sst2.pdparams
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SUMMARY = "the weights of a checkpoint folder as a file for paddle.load"
POSITIONAL = "source"


@dataclass(frozen=True)
class Arguments:
    """What to read, and where to write."""

    source: Path
    """Checkpoint folder of ours."""

    output: Path
    """File to write, under our parameter names."""


def run(arguments: Arguments) -> int:
    """Convert, and print the number of parameters."""
    from unimo.cli.converting import check_output
    from unimo.conversion.pdparams import write_pdparams
    from unimo.modeling import UnimoModel

    check_output(arguments.output)
    model = UnimoModel.from_pretrained(arguments.source)
    write_pdparams(model, arguments.output)
    print(f"{arguments.output}: {len(model.state_dict())} parameters")
    return 0
