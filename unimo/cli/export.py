"""`unimo export`: static programs of a checkpoint, for paddle.inference and ONNX.

Example::

    python -m unimo export --checkpoint runs/shapes/pretraining/checkpoints/best --output exported

Programs are `text`, `image` and `pair` (encoders), `match` (scores of pairs), `text_prefix`, `image_prefix`,
`pair_prefix` and `step` (writing a text: what is given is encoded once, then one step a token). Each carries its own
copy of the weights it needs; `--programs` chooses. The folder's export.json tells inputs, shapes and versions.

They are used from Python without the network's code::

    from unimo.inference.exported import ExportedModel
    model = ExportedModel("exported")
    picture = model.read_picture("photo.jpg")
    model.match([picture], ["a red circle"]), model.caption([picture])
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unimo.generation import BeamSettings
    from unimo.generation.decoding import DecodingSettings

SUMMARY = "write static programs of a checkpoint for paddle.inference, and ONNX"


@dataclass(frozen=True)
class Arguments:
    """The checkpoint, and what is written of it."""

    checkpoint: Path
    """Checkpoint folder."""

    output: Path
    """Folder to write; it appears whole, and replaces an earlier export."""

    programs: tuple[str, ...] = ()
    """Which programs; none are all that the checkpoint's heads allow."""

    onnx: bool = True
    """Write ONNX besides (opset 17), where paddle2onnx is installed; it is compared with the network, as the programs
    are, where onnxruntime is installed."""


def run(arguments: Arguments) -> int:
    """Write, compare with the network, and say what was left out."""
    from unimo.cli.jobs import CONFIG_NAME, load_job
    from unimo.errors import InputError
    from unimo.inference.export import export_checkpoint
    from unimo.inference.exported import MANIFEST_NAME

    output = arguments.output
    if output.exists() and not (output / MANIFEST_NAME).is_file():
        raise InputError.at(output, "is there already, and is no export")
    limits, search = {}, None
    if (arguments.checkpoint / CONFIG_NAME).is_file():
        job, options = load_job((arguments.checkpoint / CONFIG_NAME,), [])
        search = _search(getattr(options, "decoding", None))
        limits = {"max_text_length": job.data.max_text_length, "max_regions": job.data.max_regions}
    report = export_checkpoint(arguments.checkpoint, output, arguments.programs, arguments.onnx, limits, search)
    for name, difference in report.differences.items():
        onnx = ""
        if name in report.onnx:
            found = report.onnx[name]
            onnx = "; ONNX not compared" if found is None else f"; of ONNX {found:.1e}"
        print(f"{name}: largest difference from the network {difference:.1e}{onnx}")
    for note in report.notes:
        print(note)
    print(f"{output}: {', '.join(report.differences)}")
    return 0


def _search(decoding: DecodingSettings | None) -> BeamSettings | None:
    """The job's beam search; None where it has none. Trigrams are not blocked: an export does not know its words."""
    from unimo.generation import BeamSettings

    if decoding is None or decoding.method == "sampling":
        return None
    return BeamSettings(decoding.num_hypotheses, decoding.min_length, decoding.max_length, decoding.length_penalty)
