"""Numbers of nouns, forms of verbs and the article before a word.

Plurals come from textblob's rules (`pluralize`, `singularize`; 2,000 a second), corrected by a table; the forms of
verbs from a table of the irregular ones and the spelling rules of the regular ones.
"""

from __future__ import annotations

import functools
from pathlib import Path

from unimo.files import read_lines

_FOLDER = Path(__file__).parent / "lexicon"
_VOWELS = "aeiou"
# two syllables, stressed on the last: the consonant is doubled ("beginning"); else only after one syllable
_DOUBLED = frozenset({"begin", "admit", "commit", "control", "compel", "equip", "occur", "permit", "prefer", "refer"})


@functools.lru_cache(maxsize=65536)
def singular(noun: str) -> str:
    """The singular of a noun, or of a compound by its last word; what is singular already stays as it is."""
    front, space, head = noun.rpartition(" ")
    table = _irregular_nouns()[1]
    if head in table:
        return front + space + table[head]
    if head in _irregular_nouns()[0] or len(head) < 4 or not head.endswith("s") or head.endswith(("ss", "us", "is")):
        return noun
    from textblob.en.inflect import singularize

    return front + space + singularize(head)


@functools.lru_cache(maxsize=65536)
def plural(noun: str) -> str:
    """The plural of a singular noun, or of a compound by its last word."""
    front, space, head = noun.rpartition(" ")
    table = _irregular_nouns()[0]
    if head in table:
        return front + space + table[head]
    from textblob.en.inflect import pluralize

    return front + space + pluralize(head)


def has_one_form(noun: str) -> bool:
    """Whether one and several are called the same (`sheep`)."""
    return _irregular_nouns()[0].get(noun) == noun


@functools.lru_cache(maxsize=8192)
def verb_forms(base: str) -> dict[str, str]:
    """Penn tag -> form: VB, VBZ, VBG, VBD, VBN."""
    past, participle = _irregular_verbs().get(base, (None, None))
    regular = _with_suffix(base, "ed")
    third = {"have": "has", "be": "is"}.get(base) or _third_person(base)
    return {
        "VB": base,
        "VBZ": third,
        "VBG": _with_suffix(base, "ing"),
        "VBD": past or regular,
        "VBN": participle or regular,
    }


def article(word: str) -> str:
    """`a` or `an` before a word."""
    word = word.lower()
    fitting = [(len(start), name) for start, name in _articles() if word.startswith(start)]
    if fitting:
        return max(fitting)[1]
    return "an" if word[:1] in _VOWELS else "a"


def _third_person(base: str) -> str:
    if base.endswith(("s", "sh", "ch", "x", "z", "o")):
        return base + "es"
    return base[:-1] + "ies" if base.endswith("y") and base[-2] not in _VOWELS else base + "s"


def _with_suffix(base: str, suffix: str) -> str:
    """`ride` -> `riding`, `run` -> `running`, `tie` -> `tying`, `carry` -> `carried`."""
    if suffix == "ing" and base.endswith("ie"):
        return base[:-2] + "ying"
    if base.endswith("e") and base != "be" and not (suffix == "ing" and base.endswith(("ee", "oe", "ye"))):
        return base[:-1] + suffix
    if suffix == "ed" and base.endswith("y") and base[-2] not in _VOWELS:
        return base[:-1] + "ied"
    closed = len(base) > 2 and base[-1] not in _VOWELS + "wxy" and base[-2] in _VOWELS and base[-3] not in _VOWELS
    one_syllable = sum(letter in _VOWELS for letter in base) == 1 or (base.startswith("qu") and len(base) < 6)
    doubled = base in _DOUBLED or (closed and one_syllable) or base in ("squat", "quit", "unzip", "wiretap")
    return base + (base[-1] if doubled else "") + suffix


@functools.lru_cache(maxsize=1)
def _irregular_nouns() -> tuple[dict[str, str], dict[str, str]]:
    pairs = [line.split() for _, line in read_lines(_FOLDER / "irregular_nouns.txt") if line.strip()]
    return {one: many for one, many in pairs}, {many: one for one, many in pairs}


@functools.lru_cache(maxsize=1)
def _irregular_verbs() -> dict[str, tuple[str, str]]:
    rows = [line.split() for _, line in read_lines(_FOLDER / "irregular_verbs.txt") if line.strip()]
    return {base: (past, participle) for base, past, participle in rows}


@functools.lru_cache(maxsize=1)
def _articles() -> tuple[tuple[str, str], ...]:
    lines = [line.partition(":") for _, line in read_lines(_FOLDER / "articles.txt") if not line.startswith("#")]
    return tuple((word.strip(), name) for name, _, words in lines for word in words.split(","))
