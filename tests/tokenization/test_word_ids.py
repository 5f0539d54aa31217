"""Words met before give the ids that the engine gives to the whole text."""

from __future__ import annotations

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tokenization.conftest import TEXTS
from unimo.tokenization import UnimoTokenizer, tokenizer, word_ids

PIECES = [
    *string.printable,
    "'s",
    "'ll",
    "'re",
    "'LL",
    " a",
    "  ",
    " \n",
    "12",
    "red",
    " red",
    "\x00",
    "\x1c",
    "\x1f",
    "\x7f",
    "__",
]
TOKENIZER = UnimoTokenizer.train(TEXTS, vocab_size=340)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(PIECES), st.characters(max_codepoint=127)), max_size=30).map("".join))
def test_ascii_texts(text: str) -> None:
    assert TOKENIZER.encode_batch([text]) == [TOKENIZER.encode(text)]


def test_characters_are_cut_as_by_the_engine() -> None:
    """All of the first plane, beside a letter, a digit, a sign, a space and its like; those not sure are left."""
    characters = [chr(code) for code in range(128, 0x10000) if not 0xD800 <= code < 0xE000]
    texts = [f"a{each}b {each}1{each}.{each}'s{each} {each}{each} " for each in characters]
    looked_up = [TOKENIZER._words.encode(text) for text in texts]
    sure = [place for place, ids in enumerate(looked_up) if ids is not None]
    assert len(sure) > 45_000 and len(texts) - len(sure) > 3000
    assert TOKENIZER._words.encode("\U00020000 \U0001f600") is None
    engine = TOKENIZER._engine.encode_batch_fast([texts[place] for place in sure], add_special_tokens=False)
    assert [place for place, found in zip(sure, engine, strict=True) if found.ids != looked_up[place]] == []


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(max_size=20), max_size=6))
def test_texts_of_all_kinds_keep_their_places(texts: list[str]) -> None:
    assert TOKENIZER.encode_batch(texts) == [TOKENIZER.encode(text) for text in texts]


def test_a_full_store_of_words_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_ids, "MOST_WORDS", 3)
    fresh = UnimoTokenizer(TOKENIZER.vocabulary)
    texts = ["a red circle is left of a blue square"] * 2
    assert fresh.encode_batch(texts) == [fresh.encode(text) for text in texts]
    assert len(fresh._words) <= 3


def test_what_is_given_back_may_be_changed() -> None:
    TOKENIZER.encode_batch(["red"])[0].append(7)
    assert TOKENIZER.encode_batch(["red"]) == [TOKENIZER.encode("red")]


def test_many_threads_take_large_batches_to_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenizer, "LARGE_BATCH", 4)
    fresh = UnimoTokenizer(TOKENIZER.vocabulary)
    for threads, looks_up in (("8", False), ("2", True)):
        monkeypatch.setenv("RAYON_NUM_THREADS", threads)
        assert fresh.encode_batch(["a cat"] * 4) == [fresh.encode("a cat")] * 4
        assert bool(fresh._words) == looks_up
