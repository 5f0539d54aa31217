"""An encoded text that still knows which characters, words and masking units its tokens came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unimo.tokenization.words import find_word_starts


@dataclass(frozen=True, eq=False)
class Encoding:
    """The tokens of one text, without special tokens. T tokens."""

    text: str
    """The text as it was given."""
    ids: np.ndarray
    """int64 [T], the token ids."""
    offsets: np.ndarray
    """int64 [T, 2], the characters ``text[start:end]`` a token covers, at least in part. Tokens tile the text; only
    where a character is split between tokens does each of them name that character."""
    word_index: np.ndarray
    """int64 [T], the word a token belongs to: from 0, rising by 0 or 1. Punctuation is a word of its own."""
    unit_starts: np.ndarray
    """bool [T], True where a token opens a masking unit: a semantically complete phrase where phrases were asked for
    (paper, section 3.3), a word otherwise."""

    def __len__(self) -> int:
        return len(self.ids)


def align(text: str, ids: Sequence[int], byte_lengths: np.ndarray, phrases: Sequence[tuple[int, int]]) -> Encoding:
    """Work out offsets, words and units of the tokens ``ids`` that ``text`` was encoded to.

    Args:
        text: the text.
        ids: its T token ids, without special tokens.
        byte_lengths: int64 [V], how many bytes of text each vocabulary entry stands for.
        phrases: character spans that are one unit each; they are widened to whole words, overlapping ones unite.

    Raises:
        ValueError: a phrase does not lie within the text.
    """
    array = np.asarray(ids, dtype=np.int64)
    offsets = _character_offsets(text, byte_lengths[array])
    word_starts = find_word_starts(text)
    word_of_token = np.searchsorted(word_starts, offsets[:, 0], side="right") - 1
    opens_word = np.diff(word_of_token, prepend=-1) > 0
    opens_unit = _opens_unit(text, word_starts, phrases)[word_of_token]
    # a word whose first byte lies in a token of the word before it has no number of its own, hence the recount
    return Encoding(text, array, offsets, np.cumsum(opens_word) - 1, opens_word & opens_unit)


def _character_offsets(text: str, lengths: np.ndarray) -> np.ndarray:
    """int64 [T, 2] from the number of bytes of each token."""
    ends = np.cumsum(lengths)
    starts = ends - lengths
    if text.isascii():
        assert (int(ends[-1]) if len(ends) else 0) == len(text), "tokens do not cover the text"
        return np.stack([starts, ends], axis=1)
    raw = np.frombuffer(text.encode("utf-8"), dtype=np.uint8)
    assert int(ends[-1]) == len(raw), "tokens do not cover the text"
    character_of_byte = np.cumsum((raw & 0xC0) != 0x80) - 1  # every byte but UTF-8's continuation bytes begins one
    return np.stack([character_of_byte[starts], character_of_byte[ends - 1] + 1], axis=1)


def _opens_unit(text: str, word_starts: np.ndarray, phrases: Sequence[tuple[int, int]]) -> np.ndarray:
    """bool [words]: False for the words inside a phrase that are not its first."""
    opens = np.ones(len(word_starts), dtype=bool)
    for start, end in phrases:
        if not 0 <= start < end <= len(text):
            raise ValueError(f"the phrase ({start}, {end}) does not lie within the {len(text)} characters of {text!r}")
        first = int(np.searchsorted(word_starts, start, side="right")) - 1
        last = int(np.searchsorted(word_starts, end - 1, side="right")) - 1
        opens[first + 1 : last + 1] = False
    return opens
