"""The six programs compute what the original's did; the check fails where a golden or the checkpoint is changed."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.parity import check
from tests.parity.goldens import Goldens
from tests.parity.programs import PROGRAMS
from unimo.conversion.fluid import read_variable, write_variable

UNUSED = re.compile(
    r".*\.(sent_ids|obj_sent_ids|image_mask|token_mask|qids|parent_idx|init_scores|tgt_ids|tgt_input_mask)"
    r"|.*\.lod_json|b\d\.ids|plain_create_model_error"
)
"""Goldens that say nothing more: inputs of the original's graphs that ours derive or have no use for, and Q1."""


def run(folder: Path, config: Path, program: str) -> int:
    return check.main(["--goldens", str(folder), "--config", str(config), "--task", program])


@pytest.mark.parametrize("program", list(PROGRAMS))
def test_the_programs_agree(
    goldens: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    files: list[Goldens] = []
    read = Goldens.read

    def remember(path: Path) -> Goldens:
        files.append(read(path))
        return files[-1]

    monkeypatch.setattr(Goldens, "read", remember)
    status = run(goldens / "model_a", goldens / "config", program)
    printed = capsys.readouterr().out
    assert status == 0, printed
    assert re.fullmatch(r"\d{3} passed, 0 failed", printed.splitlines()[-1])
    unread = set(files[0].arrays) - files[0].asked_for
    assert not [key for key in unread if not UNUSED.fullmatch(key)], "goldens that nothing was compared with"


def change_array(name: str, key: str, by: float = 3e-4) -> Callable[[Path], None]:
    """Add a little to a number of a golden, or take the golden away where it has none."""

    def change(folder: Path) -> None:
        arrays = dict(np.load(folder / name))
        array = arrays.pop(key)
        if array.dtype == np.float32:
            array.reshape(-1)[-1] += np.float32(by)
            arrays[key] = array
        (folder / name).unlink()
        np.savez(folder / name, **arrays)

    return change


def change_setting(change: Callable[[dict], None]) -> Callable[[Path], None]:
    """Change the first decoding setting of captioning."""

    def changed(folder: Path) -> None:
        path = folder / "img2txt_decode.json"
        settings = json.loads(path.read_text())[:1]
        change(settings[0])
        path.unlink()
        path.write_text(json.dumps(settings))

    return changed


def another_token(setting: dict) -> None:
    setting["sources"][1]["hyps"][4]["ids"][1] += 1


def another_caption(setting: dict) -> None:
    setting["evaluate_file"] = setting["evaluate_file"].replace('": " ', '": "', 1)


def change_variable(name: str, by: float) -> Callable[[Path], None]:
    """Add to one number of a variable of a fluid folder."""

    def change(folder: Path) -> None:
        value = read_variable(folder / name)
        value.reshape(-1)[0] += by
        (folder / name).unlink()
        write_variable(folder / name, value)

    return change


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


WEIGHT = "fluid_ckpt/encoder_layer_0_ffn_fc_0.w_0"
MOMENT = "ckpt_classification_after5/pooled_fc_text.w_0_moment1_0"
CHANGES: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "an output": ("classification", change_array("classification.npz", "fwd0.probs"), "classification fwd0 probs"),
    "a loss": ("regression", change_array("regression.npz", "train.loss"), "regression train.loss 4"),
    "a gradient": (
        "regression",
        change_array("regression.npz", "grad0.cls_out_1_w", 0.05),
        "regression grad0 cls_out_1_w",
    ),
    "a trained weight": ("regression", change_array("regression.npz", "final.cls_out_1_b"), "final cls_out_1_b"),
    "an input that is not there": ("regression", change_array("regression.npz", "b1.src_ids"), "no b1.src_ids"),
    "a file that is not there": ("regression", remove("regression.npz"), "no regression.npz"),
    "a hypothesis": ("img2txt", change_setting(another_token), "img2txt decode 0 ids"),
    "a written caption": ("img2txt", change_setting(another_caption), "img2txt decode 0 file"),
    "a weight": ("regression", change_variable(WEIGHT, 0.1), "regression fwd0 enc_out"),
    "a weight that is not there": ("regression", remove(WEIGHT), "encoder_layer_0_ffn_fc_0.w_0"),
    "a moment": ("classification", change_variable(MOMENT, 1e-4), "heads.text_pooler.dense.weight_moment1_0"),
}
"""What is changed -> program, change, and what the line of a failed check says."""


@pytest.mark.parametrize("what", list(CHANGES))
def test_a_change_is_found(goldens: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str) -> None:
    program, change, expected = CHANGES[what]
    for source in (goldens / "model_a").rglob("*"):
        target = tmp_path / source.relative_to(goldens / "model_a")
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            os.symlink(source, target)
    change(tmp_path)
    assert run(tmp_path, goldens / "config", program) == 1
    failures = [line for line in capsys.readouterr().out.splitlines() if line.startswith("FAIL")]
    assert any(expected in line for line in failures), failures
