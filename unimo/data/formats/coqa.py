"""CoQA (Reddy et al., 2019): `coqa-<split>-v1.0.json`, stories with conversations about them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from unimo.data.formats.json_fields import expecting
from unimo.data.records import DialogueRecord
from unimo.errors import InputError


def dialogues(values: Any, file: Path) -> list[DialogueRecord]:
    """Every question with the story and the questions and answers before it.

    The last turn is the question; record ids are `<story id>:<turn>`. The dev file has three more people's answers.

    Raises:
        InputError: not CoQA's JSON, or no questions in it.
    """
    records = []
    with expecting("CoQA's JSON", file):
        for story in values["data"]:
            answers = _by_turn(story.get("answers", []))
            others = [_by_turn(given) for given in story.get("additional_answers", {}).values()]
            turns: list[str] = []
            for question in story["questions"]:
                turns.append(str(question["input_text"]))
                turn = question["turn_id"]
                name, answer = f"{story['id']}:{turn}", answers.get(turn)
                more = tuple(given[turn] for given in others if turn in given)
                records.append(DialogueRecord(name, str(story["story"]), tuple(turns), answer, other_targets=more))
                turns.append(answer or "")
    if not records:
        raise InputError.at(file, "no questions")
    return records


def _by_turn(answers: list[Any]) -> dict[Any, str]:
    return {answer["turn_id"]: str(answer["input_text"]) for answer in answers}
