"""Help texts from field docstrings."""

from __future__ import annotations

import dataclasses
import functools
import textwrap
import typing
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from unimo.config.dump import to_plain
from unimo.config.nodes import join
from unimo.config.types import alternatives, field_types, is_dataclass_type, type_text

WIDTH = 110


def describe_parts(
    parts: Mapping[str, type], notes: Mapping[str, str] | None = None, left_out: Collection[str] = ()
) -> str:
    """One paragraph a field of the dataclasses: flag, type, docstring and default, grouped by dataclass.

    Args:
        parts: key prefix -> dataclass.
        notes: dotted key -> what stands in the place of its default.
        left_out: dotted keys that are not told of.
    """
    groups: dict[str, list[str]] = {}
    for prefix, cls in parts.items():
        for title, lines in _groups(cls, prefix, {*parts, *left_out} - {prefix}, notes or {}):
            groups.setdefault(title, []).extend(lines)
    return "\n".join("\n".join([f"{title}:", *lines, ""]) for title, lines in groups.items()).rstrip() + "\n"


@functools.cache
def field_docs(cls: type) -> dict[str, str]:
    """The docstring under each field of a dataclass, base classes included, on one line each."""
    from docstring_parser import parse_from_object

    docs: dict[str, str] = {}
    for each in reversed(cls.__mro__):
        if dataclasses.is_dataclass(each):
            for parameter in parse_from_object(each).params:
                if parameter.description:
                    docs[parameter.arg_name] = " ".join(parameter.description.split())
    return docs


def _groups(cls: type, prefix: str, apart: set[str], notes: Mapping[str, str]) -> Iterator[tuple[str, list[str]]]:
    """The group of ``cls``, then those of its nested dataclasses, each ``(title, lines)``."""
    lines, nested = [], []
    for field in dataclasses.fields(cls):
        hint, key = field_types(cls).get(field.name), join((prefix, field.name))
        if hint is None or key in apart:
            continue
        inner = [each for each in alternatives(hint) if is_dataclass_type(each)]
        if inner and len(inner) == len([each for each in alternatives(hint) if each is not type(None)]):
            nested += [(each, key) for each in inner]
        else:
            nested += [(each, f"{key}.<number or name>") for each in _element_classes(hint)]
            lines += _describe_field(field, hint, key, field_docs(cls).get(field.name, ""), notes.get(key))
    if lines:
        yield _title(cls, prefix), lines
    for each, key in nested:
        yield from _groups(each, key, apart, notes)


def _element_classes(hint: Any) -> list[type]:
    """The dataclasses inside a list, tuple or mapping."""
    found: list[type] = []
    for each in typing.get_args(hint):
        found += [each] if is_dataclass_type(each) else _element_classes(each)
    return list(dict.fromkeys(found))


def _title(cls: type, prefix: str) -> str:
    summary = (cls.__doc__ or "").strip().split("\n\n")[0]
    if summary.startswith(f"{cls.__name__}("):  # the signature that dataclass() puts where there is no docstring
        summary = ""
    summary = " ".join(summary.split()).rstrip(".")
    return " - ".join(each for each in (prefix, summary) if each) or "options"


def _describe_field(field: dataclasses.Field[Any], hint: Any, key: str, doc: str, note: str | None = None) -> list[str]:
    if note is not None:
        pass
    elif field.default is not dataclasses.MISSING:
        note = f"default {_default_text(field.default)}"
    elif field.default_factory is not dataclasses.MISSING:
        note = f"default {_default_text(field.default_factory())}"
    else:
        note = "required"
    text = f"{doc.rstrip('.')}. ({note})" if doc else f"({note})"
    body = textwrap.wrap(text, WIDTH - 6)
    return [f"  --{key} <{type_text(hint)}>", *("      " + line for line in body)]


def _default_text(value: Any) -> str:
    plain = to_plain(value)
    if plain is None or isinstance(plain, bool):
        return {None: "null", True: "true", False: "false"}[plain]
    return f'"{plain}"' if plain == "" else str(plain)
