"""Exported programs beside the network they were made of: encoder, matching, and captioning's prefix and step."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import paddle

from unimo.bench.figures import Figure
from unimo.bench.suites import Bench
from unimo.bench.workloads import SIZES, Shape, build_model, random_inputs, shape_flops
from unimo.inference.export import described
from unimo.inference.exported import ExportedProgram
from unimo.inference.programs import Program, build_programs
from unimo.modeling import UnimoConfig

Array = np.ndarray
BEAM_SIZE = 5
HEADS = {"text_pooler": 0, "image_pooler": 0, "match": 0, "masked_language": 0}


def measure(bench: Bench) -> list[Figure]:
    """Runs a second through paddle.inference; the ratio tells how many times as long the network itself takes."""
    config = SIZES[bench.size]
    tiny = bench.size == "tiny"
    pair, image = (Shape(2, 6, 4), Shape(2, 0, 4)) if tiny else (Shape(8, 50, 101), Shape(4, 0, 101))
    model = build_model(config, HEADS)
    model.eval()
    programs = build_programs(model)
    feeds = {
        "pair": (_read(config, pair), shape_flops(config, pair)),
        "match": (_read(config, pair), shape_flops(config, pair)),
        "image_prefix": (_read(config, image), 0),
        "step": (_step_arrays(programs["step"], image, 2 if tiny else 16), 0),
    }
    return [_compare(bench, name, programs[name], *given) for name, given in feeds.items()]


def _compare(bench: Bench, name: str, program: Program, arrays: Mapping[str, Array], operations: int) -> Figure:
    with tempfile.TemporaryDirectory() as folder:
        program.save(Path(folder) / name)
        exported = ExportedProgram(Path(folder), name, described(program), bench.threads)
        local = {"network": bench.clock.timed(_network(program, arrays))}
        work = lambda: exported.run(arrays)  # noqa: E731
        return bench.compare(f"export.{name}", work, "runs/s", 1, operations, local=local)


def _network(program: Program, arrays: Mapping[str, Array]) -> Callable[[], object]:
    """The program's layer as Python runs it."""
    tensors = [paddle.to_tensor(arrays[port.name]) for port in program.inputs]

    def run() -> object:
        with paddle.no_grad():
            return program.layer(*tensors[: program.num_single], tensors[program.num_single :])

    return run


def _read(config: UnimoConfig, shape: Shape) -> dict[str, Array]:
    inputs = random_inputs(config, shape)
    return {name: np.asarray(value) for name, value in vars(inputs).items() if value is not None}


def _step_arrays(program: Program, image: Shape, num_slots: int) -> dict[str, Array]:
    """One token further for every hypothesis, with ``num_slots`` tokens of each written already."""
    rng = np.random.default_rng(7)
    slots = BEAM_SIZE * num_slots
    arrays: dict[str, Array] = {
        "input_ids": rng.integers(3, 100, (image.batch, BEAM_SIZE)),
        "position_ids": np.full((image.batch, BEAM_SIZE), num_slots),
        "visible": np.ones((image.batch, BEAM_SIZE, image.num_regions + slots + BEAM_SIZE), np.int64),
    }
    for port in program.inputs[program.num_single :]:
        length = slots if port.name.startswith("slot_") else image.num_regions
        heads, size = port.shape[1] or 0, port.shape[3] or 0
        arrays[port.name] = rng.standard_normal((image.batch, heads, length, size)).astype(np.float32)
    return arrays
