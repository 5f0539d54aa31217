"""Checkpoints: model, optimizer, counters and stream positions in one folder that only ever appears whole.

A checkpoint is copied to host memory, and written from there by a thread: into a temporary folder, with a list of
checksums, synced, and renamed. `latest` is then pointed at it. Of several processes the first writes; where the
optimizer is shared out, each adds its part to the same temporary folder, so the run folder must be one that all see.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from unimo.errors import InputError
from unimo.files import give_usual_mode, read_json, write_json
from unimo.manifest import check_whole, seal, sync_folder
from unimo.modeling import UnimoConfig, UnimoModel
from unimo.modeling.pretrained import load_arrays, read_arrays, read_config, write_arrays
from unimo.training.distributed import ProcessGroup

OPTIMIZER_NAME = "optimizer.safetensors"
STATE_NAME = "state.json"
LATEST_NAME, BEST_NAME = "latest", "best"
STATE_VERSION = 1
PARTS_SECONDS = 600.0  # that the first process waits for the parts of the others
_STEP_FOLDER = re.compile(r"step-(\d+)")


@dataclass(frozen=True)
class TrainingState:
    """What a run needs besides weights and moments to go on exactly where it stopped.

    Randomness is not among it: it is derived from (seed, step, process) at every step.
    """

    step: int
    streams: Mapping[str, Mapping[str, int]]
    best_value: float | None = None
    best_step: int | None = None
    seconds: float = 0.0
    skipped_steps: int = 0
    """Steps so far whose loss or gradient was not finite."""

    scaler: Mapping[str, float] = field(default_factory=dict)
    """Of float16's loss scaling."""

    owes_evaluation: bool = False
    """Whether this step's evaluation was given up, and is the first thing that a resumed run does."""


@dataclass(frozen=True)
class Snapshot:
    """A model's weights in host memory, which training no longer touches."""

    arrays: Mapping[str, np.ndarray]
    config: UnimoConfig
    head_sizes: Mapping[str, int]

    @classmethod
    def of(cls, model: UnimoModel) -> Snapshot:
        """Copy a model's weights."""
        return cls(host_copy(model.state_dict()), model.config, dict(model.head_sizes))


def host_copy(tensors: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Copies of tensors or arrays; ``Tensor.numpy`` alone shares a CPU tensor's memory."""
    return {name: np.array(value.numpy() if hasattr(value, "numpy") else value) for name, value in tensors.items()}


class CheckpointFolder:
    """The `checkpoints/` of a run: `step-<n>/` to resume from, `latest` the last of them, `best/` to use.

    All carry the run's companions.
    """

    def __init__(
        self, folder: str | Path, companions: Mapping[str, Path], keep: int = 2, group: ProcessGroup | None = None
    ) -> None:
        """``companions``: name -> file copied into every checkpoint, so that it can be used alone (tokenizer.json)."""
        self.folder = Path(folder)
        self.companions = dict(companions)
        self.keep = keep
        self.group = group or ProcessGroup()

    def steps(self) -> list[int]:
        """Steps of the checkpoints that can be resumed from, ascending."""
        if not self.folder.is_dir():
            return []
        found = (_STEP_FOLDER.fullmatch(entry.name) for entry in self.folder.iterdir())
        return sorted(int(match[1]) for match in found if match)

    def path(self, step: int) -> Path:
        """Folder of one checkpoint."""
        return self.folder / f"step-{step:08d}"

    @property
    def best(self) -> Path:
        """Folder of the best weights."""
        return self.folder / BEST_NAME

    def recover(self) -> None:
        """Clear what a killed run left behind: unfinished folders, and put back what was being replaced."""
        if not self.folder.is_dir():
            return
        for entry in self.folder.iterdir():
            replaced = self.folder / entry.name[1 : -len(".old")]
            if entry.name.startswith(".") and entry.name.endswith(".old") and not replaced.exists():
                os.replace(entry, replaced)
            elif entry.name.startswith(".") and entry.name.endswith((".tmp", ".old", ".dropped")):
                shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()

    def save(
        self,
        snapshot: Snapshot | None,
        optimizer_state: Mapping[str, np.ndarray],
        state: TrainingState,
        shared_out: bool = False,
    ) -> None:
        """Write a checkpoint to resume from, point `latest` at it, then drop the oldest beyond ``keep``.

        Args:
            snapshot: the weights; None on all processes but the first.
            optimizer_state: all of it on the first process, or each process's part where it is ``shared_out``.
            state: counters and positions.
            shared_out: whether the other processes call this too.
        """
        path = self.path(state.step)
        temporary = _temporary(path)
        if snapshot is None:
            _wait_for([temporary])
            self._write_part(temporary, optimizer_state)
            return
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        try:
            self._write_weights(snapshot, temporary)
            write_training_state(temporary, state, {} if shared_out else optimizer_state)
            if shared_out:
                self._write_part(temporary, optimizer_state)
                _wait_for([temporary / self._part_name(rank) for rank in range(self.group.world_size)])
            seal(temporary)
            _move(temporary, path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        self._point_latest(path)
        self._drop_old()

    def save_best(self, snapshot: Snapshot) -> None:
        """Replace `best/` by other weights."""
        temporary = _temporary(self.best)
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        try:
            self._write_weights(snapshot, temporary)
            seal(temporary)
            _move(temporary, self.best)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def find_whole(self) -> Path | None:
        """The latest whole checkpoint; damaged ones after it are set aside as `step-<n>.damaged` with a warning.

        Raises:
            InputError: there are checkpoints, but none is whole; they stay where they are.
        """
        steps = self.steps()
        damaged: list[Path] = []
        for step in reversed(steps):
            path = self.path(step)
            try:
                check_whole(path)
            except InputError as error:
                print(f"unimo: warning: {error}", file=sys.stderr, flush=True)
                damaged.append(path)
                continue
            if damaged:
                self._set_aside(damaged)
                self._point_latest(path)
                print(f"unimo: warning: going back to {path.name}", file=sys.stderr, flush=True)
            return path
        if steps:
            raise InputError.at(self.folder, "no checkpoint is whole; remove the folder to start again")
        return None

    def _set_aside(self, paths: list[Path]) -> None:
        for path in paths:
            aside = path.with_name(f"{path.name}.damaged")
            shutil.rmtree(aside, ignore_errors=True)
            os.replace(path, aside)

    def _write_weights(self, snapshot: Snapshot, folder: Path) -> None:
        write_arrays(snapshot.arrays, snapshot.config, snapshot.head_sizes, folder)
        for name, source in self.companions.items():
            if Path(source).is_dir():
                shutil.copytree(source, folder / name)
            else:
                shutil.copyfile(source, folder / name)

    def _part_name(self, rank: int) -> str:
        return f"optimizer-{rank + 1}-of-{self.group.world_size}.safetensors"

    def _write_part(self, folder: Path, arrays: Mapping[str, np.ndarray]) -> None:
        """This process's part of the optimizer, under its name only when it is whole."""
        name = self._part_name(self.group.rank)
        _save_arrays(arrays, folder / f".{name}")
        os.replace(folder / f".{name}", folder / name)

    def _point_latest(self, path: Path) -> None:
        temporary = self.folder / f".{LATEST_NAME}.tmp"
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(path.name)
        os.replace(temporary, self.folder / LATEST_NAME)
        sync_folder(self.folder)

    def _drop_old(self) -> None:
        """Drop what is beyond ``keep``, renamed first: a folder that is half removed never looks like a checkpoint."""
        for step in self.steps()[: -self.keep]:
            retired = self.folder / f".{self.path(step).name}.dropped"
            os.replace(self.path(step), retired)
            shutil.rmtree(retired)


def load_checkpoint(model: UnimoModel, path: str | Path) -> tuple[TrainingState, dict[str, np.ndarray]]:
    """Fill the model from a checkpoint; returns its state and the optimizer's arrays, all parts of them.

    Raises:
        InputError: the checkpoint is of another architecture or damaged.
    """
    path = Path(path)
    load_weights(model, path)
    return _read_state(path / STATE_NAME), read_optimizer(path)


def write_training_state(folder: Path, state: TrainingState, optimizer_state: Mapping[str, np.ndarray]) -> None:
    """Write into an existing checkpoint folder what training resumes from besides the weights."""
    write_json(folder / STATE_NAME, {"format_version": STATE_VERSION, **_plain(state)})
    if optimizer_state:
        _save_arrays(optimizer_state, folder / OPTIMIZER_NAME)


def read_optimizer(folder: str | Path) -> dict[str, np.ndarray]:
    """The optimizer's arrays of a checkpoint, all parts of them.

    Raises:
        InputError: a damaged file.
    """
    arrays: dict[str, np.ndarray] = {}
    for part in sorted(Path(folder).glob("optimizer*.safetensors")):
        arrays |= _read_optimizer(part)
    return arrays


def load_weights(model: UnimoModel, folder: str | Path) -> None:
    """Fill a model from a checkpoint folder of the same architecture.

    Raises:
        InputError: another architecture, missing or damaged files.
    """
    config, heads = read_config(folder)
    if config != model.config:
        changed = [name for name, value in vars(config).items() if getattr(model.config, name) != value]
        raise InputError.at(folder, f"a checkpoint of another architecture (differs in {', '.join(changed)})")
    load_arrays(model, read_arrays(folder), folder, heads)


def _read_state(path: Path) -> TrainingState:
    values = read_json(path)
    if not isinstance(values, dict) or values.pop("format_version", None) != STATE_VERSION:
        raise InputError.at(path, f"not a training state of format_version {STATE_VERSION}")
    try:
        state = TrainingState(**values)
        streams = {str(name): {str(k): int(v) for k, v in where.items()} for name, where in state.streams.items()}
        return TrainingState(**{**values, "step": int(state.step), "streams": streams})
    except (TypeError, ValueError, AttributeError) as error:
        raise InputError.at(path, f"not a training state ({error})") from error


def _plain(state: TrainingState) -> dict[str, Any]:
    streams = {name: dict(position) for name, position in state.streams.items()}
    return {**vars(state), "streams": streams, "scaler": dict(state.scaler)}


def _read_optimizer(path: Path) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError.at(path, f"not a readable optimizer state ({error})") from error


def _save_arrays(arrays: Mapping[str, np.ndarray], path: Path) -> None:
    from safetensors.numpy import save_file

    save_file(dict(arrays), path)
    give_usual_mode(path)


def _temporary(path: Path) -> Path:
    """The name a folder is written under; the same on every process."""
    return path.with_name(f".{path.name}.tmp")


def _move(temporary: Path, path: Path) -> None:
    """Put a whole folder in its place, and bring the names to the disk."""
    retired = path.with_name(f".{path.name}.old")
    if path.exists():
        shutil.rmtree(retired, ignore_errors=True)
        os.replace(path, retired)
    os.replace(temporary, path)
    sync_folder(path.parent)
    shutil.rmtree(retired, ignore_errors=True)


def _wait_for(paths: list[Path]) -> None:
    """Wait until other processes have made these files."""
    deadline = time.monotonic() + PARTS_SECONDS
    while missing := [path for path in paths if not path.exists()]:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{missing[0]}: not written by its process within {PARTS_SECONDS:.0f} s")
        time.sleep(0.05)
