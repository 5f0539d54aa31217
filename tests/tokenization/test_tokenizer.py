from __future__ import annotations

import copy
import itertools
import json
import pickle
import re
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tokenization.conftest import TEXTS
from unimo.errors import InputError
from unimo.tokenization import UnimoTokenizer

SPELLED = "[CLS] a [MASK] of [UNK][PAD] madeupword0000 <|endoftext|> [SEP]"
any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)  # all characters but lone surrogates
texts_like_ours = st.lists(
    st.sampled_from([*" \n'.[]\u2019é数🙂", "[MASK]", "isn't", "red", " circle"]), max_size=15
).map("".join)

# for property tests, which cannot take fixtures of the session
TRAINED = UnimoTokenizer.train(TEXTS, vocab_size=340)


def test_released_ids_and_texts_are_the_goldens(released: UnimoTokenizer, goldens: Path) -> None:
    rows = [json.loads(line) for line in (goldens / "tokenizer.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 700
    assert [released.encode(row["text"]) for row in rows] == [row["ids"] for row in rows]
    assert released.encode_batch([row["text"] for row in rows]) == [row["ids"] for row in rows]
    assert [released.decode(row["ids"]) for row in rows] == [row["decoded"] for row in rows]


def test_decoding_of_arbitrary_ids_is_the_goldens(released: UnimoTokenizer, goldens: Path) -> None:
    rows = json.loads((goldens / "tokenizer_decode.json").read_text(encoding="utf-8"))
    assert len(rows) == 305
    assert released.decode_batch(row["ids"] for row in rows) == [row["decoded"] for row in rows]


def test_word_starts_are_the_goldens(released: UnimoTokenizer, goldens: Path) -> None:
    full = np.load(goldens / "trigram_full_token.npz")["id2is_full_token"].astype(bool)
    np.testing.assert_array_equal(released.word_starts, full)
    np.testing.assert_array_equal(released.opens_word([[5, 0], [13, 50264]]), full[[[5, 0], [13, 50264]]])


def test_released_special_ids(released: UnimoTokenizer) -> None:
    assert (released.cls_id, released.pad_id, released.sep_id, released.unk_id, released.mask_id) == (0, 1, 2, 3, 50264)
    assert released.special_ids == (0, 1, 2, 3, 50261, 50262, 50263, 50264)
    assert released.vocab_size == len(released) == 50265
    assert released.id_to_token(5) == "Ġthe" and released.token_to_id("Ġthe") == 5
    assert released.decode([0, 5, 2], skip_special_tokens=True) == " the"


def copies(tokenizer: UnimoTokenizer, folder: Path) -> list[UnimoTokenizer]:
    path = tokenizer.save_pretrained(folder)
    saved = UnimoTokenizer.from_pretrained(folder)
    saved.save_pretrained(folder / "again")
    return [
        saved,
        UnimoTokenizer.from_pretrained(path),
        UnimoTokenizer.from_pretrained(folder / "again"),
        pickle.loads(pickle.dumps(tokenizer)),
        copy.deepcopy(tokenizer),
    ]


def test_special_tokens_in_a_text_are_text_after_every_way_of_loading(trained: UnimoTokenizer, tmp_path: Path) -> None:
    for tokenizer in [trained, *copies(trained, tmp_path)]:
        ids = tokenizer.encode(SPELLED)
        assert not set(ids) & set(tokenizer.special_ids)
        assert tokenizer.decode(ids) == SPELLED
        assert ids == trained.encode(SPELLED)
        assert tokenizer.fingerprint == trained.fingerprint


def test_released_dictionary_survives_saving(released: UnimoTokenizer, tmp_path: Path) -> None:
    released.save_pretrained(tmp_path)
    loaded = UnimoTokenizer.from_pretrained(tmp_path)
    assert loaded.fingerprint == released.fingerprint
    assert loaded.encode(SPELLED) == released.encode(SPELLED)
    assert not set(loaded.encode(SPELLED)) & set(loaded.special_ids)
    assert loaded.special_ids == released.special_ids
    assert [path.name for path in tmp_path.iterdir()] == ["tokenizer.json"]


def test_fingerprint_tells_dictionaries_apart(trained: UnimoTokenizer) -> None:
    smaller = UnimoTokenizer.train(TEXTS, vocab_size=339)
    assert smaller.fingerprint != trained.fingerprint
    parts = trained.vocabulary
    assert replace(parts, merges=parts.merges[::-1]).fingerprint != trained.fingerprint
    assert replace(parts, tokens=parts.tokens[::-1]).fingerprint != trained.fingerprint
    assert replace(parts, specials=parts.specials[:-1]).fingerprint != trained.fingerprint
    assert re.fullmatch("[0-9a-f]{16}", trained.fingerprint)


def test_special_tokens_are_added_on_request(trained: UnimoTokenizer) -> None:
    plain = trained.encode("a red circle")
    assert trained.encode("a red circle", add_special_tokens=True) == [0, *plain, 2]
    assert trained.encode_batch(["a red circle", ""], add_special_tokens=True) == [[0, *plain, 2], [0, 2]]


@settings(max_examples=300, deadline=None)
@given(st.one_of(any_text, texts_like_ours))
def test_any_text_comes_back(text: str) -> None:
    ids = TRAINED.encode(text)
    assert TRAINED.decode(ids) == text
    assert not set(ids) & set(TRAINED.special_ids)
    assert TRAINED.encode_batch([text]) == [ids]


def test_half_a_surrogate_pair_is_refused(trained: UnimoTokenizer) -> None:
    for call in (trained.encode, trained.encode_with_offsets, lambda text: trained.encode_batch(["fine", text])):
        with pytest.raises(InputError, match=r"surrogate pair: 'a \\ud800'"):
            call("a \ud800")


def test_a_text_of_the_wrong_type_is_our_fault(trained: UnimoTokenizer) -> None:
    with pytest.raises(TypeError):
        trained.encode(3)  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [-1, 340])
def test_unknown_ids_are_refused(trained: UnimoTokenizer, bad: int) -> None:
    with pytest.raises(ValueError, match=f"id {bad} is outside"):
        trained.decode([4, bad])
    with pytest.raises(ValueError, match=f"id {bad} is outside"):
        trained.id_to_token(bad)


def test_decode_takes_arrays(trained: UnimoTokenizer) -> None:
    assert trained.decode(np.array(trained.encode("a red circle"))) == "a red circle"


def plain_bpe(word: str, ranks: dict[tuple[str, str], int]) -> list[str]:
    """Byte-level BPE as in Sennrich et al. (2016), without a cache."""
    pieces = list(word)
    while len(pieces) > 1:
        best = min(itertools.pairwise(pieces), key=lambda pair: ranks.get(pair, len(ranks)))
        if best not in ranks:
            break
        merged: list[str] = []
        while pieces:
            if tuple(pieces[:2]) == best:
                merged.append(pieces.pop(0) + pieces.pop(0))
            else:
                merged.append(pieces.pop(0))
        pieces = merged
    return pieces


def test_four_times_as_fast_as_plain_python(released: UnimoTokenizer) -> None:
    text = " a small brown dog jumping over an overturned motorcycle beside two photographers in raincoats" * 20
    ranks = {pair: rank for rank, pair in enumerate(released.vocabulary.merges)}
    ids = released.vocabulary.ids

    def plain() -> list[int]:
        return [ids[piece] for word in text[1:].split(" ") for piece in plain_bpe("Ġ" + word, ranks)]

    assert plain() == released.encode(text)
    slow = min(_cpu_seconds(plain) for _ in range(3))
    fast = min(_cpu_seconds(lambda: released.encode(text)) for _ in range(3))
    assert slow > 4 * fast


def _cpu_seconds(call: object) -> float:
    start = time.process_time()
    call()  # type: ignore[operator]
    return time.process_time() - start
