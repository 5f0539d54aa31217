"""Configuration from yaml files and flags to frozen dataclasses, strictly: every mistake names its place and key."""

from __future__ import annotations

import dataclasses
import difflib
import re
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from unimo.config.nodes import Node, Place, describe, join
from unimo.config.overrides import expand_file, is_file_name, parse_words, read_layers, with_override
from unimo.config.types import (
    SEQUENCES,
    admits_none,
    alternatives,
    convert,
    field_types,
    holds_dataclass,
    is_container,
    is_dataclass_type,
    is_mapping_type,
    type_text,
)
from unimo.errors import InputError


def load_config(
    parts: Mapping[str, type],
    files: Sequence[str | Path] = (),
    overrides: Sequence[str] = (),
    links: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Build the dataclasses of ``parts`` from yaml files (later ones win) with ``overrides`` on top.

    Args:
        parts: key prefix -> dataclass. ``""`` is the top of the document; ``"options"`` is what stands under
            ``options:``. Where the dataclass around a prefix has a field of that name, it gets the instance too.
        files: yaml files, deeply merged in order.
        overrides: words of the command line: ``--a.b value``, ``--a.b=value`` or ``a.b=value``.
        links: dotted target -> dotted source: a target that nobody set takes the source's value.

    Where a dataclass is expected, a value that ends in .yaml names a file (relative to the file it stands in).

    Returns:
        key prefix -> instance, for every part.

    Raises:
        InputError: an unknown key, a wrong type, a missing or an impossible value; one line with file, line and key.
    """
    return build_parts(parts, read_layers(files, overrides), links)


def build_parts(parts: Mapping[str, type], root: Node, links: Mapping[str, str] | None = None) -> dict[str, Any]:
    """As :func:`load_config`, from a tree that is merged already."""
    for target, source in (links or {}).items():
        root = _link(parts, root, target, source)
    builder = _Builder(parts)
    # inner parts first: an outer dataclass that has a field for one of them receives the instance
    for prefix in sorted(parts, key=lambda prefix: -len(prefix.split(".")) if prefix else 1):
        node = find(root, prefix) or Node({}, root.place)
        builder.built[prefix] = builder.build(parts[prefix], node, prefix)
    if "" not in parts:
        builder.reject_strangers(root, "", {prefix.split(".")[0] for prefix in parts})
    return {prefix: builder.built[prefix] for prefix in parts}


def find(root: Node, key: str) -> Node | None:
    """The node at a dotted key, or None."""
    node = root
    names = key.split(".") if key else []
    for depth, name in enumerate(names):
        if is_file_name(node):
            node = expand_file(node, join(names[:depth]))
        if not node.is_mapping or name not in node.value:
            return None
        node = node.value[name]
    return node


def dotted_keys(cls: type, prefix: str = "") -> Iterator[str]:
    """The dotted key of every field of a dataclass, nested ones included."""
    for name, hint in field_types(cls).items():
        yield join((prefix, name))
        for each in alternatives(hint):
            if is_dataclass_type(each):
                yield from dotted_keys(each, join((prefix, name)))


def nearest(name: str, names: Sequence[str]) -> str | None:
    """The valid name that ``name`` most likely means, or None if none is near."""
    found = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return found[0] if found else None


class _Builder:
    def __init__(self, parts: Mapping[str, type]) -> None:
        self.parts = parts
        self.built: dict[str, Any] = {}

    def build(self, cls: type, node: Node, key: str) -> Any:
        """An instance of ``cls`` from a mapping (or the name of a yaml file, or nothing: all defaults)."""
        node = _as_mapping(node, key)
        hints = field_types(cls)
        inner = {name: self.built[join((key, name))] for name in node.value | hints if join((key, name)) in self.built}
        self.reject_strangers(node, key, hints.keys() | inner.keys(), cls)
        values = {}
        for name, hint in hints.items():
            child_key = join((key, name))
            if name in inner:
                values[name] = inner[name]
            elif name in node.value:
                values[name] = self.value(hint, node.value[name], child_key)
            elif _is_required(cls, name):
                if is_dataclass_type(hint):
                    values[name] = self.value(hint, Node({}, node.place), child_key)
                else:
                    node.place.fail(child_key, f"missing; expected {type_text(hint)}")
        try:
            return cls(**values)
        except ValueError as error:
            _fail_impossible(error, node, key)

    def value(self, hint: Any, node: Node, key: str) -> Any:
        """A value of type ``hint``, which may hold dataclasses at any depth."""
        members = [each for each in alternatives(hint) if each is not type(None)]
        if holds_dataclass(hint):
            node = node if is_file_name(node) else parse_words(node, key)
            if node.value is None and admits_none(hint):
                return None
        classes = [each for each in members if is_dataclass_type(each)]
        if classes and (node.is_mapping or is_file_name(node) or len(members) == len(classes)):
            node = _as_mapping(node, key)
            return self.build(_choose(classes, node), node, key)
        containers = [each for each in members if is_container(each)]
        if node.words is None and isinstance(node.value, list | dict):
            fitting = [each for each in containers if is_mapping_type(each) == node.is_mapping]
            if len(fitting) == 1:
                return self.container(fitting[0], node, key)
        if holds_dataclass(hint) and not any(not holds_dataclass(each) for each in members):
            node.place.fail(key, f"expected {type_text(hint)}, got {describe(node.plain())}")
        if classes or any(holds_dataclass(each) for each in members):
            hint = typing.Union[tuple(each for each in members if not holds_dataclass(each))]  # noqa: UP007
        return convert(node, hint, key)

    def container(self, hint: Any, node: Node, key: str) -> Any:
        """A list, tuple, set or mapping, element by element, so that an error names the element."""
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        assert origin is not None and arguments
        if is_mapping_type(hint):
            return {
                convert(Node(name, child.place, (name,)), arguments[0], key): self.value(
                    arguments[1], child, join((key, name))
                )
                for name, child in node.value.items()
            }
        fixed = origin is tuple and Ellipsis not in arguments
        if fixed and len(arguments) != len(node.value):
            node.place.fail(key, f"expected {type_text(hint)}, got {len(node.value)} elements")
        kinds = arguments if fixed else [arguments[0]] * len(node.value)
        pairs = enumerate(zip(kinds, node.value, strict=True))
        values = [self.value(kind, child, join((key, str(i)))) for i, (kind, child) in pairs]
        return origin(values) if origin in SEQUENCES else tuple(values)

    def reject_strangers(self, node: Node, key: str, names: typing.AbstractSet[str], cls: type | None = None) -> None:
        """Fail on the first name of the mapping that nothing reads."""
        for name, child in node.value.items():
            if name not in names:
                child_key = join((key, name))
                hint = self.hint_for(name, key, names, "" if child.place.file is not None else "--")
                child.place.fail(child_key, f"unknown key; {hint}")

    def hint_for(self, name: str, key: str, names: typing.AbstractSet[str], dashes: str) -> str:
        """The nearest valid name: among the neighbours, else the same or a near name elsewhere."""
        near = nearest(name, sorted(names))
        if near is None:
            everywhere = [each for prefix, cls in self.parts.items() for each in dotted_keys(cls, prefix)]
            same = [each for each in everywhere if each.split(".")[-1] == name]
            found = same[0] if same else nearest(join((key, name)), everywhere)
        else:
            found = join((key, near))
        return f"did you mean {dashes}{found}?" if found else f"expected one of {', '.join(sorted(names))}"


def _as_mapping(node: Node, key: str) -> Node:
    if is_file_name(node):
        return expand_file(node, key)
    node = parse_words(node, key)
    if node.value is None:
        return Node({}, node.place)  # "options:" with nothing under it
    if not node.is_mapping:
        node.place.fail(key, f"expected a mapping or the name of a yaml file, got {describe(node.plain())}")
    return node


def _is_required(cls: type, name: str) -> bool:
    field = cls.__dataclass_fields__[name]  # type: ignore[attr-defined]
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _choose(classes: Sequence[type], node: Node) -> type:
    """The member of a union of dataclasses that is meant.

    Those whose ``Literal`` fields contradict the given values drop out; of the others, the one that knows most of
    the given names is taken, the first among equals.
    """

    def contradicted(cls: type) -> bool:
        literals = {name: hint for name, hint in field_types(cls).items() if typing.get_origin(hint) is typing.Literal}
        given = {name: node.value[name].plain() for name in literals if name in node.value}
        return any(value not in typing.get_args(literals[name]) for name, value in given.items())

    fitting = [cls for cls in classes if not contradicted(cls)] or classes
    return max(fitting, key=lambda cls: len(field_types(cls).keys() & node.value.keys()))


def _fail_impossible(error: ValueError, node: Node, key: str) -> typing.NoReturn:
    """Name the place of the first given field that the message mentions, else that of the mapping."""
    message = " ".join(str(error).split())
    for word in re.findall(r"[A-Za-z_]\w*", message):
        if word in node.value:
            child = node.value[word]
            try:
                child.place.fail(join((key, word)), message)
            except InputError as located:
                raise located from error
    place = node.place if node.place.file is not None or key else Place()
    try:
        place.fail(key, message)
    except InputError as located:
        raise located from error


def _link(parts: Mapping[str, type], root: Node, target: str, source: str) -> Node:
    if find(root, target) is not None:
        return root
    given = find(root, source)
    if given is None:
        given = _default_of(parts, source)
    return with_override(root, target.split("."), given) if given is not None else root


def _default_of(parts: Mapping[str, type], key: str) -> Node | None:
    """The default of the field at a dotted key; None where it has none."""
    names = key.split(".")
    owners = [prefix for prefix in parts if not prefix or names[: len(prefix.split("."))] == prefix.split(".")]
    assert owners, f"no part holds {key!r}"
    prefix = max(owners, key=len)
    cls: Any = parts[prefix]
    names = names[len(prefix.split(".")) if prefix else 0 :]
    for name in names[:-1]:
        cls = next(each for each in alternatives(field_types(cls)[name]) if is_dataclass_type(each))
    field = cls.__dataclass_fields__[names[-1]]
    if field.default is dataclasses.MISSING:
        return None
    return Node(field.default, Place())
