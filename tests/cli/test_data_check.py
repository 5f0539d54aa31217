"""`unimo data check`: what it shows of whole data, and that it finds what training would stop at."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SmallWorld
from tests.tasks.jobs import job, write_job
from unimo.augment.job import augment
from unimo.augment.options import AugmentConfig, PairFiles
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


@pytest.fixture(scope="module")
def corpus(small_world: SmallWorld, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Captions with retrieved images, of which the region store lacks those whose name begins with `absent_`."""
    world, output = small_world.world, tmp_path_factory.mktemp("augmented") / "corpus"
    pairs = PairFiles((str(world / "captions_train.jsonl"),))
    given = {"images": (str(world / "images_train.jsonl"),), "regions": str(small_world.regions)}
    augment(AugmentConfig(pairs, str(output), **given), quiet=True)
    return output


@pytest.mark.parametrize("verb", [("data", "check"), ("train", "--dry_run"), ("train",)])
def test_retrieved_images_must_be_in_the_store(
    small_world: SmallWorld,
    corpus: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    verb: tuple[str, str],
) -> None:
    own = tmp_path / "corpus"
    shutil.copytree(corpus, own)
    values = job(small_world, "pretraining", tmp_path / "run")
    values["options"]["contrastive"]["augmented"] = str(own)
    command = [*verb, "--config", str(write_job(tmp_path / "job.yaml", values))]
    assert main(command) == 0
    told = capsys.readouterr().out
    assert verb == ("train",) or f"images to retrieve: 20, all in {small_world.regions}" in told
    shutil.rmtree(tmp_path / "run", ignore_errors=True)
    names = own / "images.txt"  # names follow each other, so that others must be as long
    names.write_text(names.read_text().replace("images_", "absent_", 5))
    assert main(command) == 2
    captured = capsys.readouterr()
    told = captured.out + captured.err
    if verb == ("train",):
        assert f"options.contrastive.augmented: {own}: 5 images are not in {small_world.regions}" in told
    else:
        assert f"options.contrastive.augmented: 5 of 20 images to retrieve are not in {small_world.regions}: " in told
        assert told.count("'absent_") == 3
    values["options"]["contrastive"]["counts"] = {"images": 0}
    write_job(tmp_path / "job.yaml", values)
    assert main(command) == 0, "none is ever drawn"
