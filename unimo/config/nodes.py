"""Yaml files as trees that remember where each value was written, so that an error can name the file and line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import yaml

from unimo.errors import InputError

FLOAT = re.compile(
    r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$|[-+]?[0-9]+[eE][-+]?[0-9]+$"
    r"|[-+]?\.(?:inf|Inf|INF)$|\.(?:nan|NaN|NAN)$"
)
"""YAML 1.2's floats (with at least a point or an exponent, so that integers stay integers)."""


@dataclass(frozen=True)
class Place:
    """Where a value was written: a line of a yaml file, or a flag of the command line (``file`` is None)."""

    file: Path | None = None
    line: int | None = None
    """Counted from 1."""

    def fail(self, key: str, message: str) -> NoReturn:
        """Raise an InputError that names this place and the dotted key ``key`` ("" for the whole document)."""
        if self.file is not None:
            raise InputError.at(self.file, f"{key}: {message}" if key else message, self.line)
        raise InputError(f"--{key}: {message}" if key else message)


@dataclass
class Node:
    """A value of a configuration: a mapping or list of nodes, a scalar, or the raw words behind a flag (``words``)."""

    value: Any
    place: Place
    words: tuple[str, ...] | None = None

    @property
    def is_mapping(self) -> bool:
        """Whether the node holds named children."""
        return isinstance(self.value, dict)

    def plain(self) -> Any:
        """The value without places; the words of a flag are read as yaml."""
        if self.words is not None:
            values = [parse_scalar(word) for word in self.words]
            return values[0] if len(values) == 1 else (values or True)
        if isinstance(self.value, dict):
            return {name: child.plain() for name, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value


MAX_NODES = 100_000  # aliases of aliases make a document of a few lines endless ("billion laughs")


class ConfigLoader(yaml.SafeLoader):
    """The safe loader, with YAML 1.2's reading of floats: ``1e-4`` is a number (PyYAML takes it for a string)."""

    num_nodes = 0


ConfigLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:float"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
ConfigLoader.add_implicit_resolver("tag:yaml.org,2002:float", FLOAT, list("-+0123456789."))


def parse_scalar(text: str) -> Any:
    """Read one word of the command line as yaml; what is not valid yaml stays text."""
    try:
        return yaml.load(text, Loader=ConfigLoader)
    except yaml.YAMLError:
        return text


def parse_document(text: str, file: Path | None) -> Node:
    """Read one yaml document into nodes. An empty document is an empty mapping.

    Raises:
        InputError: not valid yaml, a key given twice, or a key that is not text; the message names file and line.
    """
    loader: ConfigLoader | None = None
    try:
        loader = ConfigLoader(text)  # reads the first characters, which may be none of yaml's
        root = loader.get_single_node()
        if root is None:
            return Node({}, Place(file))
        return _to_node(loader, root, file, ())
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        Place(file, mark.line + 1 if mark else None).fail("", f"not valid yaml: {' '.join(problem.split())}")
    except InputError:
        raise
    except (ValueError, OverflowError) as error:
        # the safe loader's constructors, for instance of a date such as 2020-99-99
        Place(file).fail("", f"not valid yaml: {error}")
    except RecursionError:
        Place(file).fail("", "not valid yaml: nested too deeply")
    finally:
        if loader is not None:
            loader.dispose()


def read_file(path: str | Path, named_by: Place | None = None, key: str = "") -> Node:
    """Read a yaml file whose document is a mapping; ``named_by`` and ``key`` are where its name was written.

    Raises:
        InputError: no such file, not UTF-8, not yaml, or not a mapping.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
        if named_by is not None:
            named_by.fail(key, f"{path}: {reason}")
        raise InputError.at(path, reason) from error
    except UnicodeDecodeError as error:
        raise InputError.at(path, f"not valid UTF-8 ({error.reason} at byte {error.start})") from error
    node = parse_document(text, path)
    if not node.is_mapping:
        node.place.fail("", f"expected a mapping of names to values, got {describe(node.plain())}")
    return node


def describe(value: Any) -> str:
    """A value as an error shows it: short, on one line."""
    text = "null" if value is None else str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def join(parts: Sequence[str]) -> str:
    """A dotted key from its parts."""
    return ".".join(part for part in parts if part)


def _to_node(loader: ConfigLoader, node: yaml.Node, file: Path | None, parents: tuple[str, ...]) -> Node:
    place = Place(file, node.start_mark.line + 1)
    if len(parents) > 50:
        place.fail("", "nested more than 50 levels deep")
    loader.num_nodes += 1
    if loader.num_nodes > MAX_NODES:
        place.fail("", f"more than {MAX_NODES:,} values, aliases counted each time")
    if isinstance(node, yaml.SequenceNode):
        children = [_to_node(loader, child, file, (*parents, str(i))) for i, child in enumerate(node.value)]
        return Node(children, place)
    if isinstance(node, yaml.MappingNode):
        return Node(_to_children(loader, node, file, parents), place)
    return Node(loader.construct_object(node, deep=True), place)


def _to_children(
    loader: ConfigLoader, node: yaml.MappingNode, file: Path | None, parents: tuple[str, ...]
) -> dict[str, Node]:
    first_line: dict[str, int] = {}
    for key_node, _ in node.value:
        key, place = _key_text(key_node, file, parents), Place(file, key_node.start_mark.line + 1)
        if key in first_line:
            place.fail(join((*parents, key)), f"given twice (first in line {first_line[key]})")
        first_line[key] = key_node.start_mark.line + 1
    loader.flatten_mapping(node)  # merge keys: "<<: *anchor" puts the anchor's pairs before the mapping's own
    children: dict[str, Node] = {}
    for key_node, value_node in node.value:
        key = _key_text(key_node, file, parents)
        children[key] = _to_node(loader, value_node, file, (*parents, key))
        children[key].place = Place(file, key_node.start_mark.line + 1)
    return children


def _key_text(key_node: yaml.Node, file: Path | None, parents: tuple[str, ...]) -> str:
    """A key as it stands in the file, also where yaml would read it as a number or a truth value (1, yes)."""
    if not isinstance(key_node, yaml.ScalarNode):
        Place(file, key_node.start_mark.line + 1).fail(join(parents), "a key must be text")
    return str(key_node.value)
