"""The original's checkpoint in the middle of training: the state that our steps lead to, and from which they go on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.parity.goldens import Goldens, MissingGoldenError
from tests.parity.programs import Program, training_variants
from tests.parity.release import Release
from tests.parity.results import Results, largest, relative
from tests.parity.training import GRADIENT, GRADIENT_FLOOR, TRACE, Run, weights
from unimo.conversion.fluid import read_fluid_folder


def check_checkpoints(results: Results, release: Release, program: Program, goldens: Goldens) -> None:
    """The folders `ckpt_<program>_after<steps>`, of which classification has one."""
    folders = sorted(release.folder.glob(f"ckpt_{program.name}_after*"))
    with results.guard(f"{program.name} checkpoint"):
        if program.name == "classification" and not folders:
            raise MissingGoldenError(f"no ckpt_{program.name}_after<steps>")
        for folder in folders:
            with results.guard(folder.name):
                _check_checkpoint(results, release, program, goldens, folder)


def _check_checkpoint(results: Results, release: Release, program: Program, goldens: Goldens, folder: Path) -> None:
    variant = next(each for each in training_variants(program, release, goldens) if each.name == "train.")
    trained = Run(release, program, variant, goldens)
    converted = release.convert(program.parameters_name, trained.task, read_fluid_folder(folder), folder)
    restored = Run(release, program, variant, goldens, converted.model)
    restored.optimizer.load_state(converted.optimizer, str(folder))
    num_steps = converted.num_updates
    results.equal(f"{folder.name} step", num_steps, len(goldens["train.loss"]))
    for step in range(num_steps):
        trained.backward(step)
        trained.optimizer.step(trained.rate(step))
    _check_states(results, f"{folder.name} restored", trained, restored)
    # one more step, from our own state and from the original's
    losses = []
    for run in (trained, restored):
        losses.append(run.backward(num_steps % len(goldens.numbers("b", "input_mask")))[0])
        run.optimizer.step(run.rate(num_steps))
    results.within(f"{folder.name} next loss", relative(losses[1], losses[0]), TRACE)
    _check_states(results, f"{folder.name} one step further", trained, restored)


def _check_states(results: Results, label: str, trained: Run, restored: Run) -> None:
    """Weights and optimizer states of two runs; moments have the bounds of gradients, which are clipped to norm 1."""
    expected = weights(restored.model)
    for name, value in weights(trained.model).items():
        results.within(f"{label} {name}", largest(value, expected[name]), TRACE)
    ours, theirs = trained.optimizer.state(), restored.optimizer.state()
    results.equal(f"{label} optimizer's arrays", sorted(ours), sorted(theirs))
    for name, value in theirs.items():
        size = float(np.abs(value).max())
        bound = {"_moment1_0": GRADIENT * size + GRADIENT_FLOOR, "_moment2_0": 2 * GRADIENT * size + GRADIENT_FLOOR**2}
        error = largest(ours[name], value)
        results.within(f"{label} {name}", error, next((b for end, b in bound.items() if name.endswith(end)), TRACE))
