"""The checkpoint on disk: every parameter of a program is read, has its shape, its numbers and a place."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tests.parity.goldens import Goldens
from tests.parity.programs import Program
from tests.parity.release import Release, original_value
from tests.parity.results import Results
from unimo.conversion.converted import Converted
from unimo.conversion.release_names import our_name


def check_conversion(results: Results, release: Release, program: Program, goldens: Goldens) -> None:
    """All of the original's programs under this name: with `seq2seq` also its decoding, and its dialogue."""
    with results.guard(f"{program.name} fluid_ckpt"):
        expected, stem = Goldens.read(release.folder / "params.npz"), program.parameters_name.lower()
        task = release.task(program.task, {})
        for name in (name for name in release.programs if name.lower().startswith(stem)):
            with results.guard(f"{program.name} fluid_ckpt as {name}"):
                converted = release.convert(name, task, release.checkpoint, release.folder / "fluid_ckpt")
                _check_program(
                    results, f"{program.name} fluid_ckpt as {name}", converted, release.shapes(name), expected
                )


def _check_program(
    results: Results, label: str, converted: Converted, shapes: Mapping[str, list[int]], expected: Goldens
) -> None:
    arrays = {name: value.numpy() for name, value in converted.model.state_dict().items()}
    places = {place[0] for place in map(our_name, shapes) if place}
    results.equal(f"{label} names", sorted(arrays), sorted(places))
    wrong = []
    for original, shape in shapes.items():
        found = original_value(original, arrays)
        if list(found.shape) != list(shape) or not np.array_equal(found, expected[original]):
            wrong.append(original)
    results(
        f"{label} numbers", not wrong, f"different are {', '.join(wrong[:5])}" if wrong else f"{len(shapes)} parameters"
    )
