"""Answers to visual questions, normalised as vqaEval.py does it."""

from __future__ import annotations

import pytest

from unimo.data.answers import CONTRACTIONS, frequent_answers, normalize_answer, soft_scores, trim_answer


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("A  Red, Ball!", "red ball"),
        ("Two", "2"),
        ("none", "0"),
        ("1,000", "1000"),
        ("10,000-20,000", "1000020000"),  # a comma within a number removes every mark
        ("t-shirt", "t shirt"),
        ("t -shirt", "t shirt"),
        ("x-ray - ok", "xray ok"),  # one hyphen beside a space removes both
        ("a;-b c-d", "b c d"),  # whether a mark stands beside a space is asked of the answer as it was given
        ("5.5 ft.", "5.5 ft"),
        ("red\tand\nblue\n", "red and blue"),
        ("dont know", "don't know"),
        ("its", "its"),
        ("The", ""),
    ],
)
def test_normalised(answer: str, expected: str) -> None:
    assert normalize_answer(answer) == expected


@pytest.mark.parametrize(
    ("written", "word"),
    [
        ("couldnt've", "couldn't've"),
        ("couldn'tve", "couldn't've"),
        ("hadnt've", "hadn't've"),
        ("mightn'tve", "mightn't've"),
        ("shouldnt've", "shouldn't've"),
        ("wouldn'tve", "wouldn't've"),
        ("hed've", "he'd've"),
        ("it'dve", "it'd've"),
        ("somebodyd've", "somebody'd've"),
        ("somebody'd", "somebodyd"),  # the published table has it this way round
        ("yall'd've", "y'all'd've"),
        ("y'alld've", "y'all'd've"),
        ("y'all'dve", "y'all'd've"),
        ("ow's'at", "'ow's'at"),
        ("'ow'sat", "'ow's'at"),
        ("twas", "'twas"),
    ],
)
def test_contractions(written: str, word: str) -> None:
    assert CONTRACTIONS[written] == word
    assert normalize_answer(f"{written.upper()}?") == word


def test_contractions_leave_other_words_alone() -> None:
    assert not {"its", "well", "were", "hell", "shell", "ill", "lets", "shes"} & set(CONTRACTIONS)
    assert len(CONTRACTIONS) == 118  # the published 120 without let's and she's, which stay what they are


def test_trimmed() -> None:
    assert trim_answer(" The\tred\n") == "The red"


def test_targets_and_frequent_answers_are_normalised() -> None:
    assert soft_scores(["The red", "red", "blue", "red."]) == {"red": pytest.approx(0.9), "blue": pytest.approx(0.3)}
    assert soft_scores(["Red."]) == {"red": 1.0}
    assert frequent_answers([["A dog", "dog"], ["dog!"], ["cat"]], 2) == ["dog"]
