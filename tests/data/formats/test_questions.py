"""VQA v2, Visual Genome's questions, and SNLI-VE in their exact layouts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from unimo.data.formats.entailment import read_entailment
from unimo.data.formats.questions import read_questions
from unimo.errors import InputError

QUESTIONS = "v2_OpenEnded_mscoco_{}_questions.json"


def vqa(folder: Path, subtype: str, annotated: bool = True, ids: tuple[int, ...] = (458752000, 458752001)) -> Path:
    questions = [{"image_id": 458752, "question": "What is this?", "question_id": number} for number in ids]
    head = {"info": {"version": "2.0"}, "license": {}, "data_subtype": subtype, "data_type": "mscoco"}
    path = folder / QUESTIONS.format(subtype)
    path.write_text(json.dumps({**head, "task_type": "Open-Ended", "questions": questions}))
    if annotated:
        answers = [{"answer": "net", "answer_confidence": "maybe", "answer_id": each} for each in range(1, 11)]
        kinds = {"question_type": "what is this", "multiple_choice_answer": "net", "answer_type": "other"}
        rows = [{**kinds, "answers": answers, "image_id": 458752, "question_id": number} for number in ids]
        text = json.dumps({**head, "annotations": rows})
        (folder / f"v2_mscoco_{subtype}_annotations.json").write_text(text)
    return path


def test_vqa_with_its_annotations(tmp_path: Path) -> None:
    first, second = read_questions(vqa(tmp_path, "train2014"))
    assert (first.record_id, first.question) == ("458752000", "What is this?")
    assert first.image_id == "train2014/COCO_train2014_000000458752"
    assert first.answers == ("net",) * 10
    assert second.record_id == "458752001"


def test_vqa_test_questions_have_no_answers(tmp_path: Path) -> None:
    first, _ = read_questions(vqa(tmp_path, "test-dev2015", annotated=False))
    assert first.image_id == "test2015/COCO_test2015_000000458752"
    assert first.answers == ()


def test_vqa_annotations_of_other_questions(tmp_path: Path) -> None:
    vqa(tmp_path, "val2014", ids=(1, 2))
    path = vqa(tmp_path, "val2014", annotated=False, ids=(1, 3))
    with pytest.raises(InputError, match=r"v2_mscoco_val2014_annotations.json: 1 questions of .* the first is 3"):
        read_questions(path)


def test_visual_genome(tmp_path: Path) -> None:
    qa = {"a_objects": [], "question": "What color is the clock?", "image_id": 1, "qa_id": 986768, "answer": "Green."}
    path = tmp_path / "question_answers.json"
    path.write_text(json.dumps([{"id": 1, "qas": [{**qa, "q_objects": []}]}]))
    [record] = read_questions(path)
    assert (record.record_id, record.image_id, record.answers) == ("986768", "VG_100K/1", ("Green.",))


def test_a_filelist_joins_the_questions_of_several_datasets(tmp_path: Path) -> None:
    for subtype, number in (("train2014", 1), ("val2014", 2)):
        vqa(tmp_path, subtype, ids=(number,))
    qa = {"question": "What color is the clock?", "qa_id": 3, "answer": "Green."}
    (tmp_path / "question_answers.json").write_text(json.dumps([{"id": 1, "qas": [qa]}]))
    names = [QUESTIONS.format("train2014"), QUESTIONS.format("val2014"), "question_answers.json"]
    path = tmp_path / "trainval_filelist.txt"
    path.write_text("\n".join(names) + "\n")
    records = read_questions(path)
    assert [record.record_id for record in records] == ["1", "2", "3"]
    assert [len(record.answers) for record in records] == [10, 10, 1]
    path.write_text("absent.json\n")
    with pytest.raises(InputError, match=r":1: absent.json: no such file"):
        read_questions(path)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "not VQA's questions (KeyError: 'data_subtype')"),
        ({"data_subtype": "val2014", "questions": [{"question_id": 1}]}, "not VQA's questions (KeyError: 'image_id')"),
        ([{"id": 1}], "not Visual Genome's questions (KeyError: 'qas')"),
        ([], "no questions"),
        (None, "not VQA's questions (TypeError"),
    ],
)
def test_other_json_is_refused(tmp_path: Path, values: Any, message: str) -> None:
    path = tmp_path / "questions.json"
    path.write_text(json.dumps(values))
    with pytest.raises(InputError) as caught:
        read_questions(path)
    assert message in str(caught.value)


SNLI_VE = {
    "Flickr30K_ID": "4705552913",
    "annotator_labels": ["neutral", "entailment", "neutral"],
    "captionID": "4705552913.jpg#2",
    "gold_label": "neutral",
    "pairID": "4705552913.jpg#2r1n",
    "sentence1": "Two women are embracing.",
    "sentence2": "The sisters are hugging goodbye.",
}


def test_snli_ve_and_its_labels_without_agreement(tmp_path: Path) -> None:
    older = {**{k: v for k, v in SNLI_VE.items() if k != "Flickr30K_ID"}, "Flikr30kID": "4705552913.jpg"}
    lines = [SNLI_VE, {**SNLI_VE, "gold_label": "-", "pairID": "p"}, older]
    path = tmp_path / "snli_ve_dev.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    first, unsure, third = read_entailment(path)
    assert (first.record_id, first.image_id, first.label) == ("4705552913.jpg#2r1n", "4705552913", "neutral")
    assert first.hypothesis == "The sisters are hugging goodbye."
    assert (unsure.record_id, unsure.label) == ("p", "")
    assert third == first


def test_entailment_lines_name_what_they_lack(tmp_path: Path) -> None:
    path = tmp_path / "snli_ve_dev.jsonl"
    path.write_text(json.dumps(SNLI_VE) + '\n{"Flickr30K_ID": "1", "gold_label": "neutral"}\n')
    with pytest.raises(InputError, match=":2: no field 'sentence2'"):
        read_entailment(path)
