"""Texts to ids, against a plain Python byte-level BPE over the same dictionary, with and without a cache of words."""

from __future__ import annotations

from functools import partial

from unimo.bench.byte_pairs import PlainTokenizer
from unimo.bench.figures import Figure
from unimo.bench.samples import captions
from unimo.bench.suites import Bench
from unimo.tokenization import UnimoTokenizer


def measure(bench: Bench) -> list[Figure]:
    """Texts a second; every tokenizer must give the same ids."""
    count, vocab_size = (200, 500) if bench.size == "tiny" else (5000, 8000)
    texts = captions(count)
    tokenizer = UnimoTokenizer.train(texts, vocab_size)
    plain = {
        "plain Python": PlainTokenizer(tokenizer.vocabulary, cached=False),
        "plain Python, word cache": PlainTokenizer(tokenizer.vocabulary, cached=True),
    }
    expected = tokenizer.encode_batch(texts)
    for name, each in plain.items():
        assert each.encode_batch(texts) == expected, f"{name} gives other ids"
    local = {name: bench.clock.timed(partial(each.encode_batch, texts)) for name, each in plain.items()}
    return [
        bench.compare("tokenizer.encode", lambda: tokenizer.encode_batch(texts), "texts/s", count, local=local),
    ]
