"""The checkpoint on disk: every parameter of a program is read, has its shape, its numbers and a place."""

from __future__ import annotations

import numpy as np

from tests.parity.goldens import Goldens
from tests.parity.programs import Program
from tests.parity.release import Release, original_value
from tests.parity.results import Results


def check_conversion(results: Results, release: Release, program: Program, goldens: Goldens) -> None:
    """All of the original's programs under this name: with `seq2seq` also its decoding, and its dialogue."""
    with results.guard(f"{program.name} fluid_ckpt"):
        expected = Goldens.read(release.folder / "params.npz")
        stem = program.parameters_name.lower()
        for name in (name for name in release.programs if name.lower().startswith(stem)):
            arrays, wrong = release.arrays(name), []
            for original, shape in release.shapes(name).items():
                found, value = original_value(original, arrays), expected[original]
                if list(found.shape) != list(shape) or not np.array_equal(found, value):
                    wrong.append(original)
            what = f"different are {', '.join(wrong[:5])}" if wrong else f"{len(arrays)} arrays"
            results(f"{program.name} fluid_ckpt as {name}", not wrong, what)
