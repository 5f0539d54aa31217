"""Questions about images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from unimo.data.formats import visual_genome, vqa
from unimo.data.formats.json_fields import read_jsonl, string, strings
from unimo.data.formats.parts import whole_file
from unimo.data.records import QuestionRecord
from unimo.files import input_files, read_json, suffix_of


def read_questions(path: str | Path) -> list[QuestionRecord]:
    """Questions with their answers, one JSON object a line, or as they are published.

    A line is ``{"question_id": str?, "image_id": str, "question": str, "answer": str?, "answers": [str, ...]?}``. A
    `.json` file is VQA v2's questions, its annotations beside it, or Visual Genome's question_answers.json. A filelist
    names several of these files, one a line, whose records come one after the other.

    Raises:
        InputError: missing or empty file, none of these formats, or a broken record; with line.
    """
    return [record for file in input_files(whole_file(path)) for record in _read_file(file)]


def _read_file(file: Path) -> list[QuestionRecord]:
    if suffix_of(file) == ".json":
        values = read_json(file)
        return (visual_genome if isinstance(values, list) else vqa).questions(values, file)
    return read_jsonl(file, _from_line)


def _from_line(line_id: str, fields: dict[str, Any]) -> QuestionRecord:
    answers = strings(fields.get("answers", []), "answers")
    if "answer" in fields:
        answers = (*answers, string(fields["answer"], "answer"))
    question = string(fields["question"], "question")
    return QuestionRecord(str(fields.get("question_id", line_id)), str(fields["image_id"]), question, answers)
