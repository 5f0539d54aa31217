"""Exported programs beside the network they were made of: the encoder over image-text pairs."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from unimo.bench.figures import Figure
from unimo.bench.flops import encoder_forward
from unimo.bench.suites import Bench
from unimo.bench.workloads import SIZES, Encoder, Shape
from unimo.inference.export import described
from unimo.inference.exported import ExportedProgram
from unimo.inference.programs import build_programs


def measure(bench: Bench) -> list[Figure]:
    """Pairs a second through paddle.inference; the ratio tells how many times as long the network itself takes."""
    config = SIZES[bench.size]
    shape = Shape(2, 6, 4) if bench.size == "tiny" else Shape(8, 50, 101)
    encoder = Encoder(config, shape)
    encoder.model.eval()
    program = build_programs(encoder.model)["pair"]
    arrays = {name: np.asarray(value) for name, value in vars(encoder.inputs).items() if value is not None}
    with tempfile.TemporaryDirectory() as folder:
        program.save(Path(folder) / "pair")
        exported = ExportedProgram(Path(folder), "pair", described(program), bench.threads)
        operations = encoder_forward(config, shape.batch, shape.num_tokens, shape.num_regions)
        local = {"network": bench.clock.timed(encoder.forward)}
        work = lambda: exported.run(arrays)  # noqa: E731
        return [bench.compare("export.pair", work, "pairs/s", shape.batch, operations, local=local)]
