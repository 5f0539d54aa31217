"""Ids of words that were met before: texts repeat theirs, and looking one up is quicker than cutting it anew."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Sequence

from tokenizers import Tokenizer

MOST_WORDS = 1 << 17  # kept at a time, some 30 MB
LONGEST_WORD = 64

# GPT-2's cut into words, for some letters, digits and spaces
_WORD = r"'(?:[sdmt]|ll|ve|re)| ?[{L}]+| ?[{N}]+| ?[^{Z}{L}{N}]+|[{Z}]+(?![^{Z}])|[{Z}]+"
_ASCII = {"L": "A-Za-z", "N": "0-9", "Z": " \\t-\\r"}
ASCII_WORD = re.compile(_WORD.format(**_ASCII))


@functools.cache
def unicode_words() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """The cut into words over the characters that are sure, and a search for one that is not; made in 0.2 s.

    Not sure are characters of which the versions of Unicode that Python and the engine know may say different things:
    those that were not there in version 3.2, which Python keeps beside its own, or were something else; and those
    beyond the first plane.
    """
    codes: dict[str, list[int]] = {"L": [], "N": [], "Z": [], "": []}  # by what they are; signs last
    for code in range(128, 0x10000):
        category = unicodedata.category(chr(code))
        if category == unicodedata.ucd_3_2_0.category(chr(code)) and category not in ("Cn", "Cs", "Co", "Cc"):
            codes[category[0] if category[0] in codes else ""].append(code)
    classes = {kind: _ASCII.get(kind, "") + _ranges(each) for kind, each in codes.items()}
    sure = "\\x00-\\x7f" + "".join(_ranges(each) for each in codes.values())
    return re.compile(_WORD.format(**classes)), re.compile(f"[^{sure}]")


def _ranges(codes: Sequence[int]) -> str:
    """Code points in order, as a part of a character class."""
    breaks = [place for place in range(1, len(codes)) if codes[place] != codes[place - 1] + 1]
    starts, ends = [0, *breaks], [*breaks, len(codes)]
    return "".join(f"\\u{codes[start]:04x}-\\u{codes[end - 1]:04x}" for start, end in zip(starts, ends, strict=True))


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
        words, unsure = unicode_words()
        if unsure.search(text):
            return None
        return [token for word in words.findall(text) for token in self[word]]
