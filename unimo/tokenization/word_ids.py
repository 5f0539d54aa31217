"""Ids of words that were met before: texts repeat theirs, and looking one up is quicker than cutting it anew."""

from __future__ import annotations

import re
import unicodedata

from tokenizers import Tokenizer

MOST_WORDS = 1 << 17  # kept at a time, some 30 MB
LONGEST_WORD = 64

# GPT-2's cut into words over ASCII, where Python's classes and the engine's are the same
ASCII_WORD = re.compile(r"'(?:[sdmt]|ll|ve|re)| ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+|\s+(?!\S)|\s+", re.ASCII)

UNSURE = "\uffff"


class _AsciiAlike(dict[int, str]):
    """Code point -> an ASCII character that is cut alike: a letter, digit, space or sign.

    ``UNSURE`` where the versions of Unicode that Python and the engine know may say different things of it: it was not
    there in version 3.2, which Python keeps beside its own, or was something else.
    """

    def __missing__(self, code: int) -> str:
        character = chr(code)
        category = unicodedata.category(character)
        if code < 128:
            alike = character
        elif category != unicodedata.ucd_3_2_0.category(character) or category in ("Cn", "Cs", "Co", "Cc"):
            alike = UNSURE
        else:
            alike = {"L": "z", "N": "0", "Z": "\t"}.get(category[0], "#")  # no letter, space of `'s` and ` word`
        self[code] = alike
        return alike


_ALIKE = _AsciiAlike()


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

    def encode(self, text: str) -> list[int] | None:
        """Ids of a text; None where a character may be cut in another way than by the engine."""
        if text.isascii():
            return [token for word in ASCII_WORD.findall(text) for token in self[word]]
        alike = text.translate(_ALIKE)
        if UNSURE in alike:
            return None
        return [token for word in ASCII_WORD.finditer(alike) for token in self[text[word.start() : word.end()]]]
