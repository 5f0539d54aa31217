"""The original's checkpoint in the middle of training: the state that our steps lead to, and from which they go on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.parity.goldens import Goldens, MissingGoldenError
from tests.parity.programs import Program, training_variants
from tests.parity.release import Release
from tests.parity.results import Results, largest, relative
from tests.parity.training import GRADIENT, GRADIENT_FLOOR, TRACE, Run, weights
from unimo.conversion.fluid import OPTIMIZER_SUFFIXES, FluidCheckpoint, read_fluid_folder
from unimo.conversion.release_names import from_release, heads_of
from unimo.modeling.pretrained import load_arrays

Array = np.ndarray


def check_checkpoints(results: Results, release: Release, program: Program, goldens: Goldens) -> None:
    """The folders `ckpt_<program>_after<steps>`, of which classification has one."""
    folders = sorted(release.folder.glob(f"ckpt_{program.name}_after*"))
    with results.guard(f"{program.name} checkpoint"):
        if program.name == "classification" and not folders:
            raise MissingGoldenError(f"no ckpt_{program.name}_after<steps>")
        for folder in folders:
            with results.guard(folder.name):
                _check_checkpoint(results, release, program, goldens, folder)


def optimizer_state(checkpoint: FluidCheckpoint) -> dict[str, Array]:
    """Moments, powers and counter as our optimizer keeps them."""
    state = {"num_updates": np.asarray([checkpoint.step], np.int64)}
    for suffix, values in zip(OPTIMIZER_SUFFIXES, checkpoint.optimizer_parts, strict=True):
        ours, _ = from_release(values)
        # the powers of query, key and value are one number three times
        state |= {name + suffix: value if "moment" in suffix else value[:1] for name, value in ours.items()}
    return state


def _check_checkpoint(results: Results, release: Release, program: Program, goldens: Goldens, folder: Path) -> None:
    checkpoint = read_fluid_folder(folder)
    variant = next(each for each in training_variants(program, release, goldens) if each.name == "train.")
    trained, restored = (Run(release, program, variant, goldens) for _ in range(2))
    num_steps = checkpoint.step or 0
    results.equal(f"{folder.name} step", checkpoint.step, len(goldens["train.loss"]))
    for step in range(num_steps):
        trained.backward(step)
        trained.optimizer.step(trained.rate(step))
    arrays, unused = from_release(checkpoint.parameters)
    results.equal(f"{folder.name} parameters without a place", unused, [])
    load_arrays(restored.model, arrays, folder, heads_of(arrays))
    restored.optimizer.load_state(optimizer_state(checkpoint), str(folder))
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
