"""Scene graphs of captions: objects, their attributes, and relations, each with its place in the text."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Any, Literal, Protocol

NodeKind = Literal["object", "attribute", "relation"]
KINDS: tuple[NodeKind, ...] = ("object", "attribute", "relation")


@dataclass(frozen=True)
class Node:
    """One node, which stands at ``text[start:end]`` of the caption."""

    kind: NodeKind
    start: int
    end: int
    lemma: str
    """Base form: an object in the singular (`tennis racket`), an attribute as it is (`red`), a relation with its verb
    in the base form (`sit on`)."""

    form: str
    """What agreement asks of another word in its place. Objects: `plural`, `one` (after `a`: a noun that counts),
    `bare` (a singular without article: mostly stuff) or `definite` (any singular, after `the`, `his`); attributes:
    `plain`, `one`, `more` (a count above one), `of` (`group of`) or `position` (`at the top`); relations: the verb's
    Penn tag, `passive` for a participle that is one, or `IN` for a preposition alone."""

    verb: str = ""
    """Relations: the verb's base form; empty for a preposition."""

    preposition: str = ""
    """Relations: particles and preposition, as they stand in the text."""


@dataclass(frozen=True)
class SceneGraph:
    """What a caption says. Nodes are in the order of the text and do not overlap."""

    text: str
    objects: tuple[Node, ...]
    attributes: tuple[tuple[Node, int], ...]
    """(node, index of the object it belongs to)."""

    relations: tuple[tuple[Node, int | None, int | None], ...]
    """(node, index of the subject, index of the object); None where there is none."""

    def nodes(self) -> list[Node]:
        """All nodes, in the order of the text."""
        nodes = [*self.objects, *(node for node, _ in self.attributes), *(node for node, _, _ in self.relations)]
        return sorted(nodes, key=lambda node: (node.start, node.end))

    def names(self, kind: NodeKind) -> list[str]:
        """The nodes of a kind as they stand in the text, in lower case."""
        return [self.text[node.start : node.end].lower() for node in self.nodes() if node.kind == kind]

    def to_json(self) -> list[Any]:
        """The graph in plain containers."""
        return list(astuple(self))

    @classmethod
    def from_json(cls, values: list[Any]) -> SceneGraph:
        """What :meth:`to_json` returned."""
        text, objects, attributes, relations = values
        return cls(
            text,
            tuple(Node(*node) for node in objects),
            tuple((Node(*node), owner) for node, owner in attributes),
            tuple((Node(*node), subject, target) for node, subject, target in relations),
        )


class SceneGraphParser(Protocol):
    """Anything that finds the scene graph of a caption."""

    @property
    def name(self) -> str:
        """Which parser, with its version: part of a corpus' identity."""
        ...

    def parse(self, text: str) -> SceneGraph:
        """The scene graph of one caption; a graph without nodes where nothing is found."""
        ...
