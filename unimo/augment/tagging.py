"""Words of a caption with Penn tags: textblob's pattern tagger, corrected by our lexicon and by the neighbours.

The tagger looks words up (94,000 of them) and mends little by context: `stands` is always a verb, `jumps` always a
noun, `moped` a participle. Captions are simple enough for rules about the word before and the word after.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from unimo.augment.inflection import has_one_form, singular
from unimo.augment.lexicon import Lexicon

_TOKEN = re.compile(r"[^\W_]+(?:[-&/.'\u2019][^\W_]+)*|[^\w\s]|_+")
_CLITIC = re.compile(r"(?<=\w)(?:n['\u2019]t|['\u2019](?:s|m|d|re|ve|ll))$", re.IGNORECASE)
NOUNS = frozenset({"NN", "NNS"})
_BEFORE_NOUN = frozenset({"DT", "PRP$", "JJ", "CD", "POS"})
_AFTER_VERB = frozenset({"DT", "PRP$", "IN", "TO", "CD", "RB", "PRP", "CC", "SUB", "", "VBG", "."})
_WITH_OBJECT = frozenset({"DT", "PRP$", "CD"})
FINITE = frozenset({"VB", "VBZ", "VBD", "BE", "MD"})
_SINGLE = frozenset({"a", "an", "each", "every", "another", "this", "that", "one", "1", "single", "lone"})
_SEVERAL = frozenset({"these", "those", "some", "any", "all", "both", "no", "other"})


@dataclass(frozen=True)
class Token:
    """A word or sign at ``text[start:end]``."""

    word: str
    """Lower case."""

    tag: str
    """Penn tag, or BE (forms of be), SUB (while, who, as), POS, `.` (other signs)."""

    start: int
    end: int


def tokenize(text: str) -> list[tuple[str, int, int]]:
    """(word, start, end) of words and signs; `dog's` is `dog` and `'s`."""
    found: list[tuple[str, int, int]] = []
    for match in _TOKEN.finditer(text):
        word, start, end = match.group(), match.start(), match.end()
        clitic = _CLITIC.search(word)
        if clitic:
            cut = start + clitic.start()
            found += [(word[: clitic.start()], start, cut), (word[clitic.start() :], cut, end)]
        else:
            found.append((word, start, end))
    return found


def tag_tokens(text: str, lexicon: Lexicon) -> list[Token]:
    """The tokens of a caption with corrected tags."""
    tokens = tokenize(text)
    words = [word.lower().replace("\u2019", "'") for word, _, _ in tokens]
    if not words:
        return []
    raw = _raw_tags(words)
    tags = _Corrector(words, raw, lexicon).run()
    return [Token(word, tag, start, end) for word, tag, (_, start, end) in zip(words, tags, tokens, strict=True)]


def _raw_tags(words: list[str]) -> list[str]:
    (tagged,) = _tagger()([words], tokenize=False, tags=True, chunks=False, collapse=False)
    assert len(tagged) == len(words)
    return [entry[1] for entry in tagged]


@functools.lru_cache(maxsize=1)
def _tagger() -> Callable[..., Any]:
    from textblob.en import parser  # 1.4 s, most of it nltk, which textblob imports

    return parser.parse


class _Corrector:
    """One caption: decides from left to right, with the tagger's own guess for what is to come."""

    def __init__(self, words: Sequence[str], raw: Sequence[str], lexicon: Lexicon) -> None:
        self.words, self.raw, self.lexicon = words, raw, lexicon
        self.tags: list[str] = []
        self.finite = False
        """Whether the clause has its verb."""

    def run(self) -> list[str]:
        """The tags."""
        for index, word in enumerate(self.words):
            tag = self._closed(index, word) or self._open(index, word)
            self.finite = self._next_finite(index, tag)
            self.tags.append(tag)
        return self.tags

    def _next_finite(self, index: int, tag: str) -> bool:
        if tag in FINITE:
            return True
        if tag == "SUB" or (tag == "." and self.words[index] in ".;:!?"):
            return False
        return self.finite

    # -- the words around

    def _before(self, distance: int = 1) -> str:
        return self.tags[-distance] if len(self.tags) >= distance else ""

    def _word(self, index: int) -> str:
        return self.words[index] if 0 <= index < len(self.words) else ""

    def _ahead(self, index: int) -> str:
        """The tag of a word to come, as well as it is known."""
        word = self._word(index)
        if not word:
            return ""
        if word in self.lexicon.closed:
            return self.lexicon.closed[word]
        if word.isdigit() or word in self.lexicon.words["number"]:
            return "CD"
        if (word,) in self.lexicon.prepositions:
            return "IN"
        if word in self.lexicon.words["adverb"]:
            return "RB"
        if word in self.lexicon.words["adjective"]:
            return "JJ"
        if self.lexicon.is_noun(word):
            return "NN"
        tag = self.raw[index]
        return "." if not word[0].isalnum() else tag

    def _nounish(self, index: int) -> bool:
        """Whether a noun phrase goes on at a word: a noun, or adjectives and then a noun."""
        for place in range(index, min(index + 4, len(self.words))):
            tag = self._ahead(place)
            if tag.startswith("NN") or (tag in ("VB", "VBZ") and self.lexicon.is_noun(self.words[place])):
                return True
            if self.words[place] in self.lexicon.words["ing_noun"]:
                return True
            if not tag.startswith(("JJ", "VBN", "CD")) or (tag == "VBN" and self._ahead(place + 1) == "IN"):
                return False
        return False

    # -- words of closed classes

    def _closed(self, index: int, word: str) -> str | None:
        following = self._ahead(index + 1)
        if not word[0].isalnum() and word not in (",", "&", "/") and not word.startswith("'"):
            return "."
        if word == "'s":
            return "BE" if following in ("VBG", "DT", "IN") or self._before() in ("EX", "PRP") else "POS"
        if word in ("n't", "not"):
            return "RB"
        if word == "that":
            return "DT" if following.startswith("NN") and self._before() not in NOUNS else "SUB"
        if word == "one" and (following.startswith(("NN", "JJ")) or self._nounish(index + 1)):
            return "CD"
        if word == "her" and following in ("", "IN", "CC", ".", "TO", "SUB"):
            return "PRP"
        if word == "can" and self._before() in NOUNS and self._ahead(index + 1) in ("", "IN", "CC", ".", "BE", "SUB"):
            return "NN"
        if word == "like":
            return "IN"
        if word == "another" and following in ("", "IN", "CC", ".", "VBG"):
            return "PRP"
        if word == "others":
            return "PRP"
        if word in self.lexicon.closed:
            return self.lexicon.closed[word]
        if word.isdigit() or word in self.lexicon.words["number"]:
            return "CD"
        if word == "next":
            return "IN" if self._word(index + 1) == "to" else "JJ"
        if word in ("up", "down", "in", "on", "out", "off", "over", "by") or (word,) in self.lexicon.prepositions:
            return "IN"
        if word in self.lexicon.words["particle"]:
            return "RB"
        return None

    # -- nouns, verbs, adjectives

    def _open(self, index: int, word: str) -> str:
        raw, forms = self.raw[index], {tag for _, tag in self.lexicon.verbs.get(word, ())}
        if word in ("does", "did", "has", "had", "have", "do") and self._is_auxiliary(index, word):
            return "BE"
        if (raw == "VBG" or "VBG" in forms or word in self.lexicon.words["ing_noun"]) and word.endswith("ing"):
            return self._ing(index, word)
        if word in self.lexicon.words["adverb"] and word not in self.lexicon.nouns:
            return "JJ" if raw == "JJ" and self._nounish(index + 1) else "RB"
        if (forms & {"VB", "VBZ"} or raw in ("VB", "VBZ", "VBP")) and self._is_finite_verb(index, word, raw, forms):
            return "VBZ" if "VBZ" in forms or raw == "VBZ" else "VB"
        if raw in ("VBN", "VBD") or forms & {"VBN", "VBD"}:
            return self._participle(index, word, raw, forms)
        return self._noun_or_adjective(index, word, raw)

    def _is_auxiliary(self, index: int, word: str) -> bool:
        following = self._ahead(index + 1)
        if word in ("does", "did", "do"):
            return self._word(index + 1) in ("not", "n't")
        return self._word(index + 1) in ("been", "not", "just") or (
            following == "VBN" and not self._nounish(index + 2) and self._word(index + 1) not in ("left", "painted")
        )

    def _ing(self, index: int, word: str) -> str:
        before, following = self._before(), self._ahead(index + 1)
        ing_noun, ing_verb = (word in self.lexicon.words[part] for part in ("ing_noun", "ing_verb"))
        if self.lexicon.noun_of(f"{word} {self._word(index + 1)}") in self.lexicon.words["ing_compound"]:
            return "NN"
        if ing_noun:
            after = _WITH_OBJECT if word in self.lexicon.words["ing_thing"] else _AFTER_VERB
            is_verb = before == "BE" or (before in (*NOUNS, "PRP", "SUB", "CC") and following in after)
            is_verb = is_verb and self._word(index - 1) not in self.lexicon.attributes
            return "VBG" if ing_verb and is_verb else "NN"
        if before in _BEFORE_NOUN:
            if self._nounish(index + 1):
                return "JJ"
            return "NN" if before in ("DT", "PRP$") and following in ("IN", "", ".", "CC") else "VBG"
        if not self.tags and following in ("NN", "NNS") and self._ahead(index + 2) in FINITE | {"IN", "VBG", "VBZ"}:
            return "JJ" if self.lexicon.person(self._word(index + 1)) else "VBG"
        if before == "IN" and self._word(index - 1) in ("in", "of", "on", "with", "at") and self._nounish(index + 1):
            return "JJ"
        return "VBG"

    def _participle(self, index: int, word: str, raw: str, forms: set[str]) -> str:
        before, following = self._before(), self._ahead(index + 1)
        if self.lexicon.is_noun(word) and (before in _BEFORE_NOUN or before == "IN") and not self._nounish(index + 1):
            return "NN"
        if self._ends_compound(index, word):
            self.tags[-1] = "JJ"  # a snow covered bridge
            return "JJ"
        at_noun = before in _BEFORE_NOUN or before in ("", "IN", "CC", "VBG", "VBZ", "VB", "TO", "RB")
        if at_noun and self._nounish(index + 1) and self._adjacent_noun(index):
            return "JJ"
        if word in self.lexicon.words["adjective"] and before in ("BE", "RB", "CC") and following != "IN":
            return "JJ"
        if forms == {"VBD"} or (following in ("DT", "PRP$") and before in NOUNS and "VBD" in forms | {raw}):
            return "VBD"
        if before == "DT" and not forms:
            return "JJ" if following in ("JJ", "VBN", "CC") else "NN"
        return "VBN"

    def _ends_compound(self, index: int, word: str) -> bool:
        opens = self._before() in NOUNS and self._before(2) in (*_BEFORE_NOUN, "IN", "")
        goes_on = self._ahead(index + 1) not in ("IN", "DT", "PRP$") and self._nounish(index + 1)
        return word in self.lexicon.words["compound"] and opens and goes_on

    def _adjacent_noun(self, index: int) -> bool:
        """Whether the word after is no preposition or article, so that a participle belongs to the noun to come."""
        return self._ahead(index + 1) not in ("IN", "DT", "PRP$", "TO")

    def _is_finite_verb(self, index: int, word: str, raw: str, forms: set[str]) -> bool:
        before, following = self._before(), self._ahead(index + 1)
        likely = self._is_likely_verb(word, raw)
        third = "VBZ" in forms or raw == "VBZ"
        if before == "TO":
            return not third and self._is_infinitive(index, likely or "VB" in forms, following)
        if before in ("MD", "EX", "SUB"):
            return likely or following in ("DT", "PRP$", "IN")
        if before == "PRP":
            return likely and self._before(2) not in ("IN", "TO")
        if before == "RB" and self._before(2) in (*NOUNS, "PRP", "MD", "BE") and likely:
            return self._before(2) != "BE"
        if self._word(index - 1) == "," and not self.finite and likely and (third or "NNS" in self.tags):
            return any(tag in NOUNS for tag in self.tags) and following not in FINITE
        if before == "CC":
            return likely and self._coordinated_verb(third) and not (third is False and following in FINITE)
        colour = "colour" in self.lexicon.attributes.get(self._word(index - 1), ())
        if before == "JJ" and colour and likely and third and not self.finite:
            return following in _AFTER_VERB  # "a man wearing red looks on"
        if before not in NOUNS or self.finite:
            return False
        if not likely:
            return following in ("DT", "PRP$") and word not in self.lexicon.nouns
        subject_is_plural = before == "NNS" or any(tag == "CC" for tag in self.tags)
        if third:
            return following not in ("VBZ", "BE", "VB") and (before == "NN" or "NN" in self.tags)
        quantity = any(each in self.lexicon.words["quantity"] for each in self.words[:index])
        return (subject_is_plural or quantity) and following not in ("BE",)

    def _is_likely_verb(self, word: str, raw: str) -> bool:
        known_noun = word in self.lexicon.words["noun"]
        return (raw in ("VB", "VBZ", "VBP") and not known_noun) or word in self.lexicon.words["verb"]

    def _is_infinitive(self, index: int, may_be: bool, following: str) -> bool:
        if index >= 2 and self._word(index - 2) in ("next", "close", "near", "on", "in"):
            return False
        return following in ("DT", "PRP$", "PRP") or (may_be and following not in ("VBZ", "BE"))

    def _coordinated_verb(self, third: bool) -> bool:
        """Whether a verb of the same form stands earlier, so that "and" may join the two."""
        wanted = ("VBZ",) if third else ("VB",)
        return any(tag in wanted for tag in self.tags)

    def _noun_or_adjective(self, index: int, word: str, raw: str) -> str:
        known = word in self.lexicon.words["adjective"] or (word in self.lexicon.attributes and raw.startswith("JJ"))
        if word in self.lexicon.words["abstract"] or word in self.lexicon.words["place"]:
            return "JJ" if raw.startswith("JJ") and self._nounish(index + 1) else "NN"
        if word in self.lexicon.words["shade"] and "colour" in self.lexicon.attributes.get(self._word(index + 1), ()):
            return "JJ"
        if known or raw.startswith("JJ"):
            noun = self.lexicon.is_noun(word) and not self._nounish(index + 1)
            if not noun or self._before() == "BE":
                return "JJ"
            return "NNS" if self._is_plural(index, word) else "NN"
        if raw.startswith("NN") or self.lexicon.is_noun(word) or raw.startswith(("VB", "FW", "UH", "IN", "CD")):
            return "NNS" if raw == "NNS" or self._is_plural(index, word) else "NN"
        return "RB" if raw.startswith("RB") else "NN"

    def _is_plural(self, index: int, word: str) -> bool:
        return self._are_several(index) if has_one_form(word) else singular(word) != word

    def _are_several(self, index: int) -> bool:
        """Number of a noun with one form, by the words before it; where those leave it open, by the verb after it.

        Without either it is plural where it has no article (`a dog herding sheep`), else singular.
        """
        place = self._opening(index)
        counts = {"count" in self.lexicon.attributes.get(word, ()) for word in self.words[place:index]}
        if _SINGLE & {self._word(place - 1), *self.words[place:index]}:
            return False
        if True in counts or "CD" in self.tags[place:index] or self._word(place - 1) in _SEVERAL:
            return True
        number = self._verb_number(index + 1)
        if self._word(place - 1) == "of":  # the verb may be of what stands before it ("a herd of sheep is grazing")
            return number == "plural" or self._word(place - 2) not in self.lexicon.words["measure"]
        if place > 0 and self.tags[place - 1] in ("DT", "PRP$", "POS"):
            return number == "plural"
        return number != "singular"

    def _opening(self, index: int) -> int:
        """Where the adjectives, counts and nouns begin that stand before a noun."""
        place = index
        while place > 0 and (
            self.tags[place - 1] in ("JJ", "CD", "RB", "NN")
            or (self.tags[place - 1] == "CC" and place > 1 and self.tags[place - 2] == "JJ" and place < index)
        ):
            place -= 1
        return place

    def _verb_number(self, index: int) -> str:
        """Of which number the subject of a word to come is: singular, plural, or empty for what is no finite verb."""
        word = self._word(index)
        forms = {tag for _, tag in self.lexicon.verbs.get(word, ())}
        if word in ("is", "was", "has"):
            return "singular"
        if word in ("are", "were", "have"):
            return "plural"
        if not word or not self._is_likely_verb(word, self.raw[index]):
            return ""
        return "singular" if "VBZ" in forms else "plural" if "VB" in forms else ""
