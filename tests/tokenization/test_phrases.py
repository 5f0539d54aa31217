from __future__ import annotations

import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tokenization.test_tokenizer import any_text
from unimo.tokenization import find_phrases

english = st.lists(
    st.sampled_from(
        ["a", "the", "two", "red", "dog", "New", "York", "his", "/", "isn't", ".", "and", "next", "very", "-"]
    )
).map(" ".join)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("A cat.", []),
        ("a black motorcycle with a dark burgundy seat", ["black motorcycle", "dark burgundy seat"]),
        ("Barack Obama visited New York City on Monday.", ["Barack Obama", "New York City"]),
        ("The girl gives the man a ball and two cats", ["two cats"]),
        ("A close-up picture of four different types", ["close-up picture", "four different types"]),
        ("a small red circle is left of a big blue square", ["small red circle", "big blue square"]),
        ("She isn't here. His red car / my old house", ["red car", "old house"]),
        ("cats and dogs run", []),
        ("a red\nblue square", ["blue square"]),
    ],
)
def test_phrases(text: str, expected: list[str]) -> None:
    assert [text[start:end] for start, end in find_phrases(text)] == expected


@settings(max_examples=200, deadline=None)
@given(st.one_of(any_text, english))
def test_phrases_are_ascending_and_disjoint(text: str) -> None:
    end = 0
    for start, stop in find_phrases(text):
        assert end <= start < stop <= len(text)
        assert text[start:stop].strip() == text[start:stop]
        end = stop


def test_two_thousand_captions_a_second() -> None:
    find_phrases("load the lexicon")
    captions = [f"a small red dog {n} sits next to two old women in front of a big blue house" for n in range(500)]
    best = float("inf")
    for attempt in range(3):
        start = time.process_time()
        for caption in captions:
            find_phrases(caption + "!" * attempt)
        best = min(best, time.process_time() - start)
    assert 500 / best > 2000


def test_textblob_is_imported_only_when_asked() -> None:
    code = (
        "import sys; from unimo.tokenization import UnimoTokenizer as T; t = T.train(['a red cat'], 300);"
        "t.encode_with_offsets('a red cat'); assert not {'textblob', 'nltk', 'paddle'} & set(sys.modules);"
        "t.encode_with_offsets('a red cat', phrases=True); assert 'textblob' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
