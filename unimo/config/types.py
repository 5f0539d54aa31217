"""Single values checked against their annotated types, and those types as a reader sees them."""

from __future__ import annotations

import dataclasses
import enum
import functools
import types
import typing
from argparse import ArgumentError
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser

from unimo.config.nodes import Node, describe

SEQUENCES = (list, tuple, set, frozenset)


@functools.cache
def field_types(cls: type) -> dict[str, Any]:
    """The resolved annotation of every field that ``cls`` accepts when it is made."""
    hints = typing.get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls) if field.init}


def is_dataclass_type(hint: Any) -> bool:
    """Whether ``hint`` is a dataclass (not an instance of one)."""
    return isinstance(hint, type) and dataclasses.is_dataclass(hint)


def alternatives(hint: Any) -> tuple[Any, ...]:
    """The members of a union, or the type itself."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return typing.get_args(hint)
    return (hint,)


def admits_none(hint: Any) -> bool:
    """Whether null is a value of the type."""
    return any(each in (None, type(None), Any) for each in alternatives(hint))


def is_sequence(hint: Any) -> bool:
    """Whether one of the alternatives is a list, tuple or set."""
    return any((typing.get_origin(each) or each) in SEQUENCES for each in alternatives(hint))


def is_mapping_type(hint: Any) -> bool:
    """Whether the type is a mapping with named key and value types."""
    origin = typing.get_origin(hint)
    return isinstance(origin, type) and issubclass(origin, Mapping)


def is_container(hint: Any) -> bool:
    """Whether the type is a sequence, set or mapping with named element types."""
    origin = typing.get_origin(hint)
    return isinstance(origin, type) and issubclass(origin, Collection)


def holds_dataclass(hint: Any) -> bool:
    """Whether a dataclass occurs anywhere in the type."""
    return is_dataclass_type(hint) or any(holds_dataclass(each) for each in typing.get_args(hint))


def type_text(hint: Any) -> str:
    """A type in a reader's words, for errors and help."""
    members = alternatives(hint)
    if len(members) > 1:
        return " or ".join(type_text(each) for each in members)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in (None, type(None)):
        return "null"
    if hint is Any:
        return "any value"
    if origin is typing.Literal:
        return "one of " + ", ".join(str(each) for each in arguments) if len(arguments) > 1 else str(arguments[0])
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return "one of " + ", ".join(member.name for member in hint)
    if isinstance(hint, type) and issubclass(hint, Path):
        return "path"
    if origin is tuple and Ellipsis not in arguments:
        return f"list of {len(arguments)} ({', '.join(type_text(each) for each in arguments)})"
    if origin in SEQUENCES:
        return f"list of {type_text(arguments[0])}"
    if origin is not None and len(arguments) == 2:
        return f"mapping of {type_text(arguments[0])} to {type_text(arguments[1])}"
    if is_dataclass_type(hint):
        return f"mapping of {hint.__name__} fields"
    return str(getattr(hint, "__name__", hint))


def convert(node: Node, hint: Any, key: str) -> Any:
    """The value of ``node`` as an instance of ``hint``, which holds no dataclass.

    Yaml values must have the type already (an int may stand for a float); the words of a flag are read as the type.

    Raises:
        InputError: the value is not of that type; the message names place, key and what was expected.
    """
    if node.words is not None:
        return _convert_words(node, hint, key)
    value = node.plain()
    if value is None and admits_none(hint):
        return None
    if value is None or (isinstance(value, str) and not _takes_text(hint)):
        hint_at_list = f"; it is a list: write [{value}]" if isinstance(value, str) and is_sequence(hint) else ""
        node.place.fail(key, f"expected {type_text(hint)}, got {describe(value)}{hint_at_list}")
    if hint is Any or (isinstance(value, str) and str in alternatives(hint)):
        return value
    # null is dealt with; without it in the type, the text "null" stays a text
    members = tuple(each for each in alternatives(hint) if each is not type(None))
    return _parse(node, value, typing.Union[members], key)  # noqa: UP007


def _convert_words(node: Node, hint: Any, key: str) -> Any:
    words: tuple[str, ...] = node.words or ()
    written_as_yaml = len(words) == 1 and (words[0].lstrip().startswith("[") or words[0] == "null")
    if is_sequence(hint) and words and not written_as_yaml:
        element = _element_type(hint)
        values = [_parse(node, word, element, key) for word in words] if element is not None else list(words)
        return _parse(node, values, hint, key)
    if not words and bool in alternatives(hint):
        return True
    if not words:
        node.place.fail(key, f"needs a value: {type_text(hint)}")
    if len(words) > 1:
        node.place.fail(key, f"takes one value ({type_text(hint)}), got also {' '.join(words[1:])!r}")
    return _parse(node, words[0], hint, key)


def _element_type(hint: Any) -> Any:
    """The one type of a sequence's elements, or None where the elements differ in type."""
    for each in alternatives(hint):
        if (typing.get_origin(each) or each) in SEQUENCES:
            elements = {argument for argument in typing.get_args(each) if argument is not Ellipsis}
            return elements.pop() if len(elements) == 1 else None
    return None


def _takes_text(hint: Any) -> bool:
    """Whether a text in yaml can be a value of the type."""
    for each in alternatives(hint):
        if each in (str, Any) or typing.get_origin(each) is typing.Literal:
            return True
        if isinstance(each, type) and issubclass(each, Path | enum.Enum):
            return True
    return False


def _parse(node: Node, value: Any, hint: Any, key: str) -> Any:
    try:
        return _parser_of(hint, repr(hint)).parse_object({"value": value}).value
    except (ArgumentError, OverflowError) as error:  # a whole number too large for a float overflows
        expected = f"expected {type_text(hint)}, got {describe(value)}"
        node.place.fail(key, expected + _elements_note(hint, value, error))


def _elements_note(hint: Any, value: Any, error: Exception) -> str:
    """How many elements there are, where a list of the wrong length is the trouble."""
    if isinstance(value, Iterable) and "elements" in str(error):
        return f" ({len(list(value))} elements)"
    return ""


@functools.cache
def _parser_of(hint: Any, text: str) -> ArgumentParser:
    """A parser of one value; ``text`` keeps ``int | str`` and ``str | int`` apart, which compare equal."""
    parser = ArgumentParser(exit_on_error=False, allow_abbrev=False)
    parser.add_argument("--value", type=hint)
    return parser
