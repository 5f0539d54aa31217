"""What the captions of one image say, so that nothing of it is taken for wrong."""

from __future__ import annotations

import functools
from collections.abc import Iterable

from unimo.augment.graph import SceneGraph
from unimo.augment.inflection import singular
from unimo.augment.lexicon import Lexicon
from unimo.augment.tagging import tokenize


class Said:
    """The words of all captions of an image, with everything that may be true beside them."""

    def __init__(self, graphs: Iterable[SceneGraph], lexicon: Lexicon) -> None:
        self.lexicon = lexicon
        self.words: set[str] = set()
        """Base forms that the captions hold."""

        self.places: list[tuple[str, str]] = []
        """(preposition, last word of its object)."""

        self.described: set[tuple[str, str]] = set()
        """(attribute, last word of the object that has it)."""

        for graph in graphs:
            self._read(graph)
        self.true: set[str] = set(self.words)
        """Those words and their synonyms, broader and narrower words."""
        for word in self.words:
            self.true |= lexicon.alike.get(word, frozenset())
        for word in self.words:
            if word in lexicon.persons:
                self.true |= _agreeing_persons(lexicon.persons[word], lexicon)
        self.any_person = any(word in lexicon.persons for word in self.words)

    def _read(self, graph: SceneGraph) -> None:
        for word, _, _ in tokenize(graph.text):
            word = word.lower()
            self.words |= {word, singular(word), *(base for base, _ in self.lexicon.verbs.get(word, ()))}
        for node in graph.objects:
            self.words |= {node.lemma, node.lemma.rpartition(" ")[2]}
        self.words |= {node.lemma for node, _ in graph.attributes}
        self.described |= {
            (node.lemma, graph.objects[owner].lemma.rpartition(" ")[2]) for node, owner in graph.attributes
        }
        for node, _, target in graph.relations:
            if node.verb:
                self.words.add(node.verb)
            if target is not None and node.preposition:
                self.places.append((node.preposition, graph.objects[target].lemma.rpartition(" ")[2]))

    def may_be_object(self, lemma: str) -> bool:
        """Whether a thing may be in the picture by what the captions say."""
        head = lemma.rpartition(" ")[2]
        if lemma in self.true or head in self.true:
            return True
        person = self.lexicon.person(lemma)
        if person is None or not self.any_person:
            return False
        # an occupation that no caption speaks of, of whoever is there: its verb or noun would begin alike
        return person[1] == "role" and any(word[:4] == lemma[:4] for word in self.words)

    def may_be_attribute(self, lemma: str) -> bool:
        """Whether something in the picture may be so: the word, or the last of a compound, is said of anything."""
        return lemma in self.true or lemma.rpartition(" ")[2] in self.true or lemma.partition(" ")[0] in self.words

    def may_be_described(self, attribute: str, lemma: str) -> bool:
        """Whether an object may have an attribute, by what is said of any object that may be the same one."""
        head = lemma.rpartition(" ")[2]
        return any(
            self.lexicon.may_both_be_true(attribute, said) and self.lexicon.may_both_be_true(head, other)
            for said, other in self.described
        )

    def may_do(self, verb: str) -> bool:
        """Whether anybody in the picture may do this."""
        return verb in self.true

    def may_be_at(self, preposition: str, lemma: str) -> bool:
        """Whether something may stand so to an object, by what is said of any object that may be the same one."""
        head = lemma.rpartition(" ")[2]
        groups = set(self.lexicon.prepositions.get(tuple(preposition.split()), ()))
        for said, other in self.places:
            if other != head and other not in self.lexicon.alike.get(head, ()):
                continue
            last = said if said in self.lexicon.alike else said.rpartition(" ")[2]
            same = groups & set(self.lexicon.prepositions.get(tuple(said.split()), ()))
            near = preposition in self.lexicon.alike.get(last, ()) or last in self.lexicon.alike.get(preposition, ())
            if same or near or said == preposition or last == preposition:
                return True
        return False


@functools.lru_cache(maxsize=1024)
def _agreeing_persons(person: tuple[str, str], lexicon: Lexicon) -> frozenset[str]:
    """Nouns for people that may be said of somebody who is called so."""
    sex, age = person
    words = lexicon.persons.items()
    if age == "role":  # a surfer may be a man, a woman or a child, and no skier
        return frozenset(word for word, (_, other) in words if other != "role")
    return frozenset(
        word
        for word, (other_sex, other_age) in words
        if other_age != "role"
        and ("any" in (sex, other_sex) or sex == other_sex)
        and ("any" in (age, other_age) or age == other_age or "child" in (age, other_age))
    )
