"""Predictions in the forms of the servers of GLUE, COCO and VQA."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from unimo.errors import InputError
from unimo.inference.submissions import GLUE, check_submission, write_submission


def labels(*values: str) -> list[dict[str, Any]]:
    return [{"record_id": f"test.tsv:{n}", "label": value} for n, value in enumerate(values, start=2)]


@pytest.mark.parametrize(
    ("kind", "values"),
    [("SST-2", "01"), ("CoLA", "10"), ("MNLI-m", ["neutral", "entailment"]), ("AX", ["contradiction", "neutral"])],
)
def test_labels_of_glue(tmp_path: Path, kind: str, values: str) -> None:
    path, notes = write_submission(tmp_path, "test", kind, labels(*values))
    assert path == tmp_path / f"{kind}.tsv"
    assert path.read_text() == f"index\tprediction\n0\t{values[0]}\n1\t{values[1]}\n"
    assert notes == [f"{kind}.tsv: 2 rows, but GLUE's test set has {GLUE[kind].num_rows}"]


def test_whole_test_sets_have_no_note(tmp_path: Path) -> None:
    assert write_submission(tmp_path, "test", "WNLI", labels(*"01" * 73))[1] == []


def test_numbers_of_glue_stay_in_their_range(tmp_path: Path) -> None:
    predictions = [{"record_id": "x", "value": value} for value in (2.5, -0.2, 5.3)]
    path, notes = write_submission(tmp_path, "test", "STS-B", predictions)
    assert path.read_text() == "index\tprediction\n0\t2.5000\n1\t0.0000\n2\t5.0000\n"
    assert "2 values were set to the nearest of 0 and 5" in notes[1]


def test_labels_that_glue_does_not_know(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="m: MNLI-m takes contradiction, entailment, neutral, but '0' was predicted"):
        write_submission(tmp_path, "m", "MNLI-m", labels("0", "neutral"))
    assert list(tmp_path.iterdir()) == []


def test_captions(tmp_path: Path) -> None:
    names = ["val2014/COCO_val2014_000000391895", "COCO_test2014_000000000042", "test2017/000000000123", "7"]
    predictions = [{"image_id": name, "caption": f" a dog {n}"} for n, name in enumerate(names)]
    path, notes = write_submission(tmp_path, "test2014", "coco", predictions)
    assert path.name == "captions_test2014_results.json"
    found = json.loads(path.read_text())
    assert found[0] == {"image_id": 391895, "caption": "a dog 0"}
    assert [each["image_id"] for each in found] == [391895, 42, 123, 7]
    assert notes == []
    with pytest.raises(InputError, match="test: image 'test_0001_b' has no number"):
        write_submission(tmp_path, "test", "coco", [{"image_id": "test_0001_b", "caption": "x"}])
    with pytest.raises(InputError, match="image 42 is captioned twice"):
        write_submission(tmp_path, "test", "coco", [*predictions, {"image_id": "42", "caption": "x"}])


def test_answers(tmp_path: Path) -> None:
    path, _ = write_submission(tmp_path, "test2015", "vqa", [{"question_id": "262148000", "answer": "down"}])
    assert json.loads(path.read_text()) == [{"question_id": 262148000, "answer": "down"}]
    with pytest.raises(InputError, match=r"question 'q.jsonl:1' has no number"):
        write_submission(tmp_path, "test2015", "vqa", [{"question_id": "q.jsonl:1", "answer": "down"}])


def test_a_format_belongs_to_a_task() -> None:
    check_submission("SST-2", "text_classification")
    check_submission("STS-B", "text_regression")
    check_submission("vqa", "question_answering")
    with pytest.raises(InputError, match="STS-B takes predictions of text_regression, not of text_classification"):
        check_submission("STS-B", "text_classification")
    with pytest.raises(InputError, match="no format 'sst2'; there are CoLA, SST-2"):
        check_submission("sst2", "text_classification")
