"""Hard negatives: a caption with one or two nodes of its scene graph replaced, so that it is wrong about the picture.

What is drawn is never a synonym, nor anything that may be true by what the captions of the image say (PAPER 3.1, with
the lexicon's synonyms and broader words); number, article and verb form agree. So all of these hold a word that is not
in the picture, and whoever looks for single words tells them. An `exchange` (ours) has none: two objects of the caption
take each other's attributes.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from unimo.augment.graph import Node, SceneGraph
from unimo.augment.inflection import article
from unimo.augment.lexicon import Lexicon
from unimo.augment.replacements import Replacements
from unimo.augment.said import Said

REWRITE_KINDS = ("object", "attribute", "relation", "combination", "exchange")
LIKELIEST = 12  # replacements, the first drawn, that one of two replaced nodes takes
MISSES = 20  # rewrites that came out before, on top of twice the wanted number, before a caption is given up
_ARTICLE = re.compile(r"\b(an?)\s+\Z", re.IGNORECASE)
NOTHING_FOUND, NOTHING_TO_DRAW = "no objects, attributes or relations found", "nothing to replace its nodes by"


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
    """object, attribute, relation, combination (of two nodes), or exchange (of two attributes)."""

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


@dataclass
class _Queue:
    """A node and its replacements in the order in which they are drawn."""

    node: Node
    names: list[str]
    used: int = 0


class Rewriter:
    """Draws hard negatives from the vocabulary of a corpus."""

    def __init__(
        self,
        tables: Mapping[str, Mapping[str, Mapping[str, int]]],
        lexicon: Lexicon,
        min_count: int = 3,
        exchange: bool = False,
    ) -> None:
        """``tables``: as `Vocabulary.to_json` gives them; rarer words than ``min_count`` are not drawn.

        ``exchange``: whether attributes are exchanged, too.
        """
        self.exchange = exchange
        self.replacements = Replacements(tables, lexicon, min_count)

    def rewrite(
        self, graph: SceneGraph, said: Said, true: Iterable[str], count: int, seed: int
    ) -> tuple[list[Rewrite], str | None]:
        """Up to ``count`` hard negatives, the kinds in turn, and why there are none (None where there are some).

        Args:
            graph: of the caption.
            said: what all captions of the image say, and whatever else is true of it.
            true: captions and other texts that no rewrite may equal.
            count: how many.
            seed: of this caption.
        """
        rng = random.Random(seed)
        weighted = self.replacements.for_nodes(graph, said)
        queues = [_Queue(node, _weighted_order(weights, rng)) for node, weights in weighted]
        exchanges = _exchanges(graph, said) if self.exchange else []
        if not queues and not exchanges:
            return [], NOTHING_TO_DRAW if graph.nodes() else NOTHING_FOUND
        taken = {plain_text(text) for text in true}
        found: list[Rewrite] = []
        kinds = list(REWRITE_KINDS)
        rng.shuffle(exchanges)
        turn, misses = 0, 0
        while len(found) < count and kinds and misses < 2 * count + MISSES:
            kind = kinds[turn % len(kinds)]
            if kind == "exchange":
                nodes = exchanges.pop() if exchanges else None
            elif kind == "combination":
                nodes = _draw_pair(queues, graph, rng)
            else:
                nodes = _draw_node(kind, queues, rng)
            if nodes is None:
                kinds.remove(kind)
                continue
            turn += 1
            rewrite = _assemble(kind, graph.text, nodes, seed)
            plain = plain_text(rewrite.apply(graph.text))
            if plain in taken:
                misses += 1
                continue
            taken.add(plain)
            found.append(rewrite)
        return found, None if found else "nothing but captions of the image came out"


def _draw_node(kind: str, queues: Sequence[_Queue], rng: random.Random) -> list[tuple[Node, str]] | None:
    """The next replacement of a node of the kind; None when there is none left."""
    fresh = [queue for queue in queues if queue.node.kind == kind and queue.used < len(queue.names)]
    if not fresh:
        return None
    queue = fresh[rng.randrange(len(fresh))]
    queue.used += 1
    return [(queue.node, queue.names[queue.used - 1])]


def _draw_pair(queues: Sequence[_Queue], graph: SceneGraph, rng: random.Random) -> list[tuple[Node, str]] | None:
    """Two nodes, one of which belongs to the other where there are such; None with fewer than two."""
    names = {queue.node: queue.names[:LIKELIEST] for queue in queues}
    links = [(node, graph.objects[owner]) for node, owner in graph.attributes]
    for node, subject, target in graph.relations:
        links += [(node, graph.objects[number]) for number in (subject, target) if number is not None]
    linked = [pair for pair in links if pair[0] in names and pair[1] in names]
    pairs = linked or list(itertools.combinations(names, 2))
    return [(node, rng.choice(names[node])) for node in pairs[rng.randrange(len(pairs))]] if pairs else None


def _exchanges(graph: SceneGraph, said: Said) -> list[list[tuple[Node, str]]]:
    """Attributes of one kind, of different things, that may take each other's place by what the captions say."""
    found: list[list[tuple[Node, str]]] = []
    for (one, owner), (other, other_owner) in itertools.combinations(graph.attributes, 2):
        kinds = [set(said.lexicon.attributes.get(node.lemma, ())) for node in (one, other)]
        things = [graph.objects[number].lemma for number in (owner, other_owner)]
        if (
            one.form == other.form
            and kinds[0] & kinds[1]
            and not said.lexicon.may_both_be_true(one.lemma, other.lemma)
            and not said.lexicon.may_both_be_true(*things)
            and not said.may_be_described(one.lemma, things[1])
            and not said.may_be_described(other.lemma, things[0])
            and not {one.lemma, other.lemma} & said.lexicon.told_sexes(graph.text)
        ):
            texts = [graph.text[node.start : node.end] for node in (one, other)]
            found.append([(one, texts[1].lower()), (other, texts[0].lower())])
    return found


def _assemble(kind: str, text: str, nodes: Sequence[tuple[Node, str]], seed: int) -> Rewrite:
    edits, articles = [], []
    for node, name in sorted(nodes, key=lambda pair: pair[0].start):
        old = text[node.start : node.end]
        edits.append(Edit(node.start, node.end, old, _in_case(name, old, text)))
        if (changed := _article_edit(text, node.start, edits[-1].new)) is not None:
            articles.append(changed)
    return Rewrite(kind, tuple(edits), tuple(articles), seed)


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
    found = _ARTICLE.search(text, 0, start)
    if found is None:
        return None
    word, wanted = found[1], article(new)
    if wanted == word.lower():
        return None
    wanted = wanted.upper() if text.isupper() else wanted.capitalize() if word[0].isupper() else wanted
    return Edit(found.start(1), found.end(1), word, wanted)


def plain_text(text: str) -> str:
    """A text as duplicates are told: case, spaces and the last stop do not count."""
    return " ".join(text.lower().split()).rstrip(" .!?")
