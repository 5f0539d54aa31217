"""Checkpoints: model, optimizer, counters and stream positions in one folder that only ever appears whole."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unimo.errors import InputError
from unimo.files import atomic_folder, read_json, write_json
from unimo.modeling import UnimoModel
from unimo.modeling.pretrained import load_arrays, read_arrays, read_config, write_model_files

OPTIMIZER_NAME = "optimizer.safetensors"
STATE_NAME = "state.json"
_STEP_FOLDER = re.compile(r"step-(\d+)")


@dataclass(frozen=True)
class TrainingState:
    """What a run needs besides weights and moments to go on exactly where it stopped.

    Randomness is not among it: it is derived from (seed, step) at every step.
    """

    step: int
    streams: Mapping[str, Mapping[str, int]]
    best_value: float | None = None
    best_step: int | None = None
    seconds: float = 0.0


class CheckpointFolder:
    """The `checkpoints/` of a run: `step-<n>/` to resume from, `best/` to use, both with the run's companions."""

    def __init__(self, folder: str | Path, companions: Mapping[str, Path], keep: int = 2) -> None:
        """``companions``: name -> file copied into every checkpoint, so that it can be used alone (tokenizer.json)."""
        self.folder = Path(folder)
        self.companions = dict(companions)
        self.keep = keep

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
        return self.folder / "best"

    def save(self, model: UnimoModel, optimizer_state: Mapping[str, np.ndarray], state: TrainingState) -> Path:
        """Write a checkpoint to resume from, then drop the oldest beyond ``keep``."""
        from safetensors.numpy import save_file

        path = self.path(state.step)
        with atomic_folder(path) as temporary:
            self._write_weights(model, temporary)
            save_file(dict(optimizer_state), temporary / OPTIMIZER_NAME)
            write_json(
                temporary / STATE_NAME, vars(state) | {"streams": {k: dict(v) for k, v in state.streams.items()}}
            )
        for old in self.steps()[: -self.keep]:
            shutil.rmtree(self.path(old))
        return path

    def save_best(self, model: UnimoModel) -> None:
        """Replace `best/` by the model's present weights."""
        with atomic_folder(self.best) as temporary:
            self._write_weights(model, temporary)

    def load_latest(self, model: UnimoModel) -> tuple[TrainingState, dict[str, np.ndarray]] | None:
        """Fill the model from the latest checkpoint; returns its state and optimizer arrays, None without one.

        Raises:
            InputError: the checkpoint is of another architecture or damaged.
        """
        steps = self.steps()
        if not steps:
            return None
        path = self.path(steps[-1])
        load_weights(model, path)
        values: dict[str, Any] = read_json(path / STATE_NAME)
        return TrainingState(**values), _read_optimizer(path / OPTIMIZER_NAME)

    def _write_weights(self, model: UnimoModel, folder: Path) -> None:
        write_model_files(model, folder)
        for name, source in self.companions.items():
            if Path(source).is_dir():
                shutil.copytree(source, folder / name)
            else:
                shutil.copyfile(source, folder / name)


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


def _read_optimizer(path: Path) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError.at(path, f"not a readable optimizer state ({error})") from error
