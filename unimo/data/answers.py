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

_CONTRACTED = [
    "ain't",
    "aren't",
    "can't",
    "could've",
    "couldn't",
    "didn't",
    "doesn't",
    "don't",
    "hadn't",
    "hasn't",
    "haven't",
    "he'd",
    "he's",
    "how'd",
    "how'll",
    "how's",
    "I'm",
    "I've",
    "isn't",
    "it'd",
    "it'll",
    "ma'am",
    "mightn't",
    "might've",
    "mustn't",
    "must've",
    "needn't",
    "not've",
    "o'clock",
    "oughtn't",
    "shan't",
    "should've",
    "shouldn't",
    "somebody'd",
    "somebody'll",
    "somebody's",
    "someone'd",
    "someone'll",
    "someone's",
    "something'd",
    "something'll",
    "that's",
    "there'd",
    "there're",
    "there's",
    "they'd",
    "they'll",
    "they're",
    "they've",
    "'twas",
    "wasn't",
    "we've",
    "weren't",
    "what'll",
    "what're",
    "what's",
    "what've",
    "when's",
    "where'd",
    "where's",
    "where've",
    "who'd",
    "who'll",
    "who's",
    "who've",
    "why'll",
    "why're",
    "why's",
    "won't",
    "would've",
    "wouldn't",
    "y'all",
    "you'd",
    "you'll",
    "you're",
    "you've",
]

CONTRACTIONS: Mapping[str, str] = {word.replace("'", ""): word for word in _CONTRACTED}
"""What people write without an apostrophe -> the word; words that are others without it (its, well, were) are not."""

_PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'
_COMMA_IN_NUMBER = re.compile(r"\d,\d")
_STRAY_PERIOD = re.compile(r"\.(?!\d)")


def normalize_answer(answer: str) -> str:
    """An answer as the official evaluation compares it.

    Lower case, punctuation removed (within a word it becomes a space), number words as digits, no articles,
    contractions with their apostrophe.
    """
    text = " ".join(answer.split())
    number = bool(_COMMA_IN_NUMBER.search(text))
    for mark in _PUNCTUATION:
        beside_space = f"{mark} " in text or f" {mark}" in text
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
