"""Long lines of free text, which are paragraphs or whole articles, in sentences: a rule of ours, cheap and no parser.

A sentence ends at `.`, `!` or `?`, with what closes quotes and brackets behind it, where a capital, a digit or what
opens a quote follows (in tokenised text, too, as the BookCorpus is written). An abbreviation or an initial ends none,
so a sentence that ends in `U.S.` runs on; and text without capitals stays as it is.
"""

from __future__ import annotations

import re

SHORTEST = 3  # words of a sentence of its own; what is shorter ("No!") stays with the one before
_OPENING, _CLOSING = "\"'`(\u201c\u2018[", "\"')\u201d\u2019]"
_END = re.compile(rf"[.!?\u2026]+[{re.escape(_CLOSING)}]* (?=(?:`` )?[{re.escape(_OPENING)}]*(\w))")
_DOTTED = re.compile(r"[\W_]*(?:[^\W\d_]\.)+")  # an initial, U.S., e.g.
_ABBREVIATION = re.compile(
    r"(adm|approx|assn|ave|bros|capt|cf|co|col|corp|dept|dr|est|gen|gov|inc|jr|lt|ltd|messrs|mr|mrs|ms|mt|prof|rep|rev"
    r"|sen|sgt|sr|st|viz|vs|jan|feb|apr|aug|sept|oct|nov|dec)\."
)
_BEFORE_NUMBERS = re.compile(r"(ch|ed|fig|nos?|pp|sec|vol)\.")


def split_sentences(line: str) -> list[str]:
    """The sentences of a line whose words are parted by single spaces; joined by spaces they are the line again."""
    found: list[str] = []
    start = 0
    for match in [*_END.finditer(line), None]:
        if match is not None and not _parts(line, start, match):
            continue
        end = len(line) if match is None else match.end()
        sentence, start = line[start:end].rstrip(" "), end
        if found and min(len(sentence.split(" ")), len(found[-1].split(" "))) < SHORTEST:
            found[-1] += f" {sentence}"
        else:
            found.append(sentence)
    return found


def _parts(line: str, start: int, end: re.Match[str]) -> bool:
    """Whether two sentences part at what looks like an end."""
    first = end[1]
    opened = line[end.end()] != first
    if not (opened or first.isupper() or first.isdigit()):
        return False
    if end[0] != ". ":
        return True
    last = line[max(start, line.rfind(" ", 0, end.start()) + 1) : end.start() + 1]
    word = last.lstrip(_OPENING).lower()
    if first.isdigit() and _BEFORE_NUMBERS.fullmatch(word):
        return False
    return not (_ABBREVIATION.fullmatch(word) or _DOTTED.fullmatch(last))
