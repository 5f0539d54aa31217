"""What evaluation writes and says: submissions of servers, several references, notes on scores that are missing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SmallWorld
from tests.tasks.jobs import job, write_job
from unimo.cli import main
from unimo.metrics.generation import generation_metrics


def train(folder: Path, values: dict[str, Any]) -> Path:
    """The best checkpoint of a job."""
    assert main(["train", "--config", str(write_job(folder / "job.yaml", values))]) == 0
    return Path(values["output"]) / "checkpoints" / "best"


def test_evaluate_writes_submissions(
    small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    best = train(tmp_path, job(small_world, "text_classification", tmp_path / "run"))
    scores = tmp_path / "scores"
    evaluate = ["evaluate", "--checkpoint", str(best), "--predictions", str(scores)]
    assert main([*evaluate, "--submission", "{test: SST-2}"]) == 0
    assert "SST-2.tsv: 12 rows, but GLUE's test set has 1821" in capsys.readouterr().out
    written = (scores / "submission" / "SST-2.tsv").read_text().splitlines()
    predicted = [json.loads(line) for line in (scores / "predictions" / "test.jsonl").read_text().splitlines()]
    assert written == ["index\tprediction", *(f"{n}\t{each['label']}" for n, each in enumerate(predicted))]
    for submission, message in (
        ("{tset: SST-2}", "submission: 'tset' names none of the splits dev, test"),
        ("{test: STS-B}", "submission: STS-B takes predictions of text_regression"),
    ):
        assert main([*evaluate, "--submission", submission]) == 2
        assert message in capsys.readouterr().err
    assert main(["evaluate", "--checkpoint", str(best), "--submission", "{test: SST-2}"]) == 2
    assert "needs --predictions" in capsys.readouterr().err


def test_answers_of_several_people_are_scored(small_world: SmallWorld, tmp_path: Path) -> None:
    turns = [{"turn_id": n, "input_text": f"is it a {color} circle?"} for n, color in enumerate(("red", "blue"), 1)]
    answers = [{"turn_id": turn["turn_id"], "input_text": "yes it is"} for turn in turns]
    others = {str(n): [{**answer, "input_text": f"no {n}"} for answer in answers] for n in range(3)}
    story = {"id": "s", "story": "a red circle", "questions": turns, "answers": answers}
    for name, stories in (("one", [story]), ("four", [story | {"additional_answers": others}])):
        (tmp_path / f"{name}.json").write_text(json.dumps({"data": stories}))
    values = job(small_world, "text_classification", tmp_path / "run") | {"task": "text_generation"}
    values["data"] |= {"train": str(tmp_path / "one.json")}
    values["data"]["evaluate"] = {name: str(tmp_path / f"{name}.json") for name in ("one", "four")}
    values["options"] = {"num_turns": 4, "metrics": ["coqa_f1"], "decoding": {"beam_size": 1, "max_length": 4}}
    train(tmp_path, values)
    scores = json.loads((tmp_path / "run" / "report.json").read_text())["splits"]
    assert scores["one"]["loss"] == scores["four"]["loss"]  # trained on and measured by the first answer only
    lines = (tmp_path / "run" / "predictions" / "four.jsonl").read_text().splitlines()
    texts = {each["record_id"]: each["text"] for each in map(json.loads, lines)}
    references = {name: ["yes it is", "no 0", "no 1", "no 2"] for name in texts}
    expected, _ = generation_metrics(texts, references, ["coqa_f1"])
    assert {name: scores["four"][name] for name in expected} == expected


def test_missing_tools_are_said_once(
    small_world: SmallWorld,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    values = job(small_world, "captioning", tmp_path / "run")
    values["options"]["metrics"] = ["cider", "meteor"]
    best = train(tmp_path, values)  # which evaluates twice
    assert capsys.readouterr().out.count("dev: METEOR: not computed, java was not found") == 1
    assert json.loads((tmp_path / "run" / "report.json").read_text())["splits"]["dev"]["meteor"] is None
    assert main(["evaluate", "--checkpoint", str(best)]) == 0
    out = capsys.readouterr().out
    assert "dev.meteor: undefined" in out
    assert out.count("dev: METEOR: not computed, java was not found") == 1


def test_unknown_metrics_are_refused_before_training(
    small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = job(small_world, "captioning", tmp_path / "run")
    values["options"]["metrics"] = ["cidre"]
    assert main(["train", "--config", str(write_job(tmp_path / "job.yaml", values))]) == 2
    assert "options.metrics: metrics: unknown cidre; there are bleu" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
