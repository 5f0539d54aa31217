"""CoQA (Reddy et al., 2019): `coqa-<split>-v1.0.json`, stories with conversations about them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from unimo.data.formats.json_fields import expecting
from unimo.data.records import DialogueRecord
from unimo.errors import InputError


def dialogues(values: Any, file: Path) -> list[DialogueRecord]:
    """Every question with the story and the questions and answers before it.

    The last turn is the question; record ids are `<story id>:<turn>`.

    Raises:
        InputError: not CoQA's JSON, or no questions in it.
    """
    records = []
    with expecting("CoQA's JSON", file):
        for story in values["data"]:
            answers = {answer["turn_id"]: str(answer["input_text"]) for answer in story.get("answers", [])}
            turns: list[str] = []
            for question in story["questions"]:
                turns.append(str(question["input_text"]))
                answer = answers.get(question["turn_id"])
                name = f"{story['id']}:{question['turn_id']}"
                records.append(DialogueRecord(name, str(story["story"]), tuple(turns), answer))
                turns.append(answer or "")
    if not records:
        raise InputError.at(file, "no questions")
    return records
