"""VQA v2 (Goyal et al., 2017): a file of questions, and beside it one of annotations with ten answers each.

`v2_OpenEnded_mscoco_train2014_questions.json` has its answers in `v2_mscoco_train2014_annotations.json`. An image's id
is COCO's path without the suffix, ``train2014/COCO_train2014_000000458752``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from unimo.data.formats.json_fields import expecting, string
from unimo.data.records import QuestionRecord
from unimo.errors import InputError
from unimo.files import read_json


def questions(values: Any, file: Path) -> list[QuestionRecord]:
    """Every question, with its answers where the annotations lie beside the file (test questions have none).

    Raises:
        InputError: not VQA's questions or annotations, or annotations of other questions.
    """
    with expecting("VQA's questions", file):
        folder = image_folder(string(values["data_subtype"], "data_subtype"))
        rows = [
            (str(q["question_id"]), int(q["image_id"]), string(q["question"], "question")) for q in values["questions"]
        ]
    answers = read_annotations(path) if (path := annotations_of(file)) is not None else {}
    if path is not None and (absent := [name for name, _, _ in rows if name not in answers]):
        raise InputError.at(path, f"{len(absent)} questions of {file.name} are missing, the first is {absent[0]}")
    return [
        QuestionRecord(name, f"{folder}/COCO_{folder}_{image:012d}", question.strip(), answers.get(name, ()))
        for name, image, question in rows
    ]


def image_folder(subtype: str) -> str:
    """COCO's folder of the pictures; `test-dev2015` is a part of `test2015`."""
    return "test2015" if subtype.startswith("test") else subtype


def annotations_of(file: Path) -> Path | None:
    """The annotations that belong to a file of questions; None where they are not there."""
    name = file.name.removesuffix(".gz").replace("OpenEnded_", "").replace("questions", "annotations")
    paths = [file.with_name(name), file.with_name(f"{name}.gz")]
    return next((path for path in paths if path.name != file.name and path.is_file()), None)


def read_annotations(path: Path) -> dict[str, tuple[str, ...]]:
    """Question id -> the answers that people gave.

    Raises:
        InputError: not VQA's annotations.
    """
    with expecting("VQA's annotations", path):
        return {
            str(each["question_id"]): tuple(string(given["answer"], "answer") for given in each["answers"])
            for each in read_json(path)["annotations"]
        }
