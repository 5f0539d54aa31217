"""A checkpoint as static programs for paddle.inference and, where the tools are there, as ONNX."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import paddle

from unimo import __version__
from unimo.data.generation_examples import FIRST_POSITION
from unimo.errors import InputError
from unimo.files import atomic_folder, write_json
from unimo.generation import BeamSettings
from unimo.inference.exported import FORMAT_VERSION, MANIFEST_NAME, ExportedProgram
from unimo.inference.programs import Port, Program, build_programs
from unimo.manifest import seal
from unimo.modeling import UnimoModel
from unimo.modeling.pretrained import fingerprint
from unimo.modeling.tensors import as_tensor
from unimo.regions.detectors import FOLDER_NAME as DETECTOR_FOLDER

Array = np.ndarray
TOKENIZER_NAME = "tokenizer.json"
OPSET = 17
TOLERANCE = 1e-4
"""Greatest difference from the network, relative to its largest output, with which a program is still written."""


@dataclass(frozen=True)
class ExportReport:
    """What was written."""

    differences: Mapping[str, float]
    """Program -> greatest difference from the network on random inputs."""

    onnx: Mapping[str, float | None]
    """The same of programs that are there as ONNX too; None where that was not compared, see the notes."""

    notes: Sequence[str]
    """What could not be done, and why."""


def export_checkpoint(
    checkpoint: str | Path,
    output: str | Path,
    names: Sequence[str] = (),
    onnx: bool = True,
    limits: Mapping[str, int] | None = None,
    search: BeamSettings | None = None,
) -> ExportReport:
    """Write the programs of a checkpoint, with tokenizer, detector and a manifest; the folder appears whole.

    Args:
        checkpoint: folder of a saved model.
        output: folder to write.
        names: which programs (see :func:`build_programs`); none are all that the checkpoint's heads allow.
        onnx: write ONNX besides, where paddle2onnx is installed; it is compared too where onnxruntime is.
        limits: `max_text_length` and `max_regions` of what the checkpoint was trained on.
        search: how captions are searched for where nothing else is said.

    Raises:
        InputError: no checkpoint, or a program that its heads do not allow.
    """
    checkpoint = Path(checkpoint)
    model = UnimoModel.from_pretrained(checkpoint)
    programs = chosen_programs(model, names, checkpoint)
    notes = []
    if onnx and (missing := missing_for_onnx()):
        notes.append(f"no ONNX: {missing} is not installed (python -m pip install paddle2onnx)")
        onnx = False
    compares = importlib.util.find_spec("onnxruntime") is not None
    if onnx and not compares:
        notes.append("ONNX files were not compared with the network: onnxruntime is not installed")
    written: dict[str, float | None] = {}
    differences = {}
    largest = min(200, model.config.vocab_size, model.config.max_position_embeddings)
    with atomic_folder(output) as temporary:
        for name, program in programs.items():
            program.save(temporary / name)
            arrays = random_arrays(program.inputs, largest)
            expected = network_outputs(program, arrays)
            differences[name] = _difference(program, temporary, name, arrays, expected)
            if onnx:
                try:
                    _write_onnx(temporary, name)
                    written[name] = _onnx_difference(temporary, name, arrays, expected) if compares else None
                except _NoOnnxError as error:
                    (temporary / f"{name}.onnx").unlink(missing_ok=True)
                    notes.append(f"{name}: no ONNX: {error}")
        _copy_companions(checkpoint, temporary)
        ports = {name: described(program) for name, program in programs.items()}
        about = {**_identity(model, checkpoint), **_lengths(model, limits or {})}
        manifest = {**about, "search": asdict(search or BeamSettings()), "programs": ports, "onnx": list(written)}
        compared = {name: value for name, value in written.items() if value is not None}
        write_json(temporary / MANIFEST_NAME, manifest | {"differences": differences, "onnx_differences": compared})
        seal(temporary)
    return ExportReport(differences, written, notes)


def chosen_programs(model: UnimoModel, names: Sequence[str], checkpoint: Path) -> dict[str, Program]:
    """The programs asked for.

    Raises:
        InputError: the checkpoint has no such program; says which head or size it lacks.
    """
    possible = dict(build_programs(model))
    if unknown := [name for name in names if name not in possible]:
        heads = ", ".join(model.head_sizes) or "none"
        raise InputError(
            f"programs: {checkpoint} allows {', '.join(possible)}, not {unknown[0]!r} (its heads: {heads})"
        )
    return {name: program for name, program in possible.items() if not names or name in names}


def missing_for_onnx() -> str:
    """The first package that ONNX needs and is not installed; empty where all are there."""
    return next((name for name in ("paddle2onnx", "onnx") if importlib.util.find_spec(name) is None), "")


def random_arrays(ports: Sequence[Port], largest: int, seed: int = 7) -> dict[str, Array]:
    """Inputs of a program: 2 rows of 3 tokens after 4 regions, the second row's last token being padding.

    ``largest``: above every token id and position.
    """
    rng = np.random.default_rng(seed)
    names = {port.name for port in ports}
    num_regions, num_tokens = 4 if "region_features" in names else 0, 3 if "input_ids" in names else 0
    arrays: dict[str, Array] = {}
    for port in ports:
        sides = {
            "region_features": num_regions,
            "region_locations": num_regions,
            "segment_ids": num_regions + num_tokens,
        }
        if port.name == "visible":
            past = rng.random((2, 3, 6)) < 0.7  # every hypothesis sees other places, and itself
            arrays[port.name] = np.concatenate([past, np.tile(np.eye(3), (2, 1, 1))], axis=2)
        elif len(port.shape) == 4:  # caches: 4 prefix positions, 2 slots
            length = 2 if port.name.startswith("slot") else 4
            arrays[port.name] = rng.standard_normal((2, port.shape[1] or 1, length, port.shape[3] or 1))
        else:
            shape = (2, sides.get(port.name, num_tokens), *(size or 1 for size in port.shape[2:]))
            arrays[port.name] = np.ones(shape) if port.name == "segment_ids" else rng.random(shape)
        if port.name in ("input_ids", "position_ids"):
            arrays[port.name] = rng.integers(3, largest, (2, num_tokens))
        arrays[port.name] = arrays[port.name].astype(port.dtype)
    if "segment_ids" in arrays and num_tokens:
        arrays["segment_ids"][1, -1] = 0
    return arrays


def network_outputs(program: Program, arrays: Mapping[str, Array]) -> list[Array]:
    """What the network itself gives for a program's inputs."""
    tensors = [as_tensor(arrays[port.name]) for port in program.inputs]
    single, rest = tensors[: program.num_single], tensors[program.num_single :]
    with paddle.no_grad():
        outputs = program.layer.forward(*single, rest)
    return [each.numpy() for each in (outputs if isinstance(outputs, list) else [outputs])]


def _difference(
    program: Program, folder: Path, name: str, arrays: Mapping[str, Array], expected: Sequence[Array]
) -> float:
    """Greatest difference of the written program from the network."""
    found = ExportedProgram(folder, name, described(program)).run(arrays)
    worst = _greatest_difference([found[port.name] for port in program.outputs], expected)
    assert worst < TOLERANCE, f"{name}: the static program differs from the network by {worst:.1e}"
    return worst


def _greatest_difference(found: Sequence[Array], expected: Sequence[Array]) -> float:
    """Relative to outputs above 1."""
    return max(
        float(np.abs(ours - theirs).max() / max(1.0, float(np.abs(theirs).max())))
        for ours, theirs in zip(found, expected, strict=True)
    )


class _NoOnnxError(Exception):
    """Why a program is not there as ONNX: what another program raises is a note, not the end of the export."""

    @classmethod
    def of(cls, error: Exception) -> _NoOnnxError:
        """The last line of what was raised."""
        return cls(str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__)


def _write_onnx(folder: Path, name: str) -> None:
    """Write a program as ONNX.

    Raises:
        _NoOnnxError: paddle2onnx cannot.
    """
    import paddle2onnx

    files = [str(folder / f"{name}{suffix}") for suffix in (".json", ".pdiparams")]
    target = folder / f"{name}.onnx"
    try:
        # its optimizer would install a package by itself
        paddle2onnx.export(*files, str(target), opset_version=OPSET, enable_optimize=False)
    except Exception as error:
        raise _NoOnnxError.of(error) from error
    if not target.is_file():
        raise _NoOnnxError("paddle2onnx wrote nothing")


def _onnx_difference(folder: Path, name: str, arrays: Mapping[str, Array], expected: Sequence[Array]) -> float:
    """Greatest difference of a program's ONNX from the network.

    Raises:
        _NoOnnxError: onnxruntime does not run it, or gives something else.
    """
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(str(folder / f"{name}.onnx"), providers=["CPUExecutionProvider"])
        found = session.run(None, {port.name: arrays[port.name] for port in session.get_inputs()})
    except Exception as error:
        raise _NoOnnxError.of(error) from error
    if [each.shape for each in found] != [each.shape for each in expected]:
        raise _NoOnnxError("its outputs have other shapes than the network's")
    worst = _greatest_difference(found, expected)
    if not worst < TOLERANCE:
        raise _NoOnnxError(f"its outputs differ from the network's by {worst:.1e}")
    return worst


def _copy_companions(checkpoint: Path, folder: Path) -> None:
    if (checkpoint / TOKENIZER_NAME).is_file():
        shutil.copyfile(checkpoint / TOKENIZER_NAME, folder / TOKENIZER_NAME)
    if (checkpoint / DETECTOR_FOLDER).is_dir():
        shutil.copytree(checkpoint / DETECTOR_FOLDER, folder / DETECTOR_FOLDER)


def described(program: Program) -> dict[str, Any]:
    """A program's inputs and outputs as the manifest tells them."""
    return {"inputs": [asdict(port) for port in program.inputs], "outputs": [asdict(port) for port in program.outputs]}


def _lengths(model: UnimoModel, limits: Mapping[str, int]) -> dict[str, int]:
    """How long texts and images may be: as given, or as the original has it, and within the position table."""
    known = {"max_text_length": 512, "max_regions": 101, **limits}
    room = model.config.max_position_embeddings - FIRST_POSITION
    return known | {"max_text_length": min(known["max_text_length"], room)}


def _identity(model: UnimoModel, checkpoint: Path) -> dict[str, Any]:
    config = model.config
    return {
        "format_version": FORMAT_VERSION,
        "versions": {"unimo": __version__, "paddlepaddle": paddle.__version__},
        "checkpoint": {"path": str(checkpoint), "fingerprint": fingerprint(checkpoint), "heads": model.head_sizes},
        "architecture": asdict(config),
        "tokenizer": TOKENIZER_NAME if (checkpoint / TOKENIZER_NAME).is_file() else None,
        "detector": DETECTOR_FOLDER if (checkpoint / DETECTOR_FOLDER).is_dir() else None,
        "region_features": {"name": config.region_feature_name, "version": config.region_feature_version},
    }
