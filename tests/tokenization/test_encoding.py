from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tokenization.test_tokenizer import TRAINED, any_text, texts_like_ours
from unimo.tokenization import Encoding, UnimoTokenizer
from unimo.tokenization.words import find_word_starts


def words(text: str) -> list[str]:
    edges = [*find_word_starts(text).tolist(), len(text)]
    return [text[start:end] for start, end in itertools.pairwise(edges)]


def units(encoding: Encoding) -> list[str]:
    starts = [*encoding.offsets[encoding.unit_starts, 0].tolist(), len(encoding.text)]
    return [encoding.text[start:end] for start, end in itertools.pairwise(starts)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("   ", ["   "]),
        ("a dog", ["a", " dog"]),
        ("\n a  dog.\n", ["\n a", "  dog", ".\n"]),
        ("it isn\u2019t the dogs' 4th toy!!", ["it", " isn\u2019t", " the", " dogs", "'", " 4th", " toy", "!!"]),
        ("5:30pm (red-hot)", ["5", ":", "30pm", " (", "red", "-", "hot", ")"]),
        ("cafe\u0301 naïve", ["cafe\u0301", " naïve"]),
        ("红色 cat🙂", ["红", "色", " cat", "🙂"]),
        ("snake_case", ["snake", "_", "case"]),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@settings(max_examples=300, deadline=None)
@given(st.one_of(any_text, texts_like_ours))
def test_words_tile_any_text(text: str) -> None:
    assert "".join(words(text)) == text
    assert all(words(text))


@settings(max_examples=300, deadline=None)
@given(st.one_of(any_text, texts_like_ours))
def test_offsets_tile_any_text(text: str) -> None:
    encoding = TRAINED.encode_with_offsets(text)
    assert encoding.ids.tolist() == TRAINED.encode(text)
    starts, ends = encoding.offsets.T
    if not text:
        assert len(encoding) == 0
        return
    assert starts[0] == 0 and ends[-1] == len(text) and bool((starts < ends).all())
    gaps = starts[1:] - ends[:-1]
    assert set(gaps.tolist()) <= {0, -1}
    # neighbours share a character only where it takes more than one byte
    for position in starts[1:][gaps == -1]:
        assert not text[position].isascii()
    for token_id, start, end in zip(encoding.ids, starts, ends, strict=True):
        decoded = TRAINED.decode([token_id])
        assert "\ufffd" in decoded or decoded == text[start:end]


@settings(max_examples=300, deadline=None)
@given(st.one_of(any_text, texts_like_ours), st.data())
def test_words_and_units_of_any_text(text: str, data: st.DataObject) -> None:
    edges = data.draw(st.lists(st.integers(0, len(text)), unique=True, max_size=6).map(sorted))
    phrases = list(itertools.pairwise(edges))[::2]
    encoding = TRAINED.encode_with_offsets(text, phrases=lambda _: phrases)
    steps = np.diff(encoding.word_index, prepend=-1)
    assert set(steps.tolist()) <= {0, 1} and (not text or steps[0] == 1)
    assert not (encoding.unit_starts & (steps == 0)).any(), "a unit begins where a word begins"
    assert not text or encoding.unit_starts[0]
    plain = TRAINED.encode_with_offsets(text)
    np.testing.assert_array_equal(plain.unit_starts, steps == 1)
    np.testing.assert_array_equal(plain.word_index, encoding.word_index)
    if not phrases:
        np.testing.assert_array_equal(encoding.unit_starts, plain.unit_starts)


def test_offsets_agree_with_the_engine(released: UnimoTokenizer, goldens: Path) -> None:
    lines = (goldens / "tokenizer.jsonl").read_text(encoding="utf-8").splitlines()
    for text in (json.loads(line)["text"] for line in lines[:300]):
        expected = released._engine.encode(text, add_special_tokens=False).offsets
        assert [tuple(pair) for pair in released.encode_with_offsets(text).offsets.tolist()] == expected


def test_multi_byte_characters(released: UnimoTokenizer) -> None:
    encoding = released.encode_with_offsets("x 🏳️ é")
    assert encoding.offsets.tolist()[:2] == [[0, 1], [1, 3]]
    assert encoding.offsets[-1].tolist() == [4, 6]
    assert len(set(encoding.word_index.tolist())) == 3


def test_subwords_share_their_word(released: UnimoTokenizer) -> None:
    encoding = released.encode_with_offsets("two raincoated photographers, isn't it")
    by_word: dict[int, str] = {}
    for token_id, index in zip(encoding.ids, encoding.word_index.tolist(), strict=True):
        by_word[index] = by_word.get(index, "") + released.decode([token_id])
    assert list(by_word.values()) == ["two", " raincoated", " photographers", ",", " isn't", " it"]
    assert len(encoding) > len(by_word)


def test_phrases_are_units(released: UnimoTokenizer) -> None:
    text = "A black Honda motorcycle parked in front of a garage."
    assert units(released.encode_with_offsets(text, phrases=True))[:2] == ["A", " black Honda motorcycle"]
    assert units(released.encode_with_offsets(text))[:3] == ["A", " black", " Honda"]


def test_phrases_widen_to_words_and_unite(trained: UnimoTokenizer) -> None:
    text = "a small red circle is left"
    # "mall r" and "ed circ" touch small, red, circle
    assert units(trained.encode_with_offsets(text, phrases=lambda _: [(3, 9), (9, 16)])) == [
        "a",
        " small red circle",
        " is",
        " left",
    ]


@pytest.mark.parametrize("span", [(-1, 2), (2, 2), (3, 1), (0, 9)])
def test_a_phrase_outside_the_text_is_refused(trained: UnimoTokenizer, span: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="does not lie within the 5 characters"):
        trained.encode_with_offsets("a dog", phrases=lambda _: [span])
