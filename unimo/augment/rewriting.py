"""Hard negatives: a caption with one or two nodes of its scene graph replaced, so that it is wrong about the picture.

What is drawn is never a synonym, nor anything that may be true by what the captions of the image say (PAPER 3.1, with
the lexicon's synonyms and broader words); number, article and verb form agree.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from unimo.augment.graph import Node, SceneGraph
from unimo.augment.inflection import article, verb_forms
from unimo.augment.lexicon import Lexicon
from unimo.augment.said import Said
from unimo.augment.vocabulary import keys_of, place_of, relation_class

Draw = Callable[[], str | None]
REWRITE_KINDS = ("object", "attribute", "relation", "combination")
POOL = 400  # most candidates of a node that are looked at, by falling frequency
SAME_KIND = 5  # times as often as its frequency: a person for a person, rather than a dog
ENOUGH = 4  # candidates of the same context, below which wider ones are looked at
USUAL = 0.2  # least share of a noun's singulars that stand in a form, where it counts as usual
_PLACES = frozenset({"outdoors", "water place", "room", "building", "furniture", "structure"})
_LIVING = frozenset({"person", "animal"})


@dataclass(frozen=True)
class Edit:
    """``text[start:end]``, which is ``old``, becomes ``new``."""

    start: int
    end: int
    old: str
    new: str


@dataclass(frozen=True)
class Rewrite:
    """A hard negative of one caption."""

    kind: str
    """object, attribute, relation, or combination (of two nodes)."""

    nodes: tuple[Edit, ...]
    """The nodes replaced, one or two."""

    articles: tuple[Edit, ...]
    """`a` or `an` before them, where the new word asks for the other."""

    seed: int
    """Of the caption's generator."""

    def apply(self, text: str) -> str:
        """The rewritten caption.

        Raises:
            ValueError: ``text`` is not the caption that was rewritten.
        """
        for edit in sorted([*self.nodes, *self.articles], key=lambda each: -each.start):
            if text[edit.start : edit.end] != edit.old:
                raise ValueError(f"expected {edit.old!r} at {edit.start}, found {text[edit.start : edit.end]!r}")
            text = text[: edit.start] + edit.new + text[edit.end :]
        return text


class Rewriter:
    """Draws hard negatives from the vocabulary of a corpus."""

    def __init__(
        self, tables: Mapping[str, Mapping[str, Mapping[str, int]]], lexicon: Lexicon, min_count: int = 3
    ) -> None:
        """``tables``: as `Vocabulary.to_json` gives them; rarer words than ``min_count`` are not drawn."""
        self.tables, self.lexicon, self.min_count = tables, lexicon, min_count
        self.surfaces = {key: _most_frequent(counts) for key, counts in tables["surfaces"].items()}
        self.frequencies = {key: _frequencies(counts) for key, counts in tables["surfaces"].items()}
        singulars = [f"object {form}" for form in ("bare", "one", "definite")]
        self.surfaces["object definite"] = {
            lemma: surface for key in singulars for lemma, surface in self.surfaces.get(key, {}).items()
        }
        joined = sum((Counter(self.frequencies.get(key, {})) for key in singulars), Counter[str]())
        self.frequencies["object definite"] = dict(sorted(joined.items(), key=lambda pair: (-pair[1], pair[0])))
        self._drop_unusual_forms()
        self.by_kind: dict[tuple[str, str], dict[str, int]] = {}
        """(form of an object, kind) -> frequencies of those of the kind."""
        for key, counts in self.frequencies.items():
            for lemma, count in counts.items() if key.startswith("object") else ():
                for kind in lexicon.kinds(lemma):
                    self.by_kind.setdefault((key, kind), {})[lemma] = count

    def _drop_unusual_forms(self) -> None:
        """Keep stuff out of where things are counted, and things from where stuff stands (`a water`, `on bench`)."""
        total = self.frequencies["object definite"]
        for form in ("object one", "object bare"):
            for lemma, count in self.frequencies.get(form, {}).items():
                if count < USUAL * total[lemma]:
                    del self.surfaces[form][lemma]

    def rewrite(
        self, graph: SceneGraph, said: Said, captions: Iterable[str], count: int, seed: int
    ) -> tuple[list[Rewrite], str | None]:
        """Up to ``count`` hard negatives, the kinds in turn, and why there are none (None where there are some).

        Args:
            graph: of the caption.
            said: what all captions of the image say.
            captions: which no rewrite may equal.
            count: how many.
            seed: of this caption.
        """
        rng = random.Random(seed)
        queues = self._queues(graph, said, rng)
        if not queues:
            return (
                [],
                "no objects, attributes or relations found" if not graph.nodes() else "nothing to replace them by",
            )
        taken = {plain_text(caption) for caption in captions}
        found: list[Rewrite] = []
        order = [kind for kind in REWRITE_KINDS if kind in queues or kind == "combination"]
        misses = 0
        while len(found) < count and order and misses < 3 * count + 20:
            kind = order[len(found) % len(order)] if misses % 2 == 0 else order[misses % len(order)]
            nodes = self._draw(kind, queues, graph, rng)
            if nodes is None:
                order.remove(kind)
                continue
            rewrite = self._assemble(kind, graph.text, nodes, seed)
            plain = plain_text(rewrite.apply(graph.text))
            if plain in taken:
                misses += 1
                continue
            taken.add(plain)
            found.append(rewrite)
        return found, None if found else "nothing but captions of the image came out"

    # -- drawing

    def _queues(self, graph: SceneGraph, said: Said, rng: random.Random) -> dict[str, list[tuple[Node, list[str]]]]:
        """Kind -> (node, replacements in drawn order) of the nodes that have any."""
        made: list[tuple[Node, dict[str, int]]] = [
            *((node, self._for_object(graph, number, said)) for number, node in enumerate(graph.objects)),
            *((node, self._for_attribute(graph, node, owner, said)) for node, owner in graph.attributes),
            *((each[0], self._for_relation(graph, *each, said)) for each in graph.relations),
        ]
        queues: dict[str, list[tuple[Node, list[str]]]] = {}
        sure = any(
            weights and self.lexicon.attributes.get(node.lemma) for node, weights in made if node.kind == "attribute"
        )
        for node, weights in made:
            # an adjective of no known kind may be as true as the one it replaces: only where there is no other
            if weights and not (sure and node.kind == "attribute" and not self.lexicon.attributes.get(node.lemma)):
                queues.setdefault(node.kind, []).append((node, _weighted_order(weights, rng)))
        return queues

    def _draw(
        self, kind: str, queues: dict[str, list[tuple[Node, list[str]]]], graph: SceneGraph, rng: random.Random
    ) -> list[tuple[Node, str]] | None:
        """The next nodes and their replacements; None when the kind has nothing left."""
        if kind == "combination":
            pair = _connected_pair(graph, [entry for entries in queues.values() for entry in entries], rng)
            return None if pair is None else [(node, rng.choice(names[:12])) for node, names in pair]
        fresh = [entry for entry in queues[kind] if len(entry[1]) > 0 and entry[1][0] != ""]
        if not fresh:
            return None
        node, names = fresh[rng.randrange(len(fresh))]
        name = names.pop(0)
        names.append("") if not names else None
        return [(node, name)]

    # -- replacements of one node, with weights

    def _for_object(self, graph: SceneGraph, number: int, said: Said) -> dict[str, int]:
        node = graph.objects[number]
        key = f"object {node.form}"
        surfaces = self.surfaces.get(key, {})
        own = set(self.lexicon.kinds(node.lemma))
        living = own | _LIVING if own & _LIVING else own  # a dog for a man, where dogs do what he does
        places = [(counts, living) for counts in self._contexts(graph, number)]
        places += [(self.by_kind.get((key, kind), {}), own) for kind in sorted(own)]
        found: dict[str, int] = {}
        for counts, kinds in places:
            for lemma, count in counts.items():
                theirs = set(self.lexicon.kinds(lemma))
                fits = not kinds or bool(kinds & theirs)
                if fits and lemma in surfaces and count >= self.min_count and not said.may_be_object(lemma):
                    count *= SAME_KIND if own & theirs else 1
                    found[surfaces[lemma]] = found.get(surfaces[lemma], 0) + count
                    if len(found) >= POOL:
                        break
            if len(found) >= ENOUGH:
                return found
        return found

    def _contexts(self, graph: SceneGraph, number: int) -> list[Mapping[str, int]]:
        """Counts of what stands where the object stands: as object of its relation, else as the subject."""
        after = [place_of(graph, node, subject) for node, subject, target in graph.relations if target == number]
        before = [node.lemma for node, subject, _ in graph.relations if subject == number and node.lemma != "of"]
        if after:
            return [self.tables["objects_after"].get(after[0], {})]
        return [self.tables["objects_before"].get(before[0], {})] if before else []

    def _for_attribute(self, graph: SceneGraph, node: Node, owner: int, said: Said) -> dict[str, int]:
        surfaces = self.surfaces.get(f"attribute {node.form}", {})
        kinds = set(self.lexicon.attributes.get(node.lemma, ()))
        found: dict[str, int] = {}
        for key in keys_of(graph.objects[owner].lemma, self.lexicon):
            for lemma, count in self.tables["attributes_of"].get(key, {}).items():
                known = set(self.lexicon.attributes.get(lemma, ()))
                same_kind = bool(kinds & known) if kinds else not known
                if same_kind and lemma in surfaces and count >= self.min_count and not said.may_be_attribute(lemma):
                    found[lemma] = found.get(lemma, 0) + count
            if len(found) >= ENOUGH:
                break
        return found

    def _for_relation(
        self, graph: SceneGraph, node: Node, subject: int | None, target: int | None, said: Said
    ) -> dict[str, int]:
        wanted = relation_class(graph, node, target, self.lexicon)
        if wanted is None or (wanted == "at" and node.lemma not in self.lexicon.words["spatial"]):
            return {}
        kinds = self.lexicon.kinds(graph.objects[target].lemma) if target is not None else ()
        if node.lemma == "at" and not _PLACES & set(kinds):
            return {}  # it belongs to a verb further in front: "looking out the window at a man"
        classes = {wanted}
        worn = "clothing" in kinds
        if wanted == "at" and subject is not None and not worn and self._follows_subject(graph, node, subject):
            classes.add("to")
        found: dict[str, int] = {}
        for counts in self._relation_contexts(graph, subject, target, wanted):
            for name, count in counts.items():
                kind, verb, preposition = name.split("|")
                if (
                    count >= self.min_count
                    and kind in classes
                    and self._may_relate(verb, preposition, graph, target, said)
                ):
                    form = self._relation_text(verb, preposition, "VBG" if node.form == "IN" else node.form)
                    found[form] = found.get(form, 0) + count
            if len(found) >= ENOUGH:
                break
        return found

    def _follows_subject(self, graph: SceneGraph, node: Node, subject: int) -> bool:
        """Whether somebody stands right before a preposition: `a man on a bike` may be `a man pushing a bike`."""
        owner = graph.objects[subject]
        return bool(_LIVING & set(self.lexicon.kinds(owner.lemma))) and node.start - owner.end <= 1

    def _relation_contexts(
        self, graph: SceneGraph, subject: int | None, target: int | None, wanted: str
    ) -> Iterable[Mapping[str, int]]:
        if target is None:
            for key in keys_of(graph.objects[subject].lemma, self.lexicon) if subject is not None else []:
                yield self.tables["relations_of"].get(f"{key} {wanted}", {})
            return
        for key in keys_of(graph.objects[target].lemma, self.lexicon):
            yield self.tables["relations_to"].get(key, {})

    def _may_relate(self, verb: str, preposition: str, graph: SceneGraph, target: int | None, said: Said) -> bool:
        if not verb:
            object_lemma = graph.objects[target].lemma if target is not None else ""
            return preposition in self.lexicon.words["spatial"] and not said.may_be_at(preposition, object_lemma)
        return verb not in self.lexicon.words["unfit"] and not said.may_do(verb)

    @staticmethod
    def _relation_text(verb: str, preposition: str, form: str) -> str:
        if not verb:
            return preposition
        return f"{verb_forms(verb)['VBN' if form == 'passive' else form]} {preposition}".strip()

    # -- putting it into the text

    def _assemble(self, kind: str, text: str, nodes: Sequence[tuple[Node, str]], seed: int) -> Rewrite:
        edits, articles = [], []
        for node, name in sorted(nodes, key=lambda pair: pair[0].start):
            old = text[node.start : node.end]
            edits.append(Edit(node.start, node.end, old, _in_case(name, old, text)))
            if (changed := _article_edit(text, node.start, edits[-1].new)) is not None:
                articles.append(changed)
        return Rewrite(kind, tuple(edits), tuple(articles), seed)


def _connected_pair(
    graph: SceneGraph, entries: list[tuple[Node, list[str]]], rng: random.Random
) -> list[tuple[Node, list[str]]] | None:
    """Two nodes, of which one belongs to the other where there are such; None with fewer than two."""
    usable = {node: names for node, names in entries if names and names[0] != ""}
    links = [(node, graph.objects[owner]) for node, owner in graph.attributes]
    for node, subject, target in graph.relations:
        links += [(node, graph.objects[number]) for number in (subject, target) if number is not None]
    linked = [pair for pair in links if pair[0] in usable and pair[1] in usable]
    if not linked:
        nodes = list(usable)
        linked = [(one, other) for number, one in enumerate(nodes) for other in nodes[number + 1 :]]
    if not linked:
        return None
    pair = linked[rng.randrange(len(linked))]
    return [(node, usable[node]) for node in pair]


def _frequencies(counts: Mapping[str, int]) -> dict[str, int]:
    """lemma -> count of all its words, from ``lemma|word``."""
    found: dict[str, int] = {}
    for name, count in counts.items():
        lemma = name.partition("|")[0]
        found[lemma] = found.get(lemma, 0) + count
    return found


def _most_frequent(counts: Mapping[str, int]) -> dict[str, str]:
    """lemma -> its most frequent word, from ``lemma|word`` by falling count."""
    found: dict[str, str] = {}
    for name in counts:
        lemma, _, surface = name.partition("|")
        found.setdefault(lemma, surface)
    return found


def _weighted_order(weights: Mapping[str, int], rng: random.Random) -> list[str]:
    """All names, drawn one after the other without replacement with these weights (exponential races)."""
    return [name for _, name in sorted((rng.expovariate(count), name) for name, count in weights.items())]


def _in_case(name: str, old: str, text: str) -> str:
    """The new words in the case of the old ones: a caption in capitals stays so, and so does a first letter."""
    if len(text) > 3 and text.isupper():
        return name.upper()
    return name[:1].upper() + name[1:] if old[:1].isupper() and text.startswith(old) else name


def _article_edit(text: str, start: int, new: str) -> Edit | None:
    """What an article right before a place must become."""
    before = text[:start].rstrip()
    word = before[before.rfind(" ") + 1 :]
    if word.lower() not in ("a", "an"):
        return None
    wanted = article(new)
    if wanted == word.lower():
        return None
    wanted = wanted.upper() if text.isupper() else wanted.capitalize() if word[0].isupper() else wanted
    return Edit(len(before) - len(word), len(before), word, wanted)


def plain_text(text: str) -> str:
    """A text as duplicates are told: case, spaces and the last stop do not count."""
    return " ".join(text.lower().split()).rstrip(" .!?")
