"""The tokenizer that a user would otherwise run: byte-level BPE in plain Python, with or without a cache of words.

The algorithm is the published one (Sennrich et al. 2016; Radford et al. 2019): a text is cut into words, and in a word
the adjacent pair with the best rank is merged until none has a rank.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise

from unimo.tokenization.vocabulary import BYTE_ALPHABET, Vocabulary

# GPT-2's cut into words, for the letters and digits that Python's own expressions know
WORD = re.compile(r"'(?:[sdmt]|ll|ve|re)| ?[^\W\d_]+| ?\d+| ?(?:[^\s\w]|_)+|\s+(?!\S)|\s+")


class PlainTokenizer:
    """Ids of texts, word by word."""

    def __init__(self, vocabulary: Vocabulary, cached: bool) -> None:
        self.ids = vocabulary.ids
        self.ranks = {pair: rank for rank, pair in enumerate(vocabulary.merges)}
        self.cache: dict[str, list[int]] | None = {} if cached else None

    def encode_batch(self, texts: Iterable[str]) -> list[list[int]]:
        """Ids of each text."""
        return [[token for word in WORD.findall(text) for token in self._word(word)] for text in texts]

    def _word(self, word: str) -> list[int]:
        if self.cache is None:
            return self._merge(word)
        if word not in self.cache:
            self.cache[word] = self._merge(word)
        return self.cache[word]

    def _merge(self, word: str) -> list[int]:
        parts = [BYTE_ALPHABET[byte] for byte in word.encode()]
        while len(parts) > 1:
            ranked = [self.ranks.get(pair, len(self.ranks)) for pair in pairwise(parts)]
            best = min(ranked)
            if best == len(self.ranks):
                break
            place = ranked.index(best)
            parts[place : place + 2] = [parts[place] + parts[place + 1]]
        return [self.ids[part] for part in parts]
