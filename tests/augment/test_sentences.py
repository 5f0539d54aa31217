"""Long lines of free text in sentences."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unimo.augment.inputs import iterate_texts
from unimo.augment.options import RetrievalOptions
from unimo.augment.sentences import SHORTEST, split_sentences


@pytest.mark.parametrize(
    "sentences",
    [
        ["A dog runs home.", "It is wet!", "Where is it?", "2 cats sleep."],
        ["Mr. Smith met Mrs. Jones, Dr. Lee and St. Peter.", "All of them left."],
        ["Birds, e.g. Gulls and i.e. Terns, fly over the U.S. Army on Oct. 5.", "They sing all day."],
        ["J. K. Rowling wrote it.", "See No. 5 of it.", "He said no.", "Then he left it."],
        [
            'He said "I do."',
            '"Why not me?" she asked.',
            "(He did not know.)",
            "She left (on foot.)",
            "He stayed at home.",
        ],
        ["\u201cIt is so.\u201d", "\u2018Not for me.\u2019", "\u00c9mile was there\u2026", "He was not."],
        ["`` no , '' she said .", "`` i do not know . '' he left .", "The end is near ."],
        ["It costs 3.5 dollars at example.com today.", "That is a lot."],
        ["there is a red star. it is small. all is well."],  # no capitals, as in the drawn world
        ["No! It is not so.", "He ran home. No!", "She went home."],  # two words stay with their neighbour
        ["One line without an end"],
    ],
)
def test_sentences(sentences: list[str]) -> None:
    assert split_sentences(" ".join(sentences)) == sentences


WORDS = ["a", "The", "U.S.", "Mr.", "dog.", "No!", "5", '"So', 'so."', "``", "J.", "...", "(It", "it.)", "\u2026"]


@given(st.lists(st.sampled_from(WORDS), min_size=1))
def test_nothing_is_lost_and_no_sentence_is_short(words: list[str]) -> None:
    line = " ".join(words)
    found = split_sentences(line)
    assert " ".join(found) == line
    assert len(found) == 1 or min(len(each.split(" ")) for each in found) >= SHORTEST


def test_only_long_lines_are_split(tmp_path: Path) -> None:
    plain, lines = tmp_path / "texts.txt", tmp_path / "texts.jsonl"
    short, long = "It is so. He is well.", "It is so.  He is well. She is not."
    plain.write_text(f"{short}\n\n{long}\n")
    lines.write_text('{"text": "It is so. He is well."}\n{"text": "It is so.\\nHe is well. She is not."}\n')
    for path in (plain, lines):
        statistics: Counter[str] = Counter()
        assert list(iterate_texts([str(path)], 6, statistics)) == [short, "It is so.", "He is well.", "She is not."]
        assert statistics == {"lines of free text split into sentences": 1}
        for longest in (0, 9):
            assert list(iterate_texts([str(path)], longest, statistics)) == [short, " ".join(long.split())]
    assert RetrievalOptions().longest_line == 50
    with pytest.raises(ValueError, match="longest_line"):
        RetrievalOptions(longest_line=-1)
