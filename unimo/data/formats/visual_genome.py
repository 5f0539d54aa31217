"""Visual Genome (Krishna et al., 2017): `question_answers.json` and `region_descriptions.json`.

An image's id is ``VG_100K/<number>``: the files do not say in which of the two picture folders it lies, and the region
store finds it in either (see ``regions.names``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from unimo.data.formats.json_fields import expecting, string
from unimo.data.records import CaptionRecord, QuestionRecord
from unimo.errors import InputError


def questions(values: Any, file: Path) -> list[QuestionRecord]:
    """Every question with its one answer.

    Raises:
        InputError: not Visual Genome's questions, or none in them.
    """
    with expecting("Visual Genome's questions", file):
        records = [
            QuestionRecord(
                str(qa["qa_id"]),
                _image_id(image),
                string(qa["question"], "question"),
                (string(qa["answer"], "answer"),),
            )
            for image in values
            for qa in image["qas"]
        ]
    if not records:
        raise InputError.at(file, "no questions")
    return records


def region_captions(values: Any, file: Path) -> list[CaptionRecord]:
    """Every image with the descriptions of its regions as captions; images without one are left out.

    Raises:
        InputError: not Visual Genome's region descriptions, or none in them.
    """
    with expecting("Visual Genome's region descriptions", file):
        records = [
            CaptionRecord(f"{file.name}:{image['id']}", _image_id(image), captions)
            for image in values
            if (captions := tuple(string(region["phrase"], "phrase").strip() for region in image["regions"]))
        ]
    if not records:
        raise InputError.at(file, "no descriptions")
    return records


def _image_id(image: dict[str, Any]) -> str:
    return f"VG_100K/{int(image['id'])}"
