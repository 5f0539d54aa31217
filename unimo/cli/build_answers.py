"""`unimo build-answers`: the answers that a question answering model chooses from.

Example::

    python -m unimo build-answers --output answers.json --min_count 9 \\
        --input v2_OpenEnded_mscoco_train2014_questions.json v2_OpenEnded_mscoco_val2014_questions.json

An answer is taken where it is the most given one of enough questions, normalised as the official evaluation does. On
VQA v2's training and validation questions, 9 gives the list of about 3,129 that the literature uses.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SUMMARY = "collect the frequent answers of question files, for question answering to choose from"


@dataclass(frozen=True)
class Arguments:
    """Questions in, answers out."""

    input: tuple[Path, ...]
    """Files of questions with answers."""

    output: Path
    """JSON list of the answers, the most frequent first."""

    min_count: int = 9
    """Questions of which an answer must be the most given one."""


def run(arguments: Arguments) -> int:
    """Count, write, and print how much the list covers."""
    from unimo.data.answers import frequent_answers, normalize_answer
    from unimo.data.formats.questions import read_questions
    from unimo.errors import InputError
    from unimo.files import write_json

    given = [record.answers for path in arguments.input for record in read_questions(path) if record.answers]
    answers = frequent_answers(given, arguments.min_count)
    if not answers:
        raise InputError(f"min_count: no answer is the most given one of {arguments.min_count} questions")
    known = set(answers)
    covered = sum(any(normalize_answer(answer) in known for answer in each) for each in given)
    write_json(arguments.output, answers)
    print(f"{arguments.output}: {len(answers)} answers; {covered} of {len(given)} questions have one of them")
    return 0
