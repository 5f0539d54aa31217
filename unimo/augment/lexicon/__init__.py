"""The words that the caption parser and the rewriter know, read from the text files beside this module.

README.md says which file holds what. Where a user has the vocabularies of Visual Genome, their names join ours.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from unimo.augment.inflection import singular, verb_forms
from unimo.errors import InputError
from unimo.files import read_lines

FOLDER = Path(__file__).parent
_LETTERS = re.compile(r"[a-z]+")
Groups = list[tuple[str, tuple[str, ...]]]


@dataclass(frozen=True, eq=False)
class Lexicon:
    """What is known of words; every word is lower case."""

    words: Mapping[str, frozenset[str]]
    """Part in a sentence (see words.txt) -> words."""

    closed: Mapping[str, str]
    """Word of a closed class -> its tag (`tag DT` of words.txt)."""

    prepositions: Mapping[tuple[str, ...], tuple[int, ...]]
    """Words of a preposition or combination -> numbers of the groups of one meaning that hold it."""

    longest_preposition: Mapping[str, int]
    """First word of a preposition -> words of the longest that begins so, articles that may stand in it counted."""

    verbs: Mapping[str, tuple[tuple[str, str], ...]]
    """Form of a verb -> (base form, Penn tag) of all it may be."""

    nouns: Mapping[str, tuple[str, ...]]
    """Noun, singular -> kinds of objects.txt (none for a noun of Visual Genome alone)."""

    attributes: Mapping[str, tuple[str, ...]]
    """Adjective, colour, material, count -> kinds of attributes.txt."""

    persons: Mapping[str, tuple[str, str]]
    """Noun for a person -> (male | female | any, adult | child | any | role)."""

    alike: Mapping[str, frozenset[str]]
    """Word -> words that may be true of the same thing: synonyms, broader and narrower ones."""

    opposites: Mapping[str, frozenset[str]]
    """Preposition or place in a picture -> those that exclude it."""

    def is_noun(self, word: str) -> bool:
        """Whether a word, in either number, is known to name an object."""
        return word in self.words["noun"] or self.noun_of(word) in self.nouns or self.noun_of(word) in self.persons

    def noun_of(self, name: str) -> str:
        """The singular of a noun or of a compound's last word; names known as they are stay so (`jeans`)."""
        return name if name in self.nouns or name in self.persons else singular(name)

    def may_both_be_true(self, one: str, other: str) -> bool:
        """Whether two base forms can be said of the same thing: equal, synonyms, broader, or persons that agree."""
        if one == other or other in self.alike.get(one, ()):
            return True
        head, other_head = one.rpartition(" ")[2], other.rpartition(" ")[2]
        if (head, other_head) != (one, other) and (head == other_head or other_head in self.alike.get(head, ())):
            return True
        first, second = self.person(one), self.person(other)
        if first is None or second is None:
            return False
        if first[1] == second[1] == "role":
            return False
        return _agree(first[0], second[0]) and _may_be_one_age(first[1], second[1])

    def person(self, name: str) -> tuple[str, str] | None:
        """What a noun says of a person, by the whole name or its last word; None for anything else."""
        return self.persons.get(name) or self.persons.get(name.rpartition(" ")[2])

    def sex(self, name: str) -> str:
        """What a noun says of the sex: male, female, or any, as what names no person does."""
        head, person = name.rpartition(" ")[2], self.person(name)
        named = next((sex for sex in ("male", "female") if head in self.words[f"named {sex}"]), None)
        return named or (person[0] if person is not None else "any")

    def told_sexes(self, text: str) -> frozenset[str]:
        """The sexes that the pronouns of a text tell (male, female)."""
        words = set(_LETTERS.findall(text.lower()))
        return frozenset(sex for sex in ("male", "female") if words & self.words[f"pronoun {sex}"])

    def kinds(self, name: str) -> tuple[str, ...]:
        """Kinds of an object, by the whole name or its last word; people are `person`."""
        if self.person(name) is not None:
            return ("person",)
        return self.nouns.get(name) or self.nouns.get(name.rpartition(" ")[2], ())


@functools.lru_cache(maxsize=4)
def load_lexicon(vocabulary: str = "") -> Lexicon:
    """Our lexicon; with ``vocabulary``, a folder with Visual Genome's `objects.txt`, `attributes.txt` and
    `relations.txt` (a name a line, commas between synonyms), theirs as well.

    Raises:
        InputError: one of the three files is missing.
    """
    words: dict[str, frozenset[str]] = {}
    for name, members in _named("words.txt"):
        words[name] = words.get(name, frozenset()) | frozenset(members)
    names = _read_vocabulary(vocabulary) if vocabulary else {"objects": [], "attributes": [], "relations": []}
    alike: dict[str, set[str]] = {}
    for synonyms in [*_plain("synonyms.txt"), *names["objects"], *names["attributes"]]:
        for word in synonyms:
            alike.setdefault(word, set()).update(set(synonyms) - {word})
    for broad, narrow in _named("broader.txt"):
        for word in narrow:
            alike.setdefault(word, set()).add(broad)
            alike.setdefault(broad, set()).add(word)
    prepositions = _prepositions(names["relations"])
    longest: dict[str, int] = {}
    for parts in prepositions:
        longest[parts[0]] = max(longest.get(parts[0], 0), len(parts) + (len(parts) > 1))
    return Lexicon(
        words=words,
        closed={",": "CC", **{word: name[4:] for name in words if name.startswith("tag ") for word in words[name]}},
        prepositions=prepositions,
        longest_preposition=longest,
        verbs=_verbs(),
        nouns=_kinds("objects.txt") | {singular(word): () for group in names["objects"] for word in group},
        attributes={word: () for group in names["attributes"] for word in group} | _kinds("attributes.txt"),
        persons=_persons(),
        opposites=_opposites(),
        alike={word: frozenset(others) for word, others in alike.items()},
    )


def _persons() -> dict[str, tuple[str, str]]:
    persons: dict[str, tuple[str, str]] = {}
    for what, members in _named("persons.txt"):
        sex, _, age = what.rpartition(" ")
        persons |= {word: (sex or "any", age) for word in members if word not in persons}
    return persons


def _opposites() -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for line in _logical_lines("opposites.txt"):
        one, _, other = line.partition("|")
        for words, against in ((one, other), (other, one)):
            found |= {word: frozenset(_split(against)) for word in _split(words)}
    return found


def _kinds(file: str) -> dict[str, tuple[str, ...]]:
    kinds: dict[str, tuple[str, ...]] = {}
    for kind, members in _named(file):
        for word in members:
            kinds[word] = (*kinds.get(word, ()), kind)
    return kinds


def _prepositions(relations: list[tuple[str, ...]]) -> dict[tuple[str, ...], tuple[int, ...]]:
    """Ours, and those names of Visual Genome's relations that consist of our words alone (`on side of`)."""
    found: dict[tuple[str, ...], tuple[int, ...]] = {}
    groups = _plain("prepositions.txt")
    for number, group in enumerate(groups):
        for name in group:
            found[tuple(name.split())] = (*found.get(tuple(name.split()), ()), number)
    known = {word for name in found for word in name}
    for group in relations:
        for name in group:
            parts = tuple(name.split())
            if len(parts) > 1 and set(parts) <= known - {"a", "the"} and parts not in found and parts[0] in known:
                found[parts] = found.get(parts[:1], ())
    return found


def _verbs() -> dict[str, tuple[tuple[str, str], ...]]:
    forms: dict[str, tuple[tuple[str, str], ...]] = {}
    for base in sorted({word for group in _plain("verbs.txt") for word in group}):
        for tag, form in verb_forms(base).items():
            forms[form] = (*forms.get(form, ()), (base, tag))
    return forms


def _read_vocabulary(folder: str) -> dict[str, list[tuple[str, ...]]]:
    names = {}
    for part in ("objects", "attributes", "relations"):
        path = Path(folder) / f"{part}.txt"
        if not path.is_file():
            raise InputError.at(
                path, "no such file; a vocabulary folder has objects.txt, attributes.txt, relations.txt"
            )
        names[part] = [tuple(_split(line.lower())) for _, line in read_lines(path) if line.strip()]
    return names


def _split(line: str) -> list[str]:
    return [word.strip() for word in line.split(",") if word.strip()]


def _plain(file: str) -> list[tuple[str, ...]]:
    return [tuple(_split(line)) for line in _logical_lines(file)]


def _named(file: str) -> Groups:
    parted = [line.partition(":") for line in _logical_lines(file)]
    assert all(colon for _, colon, _ in parted), (
        f"{file}: a line without a name; does the one before it end in a comma?"
    )
    return [(name.strip(), tuple(_split(members))) for name, _, members in parted]


def _logical_lines(file: str) -> Iterator[str]:
    """Lines without comments; one that ends in a comma goes on in the next."""
    whole = ""
    for _, line in read_lines(FOLDER / file):
        whole += " " + line.partition("#")[0].strip()
        if whole.strip() and not whole.endswith(","):
            yield whole.strip()
            whole = ""
        elif not whole.strip():
            whole = ""


def _agree(one: str, other: str) -> bool:
    return "any" in (one, other) or one == other


def _may_be_one_age(one: str, other: str) -> bool:
    """A `girl` of one caption is the `woman` of another, and either may have an occupation."""
    return one == other or bool({"any", "child", "role"} & {one, other})
