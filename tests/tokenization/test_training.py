from __future__ import annotations

import random
import re
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from tests.tokenization.conftest import TEXTS
from unimo.errors import InputError
from unimo.tokenization import UnimoTokenizer


def test_ids_are_ordered_as_in_the_release(trained: UnimoTokenizer) -> None:
    assert trained.vocab_size == 340
    assert (trained.cls_id, trained.pad_id, trained.sep_id, trained.unk_id, trained.mask_id) == (0, 1, 2, 3, 339)
    assert trained.special_ids == (0, 1, 2, 3, 339)
    assert trained.id_to_token(339) == "[MASK]"


def test_merges_are_learned(trained: UnimoTokenizer) -> None:
    assert trained.encode(" red circle") == [trained.token_to_id("Ġred"), trained.token_to_id("Ġcircle")]
    assert trained.decode(trained.encode(" red circle")) == " red circle"


def test_every_merge_joins_a_most_frequent_pair() -> None:
    texts = ["the cat and the dog", "that dog ate the cat", "catch the thatch"] * 2
    words = [[*word.replace(" ", "Ġ")] for text in texts for word in re.findall(" ?[a-z]+", text)]
    for merge in UnimoTokenizer.train(texts, 290).vocabulary.merges:
        counts = Counter(pair for word in words for pair in pairwise(word))
        assert counts[merge] == max(counts.values()) >= 2
        words = [join(word, merge) for word in words]


def join(word: list[str], merge: tuple[str, str]) -> list[str]:
    joined: list[str] = []
    for piece in word:
        if joined and (joined[-1], piece) == merge:
            joined[-1] += piece
        else:
            joined.append(piece)
    return joined


def test_ties_do_not_depend_on_order_or_process() -> None:
    # every word once or twice: almost all frequencies tie
    texts = ["".join(random.Random(n).choices("abcdefgh ", k=60)) for n in range(200)]
    expected = UnimoTokenizer.train(texts, 600).fingerprint
    shuffled = random.Random(1).sample(texts, len(texts))
    assert UnimoTokenizer.train(shuffled, 600).fingerprint == expected
    code = (
        "import random; from unimo.tokenization import UnimoTokenizer;"
        "texts = [''.join(random.Random(n).choices('abcdefgh ', k=60)) for n in range(200)];"
        "print(UnimoTokenizer.train(texts, 600).fingerprint)"
    )
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
        assert done.stdout.strip() == expected


def test_small_corpora_give_small_dictionaries() -> None:
    tokenizer = UnimoTokenizer.train(["ab ab"], vocab_size=5000)
    assert tokenizer.vocab_size == 256 + 5 + 1  # " ab" occurs once: only (a, b) is merged
    assert tokenizer.mask_id == tokenizer.vocab_size - 1
    assert UnimoTokenizer.train(["ab ab"], vocab_size=5000, min_frequency=1).vocab_size == 256 + 5 + 2
    assert UnimoTokenizer.train(["ab ab"], vocab_size=261).vocab_size == 261


def test_files_and_texts_give_the_same(tmp_path: Path, trained: UnimoTokenizer) -> None:
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(TEXTS[:12]) + "\n", encoding="utf-8")
    assert UnimoTokenizer.train([path, *TEXTS[12:]], 340).fingerprint == trained.fingerprint


@pytest.mark.parametrize(
    ("texts", "vocab_size", "min_frequency", "message"),
    [
        (["a"], 260, 2, "vocab_size: at least 261"),
        (["a"], 300, 0, "min_frequency: at least 1"),
        ([], 300, 2, "no texts"),
        (["fine", "\ud800"], 300, 2, "text 2 .* surrogate"),
        ([Path("absent.txt")], 300, 2, "absent.txt: no such file"),
    ],
)
def test_wrong_input(texts: list[str | Path], vocab_size: int, min_frequency: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        UnimoTokenizer.train(texts, vocab_size, min_frequency)
