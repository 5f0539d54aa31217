"""Dataclass instances back to yaml text."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from unimo.config.nodes import FLOAT


def dump_config(parts: Mapping[str, Any]) -> str:
    """Yaml text with every value of the instances; :func:`load_config` makes equal instances from it.

    Args:
        parts: key prefix -> dataclass instance, as :func:`load_config` returns them. A part that is also a field of
            the dataclass around it is written once.
    """
    tree: dict[str, Any] = {}
    for prefix in sorted(parts, key=len):
        values = to_plain(parts[prefix])
        inner = tree
        for name in prefix.split(".") if prefix else ():
            inner[name] = inner.get(name) or {}
            inner = inner[name]
        inner.update(values)
    return yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def to_plain(value: Any) -> Any:
    """A configuration value as yaml (and JSON) can hold it: dataclasses as mappings, tuples as lists, paths as text."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value) if field.init}
    if isinstance(value, Mapping):
        return {to_plain(name): to_plain(each) for name, each in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(to_plain(each) for each in value)
    if isinstance(value, list | tuple):
        return [to_plain(each) for each in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, enum.Enum):
        return value.name
    assert value is None or isinstance(value, bool | int | float | str), f"{type(value)} is no configuration value"
    return value


class _Dumper(yaml.SafeDumper):
    """Lists of scalars on one line, no anchors, and text quoted wherever our loader would read a number."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_list(dumper: yaml.SafeDumper, value: list[Any]) -> yaml.Node:
    flat = not any(isinstance(each, list | dict) for each in value)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=flat)


def _represent_text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    # PyYAML folds line breaks in single quotes, those of Unicode included, so that they are read back as other text
    style = '"' if any(each in value for each in "\n\r\x85\u2028\u2029") else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _represent_text)
_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", FLOAT, list("-+0123456789."))
_Dumper.add_representer(list, _represent_list)
