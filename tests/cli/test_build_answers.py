"""The list of answers is what question answering then chooses from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from unimo.cli import main


def test_frequent_answers_are_normalised_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [("The red", 3), ("two", 2), ("blue", 1)]
    questions = tmp_path / "questions.jsonl"
    with open(questions, "w") as stream:
        for answer, count in lines:
            for _ in range(count):
                record = {"image_id": "a", "question": "?", "answers": [answer, answer, "blue"]}
                stream.write(json.dumps(record) + "\n")
    output = tmp_path / "answers.json"
    arguments = ["build-answers", "--input", str(questions), "--output", str(output)]
    assert main([*arguments, "--min_count", "2"]) == 0
    assert json.loads(output.read_text()) == ["red", "2"]
    assert "2 answers; 5 of 6 questions" in capsys.readouterr().out
    assert main([*arguments, "--min_count", "9"]) == 2
