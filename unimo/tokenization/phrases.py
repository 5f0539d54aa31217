"""Semantically complete phrases of a text: noun chunks and named entities.

UNIMO masks such phrases as a whole (paper, section 3.3: "detect semantically complete phrases ... and always sample
complete words or phrases"). Which parser the authors used is not known; here it is the pattern tagger and chunker
that comes with textblob, rules and a lexicon without a download. Any function of the type :data:`PhraseFinder` can
take its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

PhraseFinder = Callable[[str], Sequence[tuple[int, int]]]
"""Text -> character spans ``(start, end)`` of its phrases."""

CACHED_TEXTS = 32768

# the Penn Treebank's way: "isn't" is "is" and "n't", "dog's" is "dog" and "'s"; hyphenated words stay whole
_TAG_TOKEN = re.compile(
    r"[^\W_]+?(?=n['\u2019]t\b)|n['\u2019]t\b|['\u2019](?:s|m|d|re|ve|ll)\b|[^\W_]+(?:[-.&][^\W_]+)*|[^\w\s]|_+",
    re.IGNORECASE,
)
_SENTENCE_ENDS = frozenset(".!?")
# articles and possessives at the front say nothing about the phrase, and stay visible beside it
_LEADING = frozenset({"DT", "PDT", "PRP$", "CC", "WDT", "WP$"})
# the chunker's rule lets these stand between nouns, as in "gives the man a ball": a new phrase begins there
_BREAKS = frozenset({"DT", "PDT", "PRP", "PRP$", "CC", "POS"})
_NOUNS = ("NN", "CD")


@lru_cache(maxsize=CACHED_TEXTS)
def find_phrases(text: str) -> tuple[tuple[int, int], ...]:
    """Character spans of the phrases of two words or more in ``text``, ascending and disjoint.

    A phrase is a noun chunk without leading article or possessive ("black Honda motorcycle", "two women"), or a run
    of proper nouns ("Barack Obama"); one of a single word is a word, and is left out. Results are kept for the last
    32,768 texts.
    """
    spans: list[tuple[int, int]] = []
    for sentence in _sentences(text):
        for first, last in _noun_runs(_parse([token for token, _, _ in sentence])):
            if last > first:
                spans.append((sentence[first][1], sentence[last][2]))
    return tuple(spans)


def _sentences(text: str) -> Iterator[list[tuple[str, int, int]]]:
    """Lists of (token, start, end), cut after full stops, exclamation and question marks and at line ends."""
    sentence: list[tuple[str, int, int]] = []
    end = 0
    for match in _TAG_TOKEN.finditer(text):
        if sentence and "\n" in text[end : match.start()]:
            yield sentence
            sentence = []
        end = match.end()
        sentence.append((match.group(), match.start(), end))
        if match.group() in _SENTENCE_ENDS:
            yield sentence
            sentence = []
    if sentence:
        yield sentence


def _parse(tokens: list[str]) -> list[list[str]]:
    """A list [token, tag, chunk, ...] for each token."""
    (tagged,) = _load_parser().parse([tokens], tokenize=False, tags=True, chunks=True, collapse=False)
    assert len(tagged) == len(tokens)
    return tagged


@lru_cache(maxsize=1)
def _load_parser() -> Any:
    from textblob.en import parser  # 1.4 s, most of it nltk, which textblob imports

    return parser


def _noun_runs(tagged: list[list[str]]) -> Iterator[tuple[int, int]]:
    """(first, last) token of each noun chunk, trimmed in front and cut at breaks; the last token is a noun."""
    first = last = -1
    for index, (_, tag, chunk, *_rest) in enumerate(tagged):
        ends = not chunk.endswith("NP") or chunk == "B-NP" or tag in _BREAKS
        if ends and last >= 0:
            yield first, last
        if ends:
            first = last = -1
        if not chunk.endswith("NP") or tag in _LEADING or tag in _BREAKS:
            continue
        first = index if first < 0 else first
        if tag.startswith(_NOUNS):
            last = index
    if last >= 0:
        yield first, last
