"""Texts to ids, against a plain Python byte-level BPE over the same dictionary, with and without a cache of words."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from unimo.bench.byte_pairs import PlainTokenizer
from unimo.bench.figures import Figure
from unimo.bench.samples import SCRIPTS, captions
from unimo.bench.suites import Bench
from unimo.tokenization import UnimoTokenizer


def measure(bench: Bench) -> list[Figure]:
    """Texts a second, of ASCII alone and of words in several scripts."""
    count = 200 if bench.size == "tiny" else 5000
    return [
        _encoding(bench, "tokenizer.encode", captions(count)),
        _encoding(bench, "tokenizer.encode_non_ascii", captions(count, scripts=SCRIPTS)),
    ]


def _encoding(bench: Bench, name: str, texts: Sequence[str]) -> Figure:
    """Every tokenizer must give the same ids."""
    tokenizer = UnimoTokenizer.train(texts, 500 if bench.size == "tiny" else 8000)
    plain = {
        "plain Python": PlainTokenizer(tokenizer.vocabulary, cached=False),
        "plain Python, word cache": PlainTokenizer(tokenizer.vocabulary, cached=True),
    }
    expected = tokenizer.encode_batch(texts)
    for other, each in plain.items():
        assert each.encode_batch(texts) == expected, f"{other} gives other ids"
    local = {other: bench.clock.timed(partial(each.encode_batch, texts)) for other, each in plain.items()}
    non_ascii = sum(not word.isascii() for text in texts for word in text.split())
    bench.note(f"{name}: {non_ascii / sum(len(text.split()) for text in texts):.0%} of words are not ASCII")
    return bench.compare(name, lambda: tokenizer.encode_batch(texts), "texts/s", len(texts), local=local)
