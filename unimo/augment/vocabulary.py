"""What a corpus of captions says, counted: the words that rewriting draws from, and the company they keep.

A replacement is drawn by frequency among the words that the corpus uses in the same place: the things that somebody is
said to ride, the colours that shirts are said to have. PAPER 3.1 says "a different item from the corresponding
vocabulary" and nothing of context; without it, text alone would tell most rewrites from captions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from unimo.augment.graph import Node, SceneGraph
from unimo.augment.lexicon import Lexicon

Table = dict[str, Counter[str]]
TABLES = ("surfaces", "objects_after", "objects_before", "attributes_of", "relations_to", "relations_of")


@dataclass
class Vocabulary:
    """Counts; every table is key -> name -> count. Relation names are ``class|verb|preposition``."""

    surfaces: Table = field(default_factory=dict)
    """``object one`` (kind and form) -> ``lemma|word as it stands`` -> count."""

    objects_after: Table = field(default_factory=dict)
    """Relation lemma -> lemma of its object."""

    objects_before: Table = field(default_factory=dict)
    """Relation lemma -> lemma of its subject."""

    attributes_of: Table = field(default_factory=dict)
    """Object (its last word, or ``#kind``) -> attribute."""

    relations_to: Table = field(default_factory=dict)
    """Object of the relation (its last word, or ``#kind``; `` `` for none) -> relation name."""

    relations_of: Table = field(default_factory=dict)
    """Subject and class of relation (``#person passive``) -> relation name."""

    def add(self, graph: SceneGraph, lexicon: Lexicon) -> None:
        """Count one caption."""
        for node in graph.objects:
            self._count("surfaces", f"object {node.form}", f"{node.lemma}|{_surface(graph, node)}")
        for node, owner in graph.attributes:
            self._count("surfaces", f"attribute {node.form}", f"{node.lemma}|{node.lemma}")
            for key in keys_of(graph.objects[owner].lemma, lexicon):
                self._count("attributes_of", key, node.lemma)
        for node, subject, target in graph.relations:
            self._add_relation(graph, node, subject, target, lexicon)

    def _add_relation(
        self, graph: SceneGraph, node: Node, subject: int | None, target: int | None, lexicon: Lexicon
    ) -> None:
        place = place_of(graph, node, subject)
        if target is not None:
            self._count("objects_after", place, graph.objects[target].lemma)
        if subject is not None:
            self._count("objects_before", node.lemma, graph.objects[subject].lemma)
        if node.verb and node.verb not in {base for base, _ in lexicon.verbs.get(node.verb, ())}:
            return  # a word that is only guessed to be a verb is not inflected
        kind = relation_class(graph, node, target, lexicon)
        if kind is None:
            return
        name = f"{kind}|{node.verb}|{node.preposition}"
        for key in keys_of(graph.objects[target].lemma, lexicon) if target is not None else [""]:
            self._count("relations_to", key, name)
        if subject is not None:
            for key in keys_of(graph.objects[subject].lemma, lexicon):
                self._count("relations_of", f"{key} {kind}", name)

    def _count(self, table: str, key: str, name: str) -> None:
        getattr(self, table).setdefault(key, Counter())[name] += 1

    def merge(self, other: Mapping[str, Mapping[str, Mapping[str, int]]]) -> None:
        """Add the counts of another part of the corpus, as :meth:`to_json` gives them."""
        for table in TABLES:
            for key, counts in other[table].items():
                getattr(self, table).setdefault(key, Counter()).update(counts)

    def to_json(self, min_count: int = 1) -> dict[str, Any]:
        """Plain dictionaries, rare entries left out; names by falling count, then by name."""
        return {
            table: {
                key: dict(sorted(kept.items(), key=lambda pair: (-pair[1], pair[0])))
                for key, counts in sorted(getattr(self, table).items())
                if (kept := {name: count for name, count in counts.items() if count >= min_count})
            }
            for table in TABLES
        }


def keys_of(lemma: str, lexicon: Lexicon) -> list[str]:
    """Under what an object is counted: its last word, and its kinds."""
    return [lemma.rpartition(" ")[2], *(f"#{kind}" for kind in lexicon.kinds(lemma))]


def place_of(graph: SceneGraph, node: Node, subject: int | None) -> str:
    """The place that a relation's object fills: its lemma; of `of`, with what it is a part of (`slice of`)."""
    if node.lemma == "of" and subject is not None:
        return f"{graph.objects[subject].lemma} of"
    return node.lemma


def relation_class(graph: SceneGraph, node: Node, target: int | None, lexicon: Lexicon) -> str | None:
    """`at` (a preposition), `to` (a verb with an object), `alone` (without), `passive`; None for what is kept."""
    if node.form == "IN":
        return "at" if target is not None and node.lemma != "of" else None
    if node.form == "passive":
        return "passive" if target is not None else None
    if target is not None:
        return "to"
    following = graph.text[node.end :].split(maxsplit=1)
    word = following[0].rstrip(".,;!").lower() if following else ""
    return "alone" if not word or word in lexicon.words["follower"] else None


def count_corpus(graphs: Iterable[SceneGraph], lexicon: Lexicon) -> Vocabulary:
    """The vocabulary of some captions."""
    vocabulary = Vocabulary()
    for graph in graphs:
        vocabulary.add(graph, lexicon)
    return vocabulary


def _surface(graph: SceneGraph, node: Node) -> str:
    return " ".join(graph.text[node.start : node.end].lower().split())
