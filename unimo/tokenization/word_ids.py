"""Ids of words that were met before: texts repeat theirs, and looking one up is quicker than cutting it anew."""

from __future__ import annotations

import re

from tokenizers import Tokenizer

MOST_WORDS = 1 << 17  # kept at a time, some 30 MB
LONGEST_WORD = 64

# GPT-2's cut into words over ASCII, where Python's classes and the engine's are the same
ASCII_WORD = re.compile(r"'(?:[sdmt]|ll|ve|re)| ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+|\s+(?!\S)|\s+", re.ASCII)


class WordIds(dict[str, list[int]]):
    """Word -> ids; a word that is not there yet is asked of the engine. When it is full it begins anew."""

    def __init__(self, engine: Tokenizer) -> None:
        super().__init__()
        self._engine = engine

    def __missing__(self, word: str) -> list[int]:
        if len(self) >= MOST_WORDS:
            self.clear()
        ids: list[int] = self._engine.encode(word, add_special_tokens=False).ids
        if len(word) <= LONGEST_WORD:  # rulers and base64 come but once
            self[word] = ids
        return ids

    def encode(self, text: str) -> list[int]:
        """Ids of an ASCII text."""
        return [token for word in ASCII_WORD.findall(text) for token in self[word]]
