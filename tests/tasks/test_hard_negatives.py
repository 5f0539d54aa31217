"""Accuracies over a right caption and its wrong ones, and the verb that prints them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tests.conftest import SmallWorld
from tests.tasks.jobs import job, write_job
from unimo.cli import main
from unimo.regions.extract import extract
from unimo.regions.proposals.codebook import Codebook
from unimo.regions.proposals.options import ProposalOptions
from unimo.tasks.hard_negatives import CHANCE, accuracies
from unimo.worlds.shapes.negatives import NUM_WRONG


def test_accuracies_by_kind() -> None:
    scores = np.zeros((4, 1 + NUM_WRONG))
    scores[:, 0] = 1.0
    scores[1, 1] = 2.0  # a wrong object is preferred
    scores[2, -1] = 1.0  # a tie with a wrong relation
    found = accuracies(scores)
    assert found["accuracy"] == 0.5
    assert found["pairwise"] == pytest.approx({"object": 11 / 12, "attribute": 1.0, "relation": 11 / 12})
    assert found["accuracy_by_kind"] == {"object": 0.75, "attribute": 1.0, "relation": 0.75}
    assert accuracies(scores[:0])["accuracy"] is None


def test_random_scores_are_at_chance() -> None:
    scores = np.random.default_rng(0).random((20000, 1 + NUM_WRONG))
    assert accuracies(scores)["accuracy"] == pytest.approx(CHANCE, abs=0.01)


@pytest.fixture(scope="module")
def checkpoint(small_world: SmallWorld, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pre-trained checkpoint that reads at most four regions of an image."""
    folder = tmp_path_factory.mktemp("negatives")
    values = job(small_world, "pretraining", folder / "run")
    values["data"] |= {"evaluate": {}, "max_regions": 4}
    assert main(["train", "--config", str(write_job(folder / "job.yaml", values))]) == 0
    return folder / "run" / "checkpoints" / "best"


def evaluate(checkpoint: Path, world: Path, output: Path, *more: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The numbers and the predictions that the verb writes."""
    files = ["--json", f"{output}.json", "--predictions", f"{output}.jsonl"]
    given = ["evaluate-negatives", "--checkpoint", str(checkpoint), "--world", str(world)]
    assert main([*given, *files, *more]) == 0
    lines = Path(f"{output}.jsonl").read_text(encoding="utf-8").splitlines()
    return json.loads(Path(f"{output}.json").read_text()), [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def expected(checkpoint: Path, small_world: SmallWorld, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What comes out with everything named."""
    named = ["--regions", str(small_world.regions), "--max_regions", "4"]
    return evaluate(checkpoint, small_world.world, tmp_path_factory.mktemp("named") / "found", *named)


def test_the_verb_scores_a_checkpoint(expected: Any) -> None:
    found, lines = expected
    assert found["count"] == len(lines) == 36
    for scorer in ("matching_head", "likelihood"):
        assert set(found[scorer]["pairwise"]) == {"object", "attribute", "relation"}
    assert found["matching_head"]["shuffled"]["pairwise"] != found["matching_head"]["pairwise"]


def test_hidden_words_are_compared_where_captions_differ_token_by_token(expected: Any) -> None:
    words = expected[0]["hidden_words"]
    assert words["compared"]["object"] > 0.5 and 0 < words["compared"]["relation"] < 1
    assert set(words["pairwise"]) == set(words["shuffled"]["pairwise"]) == {"object", "attribute", "relation"}


def test_the_predictions_give_the_same_numbers(expected: Any) -> None:
    found, lines = expected
    for scorer in ("matching_head", "likelihood"):
        scores = [[each["scores"][scorer] for each in (line, *line["wrong"])] for line in lines]
        assert accuracies(np.asarray(scores))["pairwise"] == pytest.approx(found[scorer]["pairwise"])
        won = [line["scores"][scorer] > max(wrong["scores"][scorer] for wrong in line["wrong"]) for line in lines]
        assert found[scorer]["accuracy"] == pytest.approx(np.mean(won))
        seen = np.asarray([row for row, line in zip(scores, lines, strict=True) if not line["unseen"]])
        assert accuracies(seen)["accuracy"] == pytest.approx(found[scorer]["seen"]["accuracy"])
    assert [wrong["kind"] for wrong in lines[0]["wrong"]] == ["object"] * 3 + ["attribute"] * 4 + ["relation"] * 3
    assert list(lines[0]) == ["image_id", "caption", "unseen", "scores", "wrong"]
    assert list(lines[0]["wrong"][0]) == ["kind", "text", "scores"]


def test_the_store_that_the_checkpoint_was_trained_with(
    expected: Any, checkpoint: Path, small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = shutil.copytree(small_world.world, tmp_path / "world")  # no store lies beside this one
    assert evaluate(checkpoint, world, tmp_path / "found") == expected
    assert f"images: read from {small_world.regions}" in capsys.readouterr().err


def elsewhere(checkpoint: Path, folder: Path, regions: Path) -> Path:
    """A copy of the checkpoint whose job names another store."""
    copy = shutil.copytree(checkpoint, folder / "checkpoint")
    values = yaml.safe_load((copy / "config.yaml").read_text())
    values["data"]["regions"] = str(regions)
    (copy / "config.yaml").write_text(yaml.safe_dump(values))
    (copy / "manifest.json").unlink()  # which lists the job as it was written
    return copy


def test_the_store_beside_the_world(
    expected: Any, checkpoint: Path, small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = elsewhere(checkpoint, tmp_path, tmp_path / "gone")
    assert evaluate(copy, small_world.world, tmp_path / "found") == expected
    told = capsys.readouterr().err
    assert f"images: not from {tmp_path / 'gone'}: no such folder" in told
    assert f"images: read from {small_world.regions}" in told


def test_pictures_where_no_store_fits(
    expected: Any, checkpoint: Path, small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One store holds other features, the one beside the world lacks the split's images."""
    world = shutil.copytree(small_world.world, tmp_path / "world")
    few = tmp_path / "few"
    few.mkdir()
    for path in sorted((world / "images").glob("train_*"))[:8]:
        shutil.copy(path, few)
    codebook = Codebook.load(small_world.regions / "detector" / "codebook.npz")
    extract(few, tmp_path / "regions", ProposalOptions(feature_size=32, num_classes=8, max_regions=8), codebook)
    extract(few, tmp_path / "other", ProposalOptions(feature_size=48, num_classes=8, max_regions=8))
    copy = elsewhere(checkpoint, tmp_path, tmp_path / "other")
    assert evaluate(copy, world, tmp_path / "found") == expected
    told = capsys.readouterr().err
    assert "other region features" in told and "12 of 12 images are not in it" in told
    assert f"images: 12 pictures of {world / 'images'} described by {copy / 'detector'}" in told


def test_no_store_and_no_detector_is_told(
    checkpoint: Path, small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = shutil.copytree(small_world.world, tmp_path / "world")
    copy = elsewhere(checkpoint, tmp_path, tmp_path / "gone")
    shutil.rmtree(copy / "detector")
    assert main(["evaluate-negatives", "--checkpoint", str(copy), "--world", str(world)]) == 2
    told = capsys.readouterr().err
    assert "regions: no store was found" in told and "no detector" in told


@pytest.mark.parametrize("task", ["retrieval", "text_classification"])
def test_a_checkpoint_is_scored_by_the_heads_that_it_has(
    small_world: SmallWorld, tmp_path: Path, task: str, capsys: pytest.CaptureFixture[str]
) -> None:
    values = job(small_world, task, tmp_path / "run")
    values["data"] |= {"evaluate": {}, "regions": str(small_world.regions)}
    values["options"] |= {"num_negative_images": 1, "num_negative_captions": 1} if task == "retrieval" else {}
    assert main(["train", "--config", str(write_job(tmp_path / "job.yaml", values))]) == 0
    checkpoint = tmp_path / "run" / "checkpoints" / "latest"
    if task == "retrieval":
        found, _ = evaluate(checkpoint, small_world.world, tmp_path / "found")
        assert set(found) == {"count", "chance", "matching_head"}
    else:
        assert main(["evaluate-negatives", "--checkpoint", str(checkpoint), "--world", str(small_world.world)]) == 2
        assert "no head that scores an image with a text" in capsys.readouterr().err
