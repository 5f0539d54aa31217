"""The six programs compute what the original's did; the check fails where a golden or the checkpoint is changed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.parity.check import main
from tests.parity.programs import PROGRAMS
from unimo.conversion.fluid import read_variable, write_variable

Change = Callable[[Path], None]


def passes(goldens: Path, config: Path, task: str) -> bool:
    return main(["--goldens", str(goldens), "--config", str(config), "--task", task]) == 0


@pytest.mark.parametrize("task", list(PROGRAMS))
def test_the_programs_agree(goldens: Path, capsys: pytest.CaptureFixture[str], task: str) -> None:
    assert passes(goldens / "model_a", goldens / "config", task), capsys.readouterr().out
    passed, failed = capsys.readouterr().out.splitlines()[-1].split(", ")
    assert int(passed.split()[0]) > 50
    assert failed == "0 failed"


def changed_output(folder: Path) -> None:
    path = folder / "classification.npz"
    arrays = dict(np.load(path))
    arrays["fwd0.probs"] = arrays["fwd0.probs"] + np.float32(1e-3)
    path.unlink()
    np.savez(path, **arrays)


def changed_hypothesis(folder: Path) -> None:
    path = folder / "img2txt_decode.json"
    settings = json.loads(path.read_text())
    settings[0]["sources"][0]["hyps"][0]["ids"][1] += 1
    path.unlink()
    path.write_text(json.dumps(settings))


def changed_weight(folder: Path) -> None:
    path = folder / "fluid_ckpt" / "encoder_layer_0_ffn_fc_0.w_0"
    value = read_variable(path)
    value[0, 0] += 0.1
    path.unlink()
    write_variable(path, value)


def missing_file(folder: Path) -> None:
    (folder / "regression.npz").unlink()


CHANGES: dict[str, tuple[Change, str, str]] = {
    "an output": (changed_output, "classification", "FAIL classification fwd0"),
    "a hypothesis": (changed_hypothesis, "img2txt", "FAIL img2txt"),
    "a weight": (changed_weight, "regression", "FAIL regression"),
    "a file": (missing_file, "regression", "no regression.npz"),
}


@pytest.mark.parametrize("name", list(CHANGES))
def test_a_change_is_found(goldens: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    change, task, expected = CHANGES[name]
    for source in (goldens / "model_a").rglob("*"):
        target = tmp_path / source.relative_to(goldens / "model_a")
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            os.symlink(source, target)
    change(tmp_path)
    assert not passes(tmp_path, goldens / "config", task)
    assert expected in capsys.readouterr().out
