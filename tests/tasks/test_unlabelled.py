"""Files without labels are predicted, not scored; what has a label is scored as if the rest were not there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.conftest import SmallWorld
from tests.tasks.jobs import job, write_job
from unimo.cli import main


def rewrite(source: Path, target: Path, columns: Sequence[int], drop_labels: Sequence[int] = ()) -> Path:
    """A table with some of its columns, and with the labels of some lines taken out."""
    rows = [line.split("\t") for line in source.read_text().splitlines()]
    for number in drop_labels:
        rows[number][-1] = ""
    target.write_text("".join("\t".join(row[column] for column in columns) + "\n" for row in rows))
    return target


@pytest.mark.parametrize(("task", "metric"), [("text_classification", "accuracy"), ("text_regression", "pearson")])
def test_tables_without_labels(
    small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str], task: str, metric: str
) -> None:
    dev = small_world.world / "statements_dev.tsv"
    assert dev.read_text().splitlines()[0] == "text_a\ttext_b\tlabel"
    splits = {
        "dev": str(dev),
        "unlabelled": str(rewrite(dev, tmp_path / "unlabelled.tsv", [0, 1])),
        "half": str(rewrite(dev, tmp_path / "half.tsv", [0, 1, 2], [2, 4])),
    }
    values = job(small_world, task, tmp_path / "run")
    values["data"]["evaluate"] = splits
    assert main(["train", "--config", str(write_job(tmp_path / "job.yaml", values))]) == 0
    report = json.loads((tmp_path / "run" / "report.json").read_text())["splits"]
    assert report["unlabelled"] == {metric: None}
    assert report["dev"][metric] is not None
    assert report["half"]["loss"] != report["dev"]["loss"]

    def predictions(split: str) -> list[object]:
        lines = (tmp_path / "run" / "predictions" / f"{split}.jsonl").read_text().splitlines()
        return [{k: v for k, v in json.loads(line).items() if k != "record_id"} for line in lines]

    assert predictions("unlabelled") == predictions("half") == predictions("dev")
    capsys.readouterr()
    assert main(["evaluate", "--checkpoint", str(tmp_path / "run" / "checkpoints" / "best")]) == 0
    out = capsys.readouterr().out
    assert "half: 2 of 12 records have no label: predicted, not scored" in out
    assert f"unlabelled.{metric}: undefined" in out


def test_entailment_without_agreement(
    small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [json.loads(line) for line in (small_world.world / "entailment_train.jsonl").read_text().splitlines()]
    lines = [
        {"Flickr30K_ID": row["image_id"], "sentence2": row["hypothesis"], "gold_label": row["label"], "pairID": str(n)}
        for n, row in enumerate(rows)
    ]
    path = tmp_path / "snli_ve_train.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in [*lines, {**lines[0], "gold_label": "-"}]))
    values = job(small_world, "text_classification", tmp_path / "run")
    values |= {"task": "visual_entailment", "options": {}}
    data = {"regions": str(small_world.regions), "train": str(path), "evaluate": {"train": str(path)}}
    values["data"] |= data
    assert main(["train", "--config", str(write_job(tmp_path / "job.yaml", values))]) == 0
    assert f"1 of {len(rows) + 1} records have no label and are left out" in capsys.readouterr().out
    predicted = (tmp_path / "run" / "predictions" / "train.jsonl").read_text().splitlines()
    assert len(predicted) == len(rows) + 1


def test_images_to_caption(small_world: SmallWorld, tmp_path: Path) -> None:
    images = [json.loads(line)["image_id"] for line in (small_world.world / "captioning_dev.jsonl").open()]
    path = tmp_path / "image_info_test2014.json"
    path.write_text(json.dumps({"images": [{"id": n, "file_name": f"{name}.png"} for n, name in enumerate(images)]}))
    values = job(small_world, "captioning", tmp_path / "run")
    values["data"]["evaluate"] = {"test": str(path)}
    assert main(["train", "--config", str(write_job(tmp_path / "job.yaml", values))]) == 0
    lines = (tmp_path / "run" / "predictions" / "test.jsonl").read_text().splitlines()
    assert [json.loads(line)["image_id"] for line in lines] == [f"test2014/{name}" for name in images]
