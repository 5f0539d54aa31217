r"""Where the words of a text begin.

The pieces that GPT-2's regular expression makes are finer than words (``isn't`` is two, ``4th`` is two) and attach
space to the left, so words are found on their own: letters, digits and marks with inner apostrophes are one word; a
run of punctuation is a word of its own; an ideograph is a word. White space belongs to the word after it, at the end
of a text to the last word, so that the words tile the text.
"""

from __future__ import annotations

import re
import unicodedata

import numpy as np

_SPACE, _LETTER, _MARK, _IDEOGRAPH, _APOSTROPHE, _OTHER = "s", "w", "m", "c", "a", "p"

_WORD = re.compile(r"s*(?:w(?:[wm]|aw)*|cm*|[pam]+)(?:s+$)?|s+$")

# ranges of CJK ideographs, the ones BERT splits (Devlin et al. 2019); Japanese kana and Korean stay whole runs
_IDEOGRAPHS = ((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF))


class _CharacterClasses(dict[int, int]):
    """Code point -> code point of its class letter, filled as characters are met (for str.translate)."""

    def __missing__(self, code: int) -> int:
        character = chr(code)
        category = unicodedata.category(character)
        if character.isspace():
            kind = _SPACE
        elif any(first <= code <= last for first, last in _IDEOGRAPHS):
            kind = _IDEOGRAPH
        elif category[0] in "LN":
            kind = _LETTER
        elif category[0] == "M":
            kind = _MARK
        else:
            kind = _APOSTROPHE if character in "'\u2019" else _OTHER
        self[code] = ord(kind)
        return self[code]


_CLASSES = _CharacterClasses()


def find_word_starts(text: str) -> np.ndarray:
    """Character offsets where the words of ``text`` begin, int64 [words], ascending; the first is 0.

    A word lasts until the next begins, and the last one until the end of the text. An empty text has no words.
    """
    starts = [match.start() for match in _WORD.finditer(text.translate(_CLASSES))]
    return np.array(starts, dtype=np.int64)
