"""Bad input of every kind: exit status 2, one line that names file and line or key, and nothing half-written."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SmallWorld
from tests.tasks.jobs import job, write_job
from unimo.cli import main

Change = Callable[[dict[str, Any], Path], None]


def replace_training_file(content: bytes) -> Change:
    def change(values: dict[str, Any], folder: Path) -> None:
        path = folder / "bad.tsv"
        path.write_bytes(content)
        values["data"]["train"] = str(path)

    return change


def missing_training_file(values: dict[str, Any], folder: Path) -> None:
    values["data"]["train"] = str(folder / "absent.tsv")


def missing_evaluation_file(values: dict[str, Any], folder: Path) -> None:
    values["data"]["evaluate"]["dev"] = str(folder / "absent.tsv")


def unknown_key(values: dict[str, Any], folder: Path) -> None:
    values["optimizer"]["learning_rat"] = 1


def unknown_task(values: dict[str, Any], folder: Path) -> None:
    values["task"] = "captionin"


def no_tokenizer(values: dict[str, Any], folder: Path) -> None:
    values["tokenizer"] = str(folder)


HEADER = b"text_a\ttext_b\tlabel\n"
CASES: dict[str, tuple[Change, str]] = {
    "missing file": (missing_training_file, "absent.tsv: no such file"),
    "missing split": (missing_evaluation_file, "data.evaluate.dev"),
    "empty file": (replace_training_file(b""), "bad.tsv: the file is empty"),
    "missing column": (replace_training_file(HEADER + b"a\tb\n"), "bad.tsv:2: 2 columns, the header has 3"),
    "missing header": (replace_training_file(b"a\tb\tlabel\n"), "bad.tsv:1: no column text_a"),
    "invalid UTF-8": (replace_training_file(HEADER + b"a\tb\xff\t1\n"), "bad.tsv:2: not valid UTF-8"),
    "unknown label": (replace_training_file(HEADER + b"a\tb\tmaybe\n"), "bad.tsv:2: label 'maybe'"),
    "unknown key": (unknown_key, "learning_rate"),
    "unknown task": (unknown_task, "captionin"),
    "no tokenizer": (no_tokenizer, "encoder.json"),
}


@pytest.mark.parametrize("name", list(CASES))
def test_bad_job(small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    change, message = CASES[name]
    output = tmp_path / "run"
    values = job(small_world, "text_classification", output)
    change(values, tmp_path)
    config = write_job(tmp_path / "job.yaml", values)
    assert main(["train", "--config", str(config)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1
    assert not output.exists()


def test_a_run_is_never_overwritten(
    small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_job(tmp_path / "job.yaml", job(small_world, "text_classification", tmp_path / "run"))
    assert main(["train", "--config", str(config)]) == 0
    assert main(["train", "--config", str(config)]) == 2
    assert "a run is already there" in capsys.readouterr().err


def test_a_checkpoint_of_another_architecture(
    small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = job(small_world, "text_classification", tmp_path / "run")
    config = write_job(tmp_path / "job.yaml", values)
    assert main(["train", "--config", str(config)]) == 0
    values["arch"]["num_hidden_layers"] = 1
    values["training"]["num_steps"] = 8
    write_job(config, values)
    capsys.readouterr()
    assert main(["train", "--config", str(config), "--resume"]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "arch.num_hidden_layers: 1, but the run to resume has 2" in error


def test_features_of_another_detector(
    small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = job(small_world, "pretraining", tmp_path / "pretraining")
    values["data"]["evaluate"] = {}
    assert main(["train", "--config", str(write_job(tmp_path / "pretraining.yaml", values))]) == 0
    other = tmp_path / "other_regions"
    flags = ["--images", str(small_world.world / "images"), "--output", str(other), "--grid", "0"]
    assert main(["regions", "extract", *flags, "--feature_size", "32", "--num_classes", "8", "--num_workers", "1"]) == 0
    start = {"init_from": str(tmp_path / "pretraining" / "checkpoints" / "best")}
    values = job(small_world, "captioning", tmp_path / "captioning", **start)
    values["data"]["regions"] = str(other)
    capsys.readouterr()
    assert main(["train", "--config", str(write_job(tmp_path / "captioning.yaml", values))]) == 2
    assert "it expects proposals version" in capsys.readouterr().err


def test_a_damaged_checkpoint_is_named(
    small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = job(small_world, "text_classification", tmp_path / "run")
    assert main(["train", "--config", str(write_job(tmp_path / "job.yaml", values))]) == 0
    broken = tmp_path / "broken"
    shutil.copytree(tmp_path / "run" / "checkpoints" / "best", broken)
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:50])
    capsys.readouterr()
    assert main(["evaluate", "--checkpoint", str(broken)]) == 2
    assert f"{weights}: not a readable safetensors file" in capsys.readouterr().err
