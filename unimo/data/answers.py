"""Short answers to visual questions: how they are compared, scored and chosen (VQA v2's official evaluation)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from unimo.errors import InputError
from unimo.files import read_json

NUMBER_WORDS: Mapping[str, str] = {"none": "0"} | {
    word: str(number)
    for number, word in enumerate(
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
    )
}

ARTICLES = frozenset({"a", "an", "the"})

_CONTRACTED = """
    ain't aren't can't could've couldn't didn't doesn't don't hadn't hasn't haven't he'd he's how'd how'll how's I'm
    I've isn't it'd it'll ma'am mightn't might've mustn't must've needn't not've o'clock oughtn't shan't should've
    shouldn't somebody'll somebody's someone'd someone'll someone's something'd something'll that's there'd there're
    there's they'd they'll they're they've 'twas wasn't we've weren't what'll what're what's what've when's where'd
    where's where've who'd who'll who's who've why'll why're why's won't would've wouldn't y'all you'd you'll you're
    you've
"""

_CONTRACTED_TWICE = """
    couldn't've hadn't've he'd've I'd've it'd've mightn't've she'd've shouldn't've somebody'd've someone'd've
    something'd've there'd've they'd've we'd've who'd've wouldn't've y'all'll y'all'd've you'd've 'ow's'at
"""


def _without_one(word: str) -> list[str]:
    """The word with each of its apostrophes left out in turn."""
    return [word[:place] + word[place + 1 :] for place, character in enumerate(word) if character == "'"]


CONTRACTIONS: Mapping[str, str] = (
    {word.replace("'", ""): word for word in _CONTRACTED.split()}
    | {written: word for word in _CONTRACTED_TWICE.split() for written in _without_one(word)}
    | {"somebody'd": "somebodyd"}
)
"""What people write with an apostrophe too few -> the word, as the official table has it: words that are others without
it (its, well, were) are not there, `I` is never met in lower case, and somebody'd is turned round."""

_PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'
_COMMA_IN_NUMBER = re.compile(r"\d,\d")
_STRAY_PERIOD = re.compile(r"\.(?!\d)")


def trim_answer(answer: str) -> str:
    """An answer without line ends and tabs, and without spaces around it: all that the official evaluation changes
    where people agree."""
    return answer.replace("\n", " ").replace("\t", " ").strip()


def normalize_answer(answer: str) -> str:
    """An answer as the official evaluation compares it where people disagree.

    Lower case, punctuation removed (within a word it becomes a space), number words as digits, no articles,
    contractions with their apostrophe. A mark that stands beside a space anywhere in the answer as it was given, and
    every mark of an answer with a number like 1,000, is removed without a space in its place.
    """
    given = trim_answer(answer)
    number = bool(_COMMA_IN_NUMBER.search(given))
    text = given
    for mark in _PUNCTUATION:
        beside_space = f"{mark} " in given or f" {mark}" in given
        text = text.replace(mark, "" if beside_space or number else " ")
    text = _STRAY_PERIOD.sub("", text)
    words = (NUMBER_WORDS.get(word, word) for word in text.lower().split())
    return " ".join(CONTRACTIONS.get(word, word) for word in words if word not in ARTICLES)


def soft_scores(answers: Sequence[str]) -> dict[str, float]:
    """Normalised answer -> training target: 0.3 a person who gave it, at most 1; a single answer counts fully."""
    counts = Counter(map(normalize_answer, answers))
    if len(answers) == 1:
        return dict.fromkeys(counts, 1.0)
    return {answer: min(1.0, 0.3 * count) for answer, count in counts.items()}


def frequent_answers(questions: Iterable[Sequence[str]], min_count: int) -> list[str]:
    """The answers that are the most given one of at least ``min_count`` questions, most frequent first.

    On VQA v2's training and validation questions 9 gives the usual list of about 3,129.
    """
    counts: Counter[str] = Counter()
    for answers in questions:
        if answers:
            counts[Counter(map(normalize_answer, answers)).most_common(1)[0][0]] += 1
    return [
        answer for answer, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])) if count >= min_count
    ]


def read_answers(path: str | Path) -> list[str]:
    """A JSON list of answers.

    Raises:
        InputError: not a list of different strings.
    """
    values = read_json(path)
    if not isinstance(values, list) or not values or not all(isinstance(value, str) for value in values):
        raise InputError.at(path, "not a list of answers")
    if len(set(values)) < len(values):
        raise InputError.at(path, "an answer stands in the list twice")
    return values
