"""Adam's state of the original release <-> that of our optimizer (ORIGINAL section 10).

Both keep, for each parameter, two moments of its shape and two powers; ours under `<parameter>_moment1_0` and so on
(Paddle's names), one for query, key and value together.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from unimo.conversion.converted import listed
from unimo.conversion.fluid import OPTIMIZER_SUFFIXES, FluidCheckpoint
from unimo.conversion.release_names import from_release, original_names, our_name, to_release
from unimo.errors import InputError

NUM_UPDATES = "num_updates"


@dataclass(frozen=True)
class OptimizerState:
    """AdamW's state as ``training.optimizer.AdamW.load_state`` takes it; empty where there is none."""

    arrays: Mapping[str, np.ndarray]
    num_updates: int = 0
    without: tuple[str, ...] = ()
    """Original parameters that have none."""

    def notes(self) -> tuple[str, ...]:
        """For the user: how many updates, and the betas that the powers say where they have not become 0."""
        if not self.arrays:
            return ()
        betas = []
        for label in ("beta1", "beta2"):
            powers = (value for name, value in self.arrays.items() if name.endswith(f"_{label}_pow_acc_0"))
            betas.append(f"{label} {_root(powers, self.num_updates + 1)}")
        note = f"optimizer state of {self.num_updates} updates; {', '.join(betas)}"
        return (note, f"no optimizer state for: {listed(self.without)}") if self.without else (note,)


def state_from_fluid(
    checkpoint: FluidCheckpoint, names: Collection[str], source: str | Path, num_updates: int | None = None
) -> OptimizerState:
    """The state of the parameters that ``names`` lists (original names).

    Args:
        checkpoint: of a training program; one without optimizer state gives an empty state.
        names: parameters that were taken.
        source: the folder, named in errors.
        num_updates: in place of the checkpoint's counter.

    Raises:
        InputError: there is no counter, or a parameter has a part of its state only.
    """
    counts = {name: sum(name in part for part in checkpoint.optimizer_parts) for name in names}
    if not any(counts.values()):
        return OptimizerState({})
    if partial := [name for name, count in counts.items() if 0 < count < len(OPTIMIZER_SUFFIXES)]:
        raise InputError.at(source, f"optimizer state is incomplete for {listed(partial)}")
    updates = checkpoint.step if num_updates is None else num_updates
    if updates is None:
        raise InputError.at(source, "optimizer state without a step counter: give --num-updates")
    state: dict[str, np.ndarray] = {NUM_UPDATES: np.asarray([updates], np.int64)}
    for suffix, values in zip(OPTIMIZER_SUFFIXES, checkpoint.optimizer_parts, strict=True):
        chosen = {name: values[name] for name, count in counts.items() if count}
        if "moment" in suffix:
            ours, _ = from_release(chosen, str(source))
        else:
            ours = _powers_from_release(chosen, suffix, source)
        state |= {name + suffix: value for name, value in ours.items()}
    return OptimizerState(state, updates, tuple(name for name, count in counts.items() if not count))


def with_state(checkpoint: FluidCheckpoint, optimizer: Mapping[str, np.ndarray], num_labels: int) -> FluidCheckpoint:
    """A checkpoint with AdamW's state beside its parameters.

    ``num_labels``: outputs of our classifier.
    """
    parts = []
    for suffix in OPTIMIZER_SUFFIXES:
        ours = {name.removesuffix(suffix): value for name, value in optimizer.items() if name.endswith(suffix)}
        part = to_release(ours, num_labels)[0] if "moment" in suffix else _powers_to_release(ours, num_labels)
        parts.append({name: value for name, value in part.items() if name in checkpoint.parameters})
    moment1, moment2, beta1_powers, beta2_powers = parts
    return replace(
        checkpoint,
        moment1=moment1,
        moment2=moment2,
        beta1_powers=beta1_powers,
        beta2_powers=beta2_powers,
        step=int(optimizer[NUM_UPDATES][0]),
    )


def _powers_from_release(values: Mapping[str, np.ndarray], suffix: str, source: str | Path) -> dict[str, np.ndarray]:
    """One power a parameter of ours; query, key and value had the same number of updates."""
    powers: dict[str, np.ndarray] = {}
    for name, value in values.items():
        place = our_name(name)
        assert place is not None
        if place[0] in powers and not np.array_equal(powers[place[0]], value):
            raise InputError.at(Path(source) / (name + suffix), "query, key and value differ in it")
        powers[place[0]] = value
    return powers


def _powers_to_release(ours: Mapping[str, np.ndarray], num_labels: int) -> dict[str, np.ndarray]:
    return {original: value for name, value in ours.items() for original in original_names(name, num_labels)}


def _root(powers: Iterable[np.ndarray], degree: int) -> str:
    power = float(next(iter(powers))[0])
    return f"{power ** (1 / degree):.4g}" if power > 0 else "unknown"
