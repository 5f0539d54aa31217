"""`unimo data check`: what it shows of whole data, and that it finds what training would stop at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SmallWorld
from tests.tasks.jobs import job, write_job
from unimo.cli import main


def check(folder: Path, values: dict[str, Any]) -> int:
    return main(["data", "check", "--config", str(write_job(folder / "job.yaml", values))])


@pytest.mark.parametrize("task", ["pretraining", "captioning", "retrieval", "text_classification"])
def test_whole_data(small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str], task: str) -> None:
    values = job(small_world, task, tmp_path / "run")
    assert check(tmp_path, values) == 0
    out = capsys.readouterr().out
    assert "error" not in out
    assert "training: " in out
    assert not (tmp_path / "run").exists()
    for split, path in values["data"]["evaluate"].items():
        assert f"{split}: {path}" in out
    if task == "captioning":
        assert "60 records, " in out and "60 images" in out and " regions" in out
    if task == "text_classification":
        assert "labels: 0 30, 1 30" in out


def test_texts_are_shown_as_the_network_reads_them(
    small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = job(small_world, "text_classification", tmp_path / "run")
    path = tmp_path / "train.tsv"
    path.write_text("text_a\ttext_b\tlabel\n" + "a red circle\tis it?\t1\n" * 4 + "\ta\t0\n" + "red " * 90 + "\tb\t0\n")
    values["data"] |= {"train": str(path), "evaluate": {}}
    assert check(tmp_path, values) == 0
    out = capsys.readouterr().out
    assert "6 records, 6 texts" in out
    assert "train.tsv:2 | text (" in out and "'a red circle ||| is it?' | label 1" in out
    assert "note: 1 of 6 texts are longer than 64 tokens and are cut" in out
    assert "note: 1 texts are empty, the first in train.tsv:6" in out
    assert "tokens of which 64 are read): 'red red" in out and "'..." in out


def test_unlabelled_records_are_counted(
    small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = job(small_world, "text_classification", tmp_path / "run")
    path = tmp_path / "test.tsv"
    path.write_text("index\ttext_a\ttext_b\n0\ta red circle\tis it?\n")
    values["data"]["evaluate"] = {"test": str(path)}
    assert check(tmp_path, values) == 0
    assert "note: 1 of 1 records have no label" in capsys.readouterr().out


def absent_image(values: dict[str, Any], folder: Path) -> None:
    path = folder / "captions.jsonl"
    path.write_text('{"image_id": "nowhere", "captions": ["a red circle"]}\n')
    values["data"]["evaluate"] = {"dev": str(path)}


def no_store(values: dict[str, Any], folder: Path) -> None:
    values["data"]["regions"] = ""


def broken_line(values: dict[str, Any], folder: Path) -> None:
    path = folder / "captions.jsonl"
    path.write_text('{"image_id": "a", "captions": ["one"]}\n{"image_id": "b", "captions": "one"}\n')
    values["data"]["train"] = str(path)


def missing_tags(values: dict[str, Any], folder: Path) -> None:
    path = folder / "tags.jsonl"
    path.write_text(json.dumps({"image_id": "nowhere", "tags": ["circle"]}) + "\n")
    values["options"]["object_tags"] = str(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (absent_image, "error: 1 of 1 images are not in"),
        (no_store, "error: data.regions: names no region store"),
        (broken_line, "captions.jsonl:2: captions: expected a list of strings"),
        (missing_tags, "images have no tags in"),
    ],
)
def test_what_training_would_stop_at(
    small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: Any, message: str
) -> None:
    values = job(small_world, "captioning", tmp_path / "run")
    change(values, tmp_path)
    assert check(tmp_path, values) == 2
    captured = capsys.readouterr()
    assert message in captured.out
    assert "would stop the training" in captured.err
    assert len(captured.err.strip().splitlines()) == 1


def test_unknown_labels(small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = job(small_world, "text_classification", tmp_path / "run")
    values["options"]["labels"] = ["0", "yes"]
    assert check(tmp_path, values) == 2
    assert "error: 30 labels cannot be used, the first: statements_train.tsv:" in capsys.readouterr().out


def test_training_without_labels(small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = job(small_world, "text_classification", tmp_path / "run")
    values["options"]["columns"]["label"] = "lable"
    assert check(tmp_path, values) == 2
    assert "60 of 60 records have no label; is options.columns.label right?" in capsys.readouterr().out
