"""Flags such as ``--optimizer.learning_rate 3e-5`` as nodes, and nodes merged over nodes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unimo.config.nodes import Node, Place, describe, join, parse_document, read_file
from unimo.errors import InputError

FLAG = re.compile(r"--([A-Za-z_][\w.\-]*)(?:=(.*))?$", re.DOTALL)
ASSIGNMENT = re.compile(r"([A-Za-z_][\w.]*)=(.*)$", re.DOTALL)


@dataclass(frozen=True)
class Override:
    """One value of the command line: the dotted ``key`` without dashes, and the words given for it."""

    key: str
    words: tuple[str, ...]

    def as_argv(self) -> list[str]:
        """The override as words of a command line."""
        return [f"--{self.key}", *self.words]


def parse_overrides(argv: Sequence[str]) -> list[Override]:
    """Split command line words into overrides.

    ``--a.b value``, ``--a.b=value`` and ``a.b=value`` mean the same; a flag takes all words up to the next flag
    (several words make a list), and dashes in a name count as underscores.

    Raises:
        InputError: a word that belongs to no flag.
    """
    overrides: list[Override] = []
    open_flag = False
    for word in argv:
        flag, assignment = FLAG.match(word), ASSIGNMENT.match(word)
        if flag is not None:
            value = flag.group(2)
            overrides.append(Override(_clean(flag.group(1)), () if value is None else (value,)))
            open_flag = value is None
        elif assignment is not None and not (open_flag and not overrides[-1].words):
            overrides.append(Override(_clean(assignment.group(1)), (assignment.group(2),)))
            open_flag = False
        elif open_flag:
            overrides[-1] = Override(overrides[-1].key, (*overrides[-1].words, word))
        else:
            raise InputError(f"unexpected argument {word!r}: expected --name value")
    return overrides


def read_layers(files: Sequence[str | Path], overrides: Sequence[str]) -> Node:
    """Merge yaml files (later ones win) and, over them, the overrides, into one tree.

    Where an override names a yaml file (``--arch base.yaml``) it is applied before those that reach into it.
    """
    root = Node({}, Place(Path(files[-1]) if files else None))
    for file in files:
        root = merge(root, read_file(file))
    parsed = parse_overrides(overrides)
    for override in sorted(parsed, key=lambda override: not _names_file(override)):
        leaf = Node(override.words[0] if len(override.words) == 1 else list(override.words), Place(), override.words)
        root = with_override(root, override.key.split("."), leaf)
    return root


def read_yaml(files: Sequence[str | Path], overrides: Sequence[str] = ()) -> dict[str, Any]:
    """The merged, untyped content of yaml files and overrides, for a caller that must peek at a key first.

    A nested file name (``arch: ../arch/tiny.yaml``) stays a string, unless an override or a later file reaches into
    it.

    Raises:
        InputError: as :func:`load_config`, except for names and types, which are not known here.
    """
    plain = read_layers(files, overrides).plain()
    assert isinstance(plain, dict)
    return plain


def merge(base: Node, over: Node, key: str = "") -> Node:
    """``over`` on top of ``base``: mappings are merged key by key, everything else is replaced.

    Where ``base`` names a yaml file and ``over`` is a mapping, the file is read and ``over`` merged over it.
    """
    if not over.is_mapping:
        return over
    if is_file_name(base):
        base = expand_file(base, key)
    if not base.is_mapping:
        return over
    children = dict(base.value)
    for name, child in over.value.items():
        children[name] = merge(children[name], child, join((key, name))) if name in children else child
    return Node(children, over.place)


def with_override(node: Node, path: Sequence[str], leaf: Node, key: str = "") -> Node:
    """``node`` with ``leaf`` put at the dotted path; mappings are made on the way, a number picks from a list.

    Raises:
        InputError: the path leads through a value that has no children.
    """
    if not path:
        return leaf
    name, child_key = path[0], join((key, path[0]))
    if is_file_name(node):
        node = expand_file(node, key)
    if isinstance(node.value, list) and node.words is None:
        if not name.isdigit() or int(name) >= len(node.value):
            leaf.place.fail(child_key, f"expected a number from 0 to {len(node.value) - 1} in the place of {name!r}")
        elements = list(node.value)
        elements[int(name)] = with_override(elements[int(name)], path[1:], leaf, child_key)
        return Node(elements, node.place)
    if not node.is_mapping and node.value is not None:
        leaf.place.fail(join((key, *path)), f"{key} is {describe(node.plain())} and has no {name!r} in it")
    children = dict(node.value or {})
    children[name] = with_override(children.get(name, Node({}, leaf.place)), path[1:], leaf, child_key)
    return Node(children, node.place)


def is_file_name(node: Node) -> bool:
    """Whether the value is the name of a yaml file."""
    value = node.words[0] if node.words is not None and len(node.words) == 1 else node.value
    return isinstance(value, str) and value.endswith((".yaml", ".yml"))


def expand_file(node: Node, key: str) -> Node:
    """Read the yaml file that ``node`` names, relative to the file it stands in (a flag: the working folder)."""
    folder = node.place.file.parent if node.place.file is not None else Path()
    return read_file(folder / str(node.value), named_by=node.place, key=key)


def parse_words(node: Node, key: str) -> Node:
    """The words of a flag read as yaml nodes, where a mapping or a list of them is expected."""
    if node.words is None:
        return node
    try:
        parsed = [parse_document(word, None) for word in node.words]
    except InputError as error:
        node.place.fail(key, str(error))
    if len(parsed) != 1:
        return Node(parsed, node.place)
    return Node(parsed[0].value, node.place)


def _names_file(override: Override) -> bool:
    return len(override.words) == 1 and override.words[0].endswith((".yaml", ".yml"))


def _clean(name: str) -> str:
    return name.replace("-", "_")
