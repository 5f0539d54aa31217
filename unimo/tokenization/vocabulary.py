"""What a byte-level BPE dictionary is made of, checked once and independent of the engine and of file formats."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from unimo.errors import InputError

CLS, PAD, SEP, UNK, MASK = "[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]"
REQUIRED_SPECIALS = (CLS, PAD, SEP, UNK, MASK)


def _byte_alphabet() -> tuple[str, ...]:
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in set(printable)]
    characters = {byte: chr(byte) for byte in printable}
    characters.update({byte: chr(256 + index) for index, byte in enumerate(others)})
    return tuple(characters[byte] for byte in range(256))


BYTE_ALPHABET = _byte_alphabet()
"""The printable character that stands for each of the 256 bytes in the tokens of GPT-2 (Radford et al. 2019)."""

SPACE = BYTE_ALPHABET[ord(" ")]

# GPT-2's own end token lies in the release's encoder.json, but nothing of UNIMO uses it and no merge makes it
GPT2_END = "<|endoftext|>"

GPT2_BYTE_ORDER = (*(c for c in BYTE_ALPHABET if ord(c) < 256), *(c for c in BYTE_ALPHABET if ord(c) >= 256))
"""The 256 characters in the order in which GPT-2 numbers them: printable bytes first."""


@dataclass(frozen=True)
class Vocabulary:
    """A byte-level BPE dictionary.

    Ordinary tokens are spelled in :data:`BYTE_ALPHABET`, one character a byte; special tokens are spelled as they are
    and are never produced from text.
    """

    tokens: tuple[str, ...]
    """Every entry, special ones included; the place is the id."""
    merges: tuple[tuple[str, str], ...]
    """The merge rules, best first."""
    specials: tuple[str, ...]
    """The special tokens, in the order of their ids."""

    @cached_property
    def ids(self) -> dict[str, int]:
        """Token -> id."""
        return {token: index for index, token in enumerate(self.tokens)}

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that identify the dictionary: dictionaries with the same ones give the same ids.

        It covers tokens with their ids, merge rules with their order, and the special tokens, and neither the file
        format nor the version of the engine.
        """
        content = json.dumps([self.tokens, self.merges, self.specials], ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(content.encode("ascii")).hexdigest()[:16]

    @cached_property
    def gpt2_ids(self) -> dict[str, int]:
        """What a tokenised file of the release writes -> id: GPT-2's number of a token, or a special token's name.

        GPT-2 numbers bytes first, then what each merge makes, so that only a dictionary with its merges has them.
        """
        tokens = [*GPT2_BYTE_ORDER, *(left + right for left, right in self.merges), GPT2_END]
        numbers = {str(number): self.ids[token] for number, token in enumerate(tokens) if token in self.ids}
        return numbers | {token: self.ids[token] for token in self.specials}

    def check(self, source: str) -> None:
        """Raise :class:`InputError` naming ``source`` unless every text can be encoded without loss.

        Needed are unique tokens, the five special tokens of UNIMO, all 256 bytes, and merges between known tokens.
        """
        if len(self.ids) != len(self.tokens):
            raise InputError.at(source, f"duplicate token {first_duplicate(self.tokens)!r}")
        absent = [token for token in REQUIRED_SPECIALS if token not in self.specials]
        if absent:
            raise InputError.at(
                source, f"the special token {absent[0]} is missing (needed: {' '.join(REQUIRED_SPECIALS)})"
            )
        for byte, character in enumerate(BYTE_ALPHABET):
            if character not in self.ids:
                raise InputError.at(
                    source, f"not a complete byte-level dictionary: byte {byte:#04x} ({character!r}) is missing"
                )
        for number, (left, right) in enumerate(self.merges, start=1):
            if left not in self.ids or right not in self.ids or left + right not in self.ids:
                unknown = next(token for token in (left, right, left + right) if token not in self.ids)
                raise InputError.at(
                    source, f"merge {number} ({left} {right}) needs the token {unknown!r}, which is missing"
                )


def first_duplicate(entries: Iterable[str]) -> str | None:
    """The first entry that occurred before, or None."""
    seen: set[str] = set()
    for entry in entries:
        if entry in seen:
            return entry
        seen.add(entry)
    return None


def unreachable_tokens(vocabulary: Vocabulary, ignored: Sequence[str] = ()) -> list[str]:
    """Ordinary tokens longer than a byte that no merge rule makes: a sign that the list of merges was cut."""
    made = {left + right for left, right in vocabulary.merges}
    known = made.union(vocabulary.specials, ignored)
    return [token for token in vocabulary.tokens if len(token) > 1 and token not in known]
