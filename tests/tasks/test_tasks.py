"""Every task trains, evaluates, saves and predicts through the command line, on a small world."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import SmallWorld
from tests.tasks.jobs import job, write_job
from unimo.cli import main

METRICS = {
    "pretraining": ("test", {"match.text_to_image.r1", "likelihood.image_to_text.r10"}),
    "captioning": ("dev", {"cider", "bleu_4"}),
    "retrieval": ("dev", {"text_to_image.r1", "image_to_text.r5", "mean_r1"}),
    "text_classification": ("dev", {"accuracy", "loss"}),
}


def run_folder(small: SmallWorld, task: str, tmp_path: Path) -> Path:
    output = tmp_path / task
    config = write_job(tmp_path / f"{task}.yaml", job(small, task, output))
    assert main(["train", "--config", str(config)]) == 0
    return output


@pytest.mark.parametrize("task", list(METRICS))
def test_train_leaves_a_whole_run_folder(small_world: SmallWorld, tmp_path: Path, task: str) -> None:
    output = run_folder(small_world, task, tmp_path)
    split, names = METRICS[task]
    report = json.loads((output / "report.json").read_text())
    assert names <= set(report["splits"][split])
    events = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    assert [event["step"] for event in events if event["split"] == "train"] == [2, 4, 6]
    assert {"config.yaml", "environment.json", "checkpoints", "predictions"} <= {p.name for p in output.iterdir()}
    kept = sorted(p.name for p in (output / "checkpoints").iterdir())
    assert kept == ["best", "latest", "step-00000004", "step-00000006"]
    assert (output / "predictions" / f"{split}.jsonl").read_text().strip()


def test_evaluate_repeats_the_scores_of_training(
    small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = run_folder(small_world, "text_classification", tmp_path)
    expected = json.loads((output / "report.json").read_text())["splits"]
    scores = tmp_path / "scores"
    assert main(["evaluate", "--checkpoint", str(output / "checkpoints" / "best"), "--predictions", str(scores)]) == 0
    found = json.loads((scores / "report.json").read_text())["splits"]
    assert found["dev"] == pytest.approx(expected["dev"])
    assert found["test"] == pytest.approx(expected["test"])
    assert "dev.accuracy" in capsys.readouterr().out


def test_predict_captions_one_photograph(
    small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = run_folder(small_world, "captioning", tmp_path)
    capsys.readouterr()
    photo = next((small_world.world / "images").glob("test_*.png"))
    checkpoint = str(output / "checkpoints" / "best")
    asked = ["predict", "--task", "captioning", "--checkpoint", checkpoint, "--images", str(photo)]
    assert main(asked) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert main([*asked, "--options.decoding.num_best", "2", "--options.decoding.beam_size", "3"]) == 0
    assert len(json.loads(capsys.readouterr().out)["candidates"]) == 2
    assert main([*asked, "--options.decoding.num_bests", "2"]) == 2
    assert "num_best" in capsys.readouterr().err


def test_predict_ranks_images_for_a_text(
    small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = run_folder(small_world, "retrieval", tmp_path)
    capsys.readouterr()
    photos = [str(path) for path in sorted((small_world.world / "images").glob("test_*.png"))[:3]]
    checkpoint = str(output / "checkpoints" / "best")
    arguments = ["--checkpoint", checkpoint, "--images", *photos, "--texts", "a red circle"]
    assert main(["predict", "--task", "retrieval", *arguments]) == 0
    ranked = json.loads(capsys.readouterr().out)["images"]
    assert {entry["image"] for entry in ranked} == set(photos)
    scores = [entry["score"] for entry in ranked]
    assert scores == sorted(scores, reverse=True)


def test_predict_labels_a_pair_of_texts(
    small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = run_folder(small_world, "text_classification", tmp_path)
    capsys.readouterr()
    checkpoint = str(output / "checkpoints" / "best")
    texts = ["a red circle ||| a circle that is red"]
    assert main(["predict", "--task", "text_classification", "--checkpoint", checkpoint, "--texts", *texts]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["label"] in ("0", "1")
    assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-5)
