"""A job's `sweep:` block: every combination of the values that it gives some keys."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from unimo.config.build import build_parts, find
from unimo.config.nodes import Node, describe
from unimo.config.overrides import is_file_name, parse_words, read_layers, with_override

SWEEP_KEY = "sweep"
_FIXED = ("task", "output", SWEEP_KEY)


@dataclass(frozen=True)
class Combination:
    """One value of each swept key."""

    name: str
    """Tells it from the others, and is fit for a folder's name."""

    values: Mapping[str, Any]
    """Dotted key -> value."""

    def as_argv(self) -> list[str]:
        """The values as words of a command line."""
        words = []
        for key, value in self.values.items():
            words += [f"--{key}", value if isinstance(value, str) else yaml.safe_dump(value, default_flow_style=True)]
        return [word.removesuffix("\n").removesuffix("\n...") for word in words]


def read_sweep(parts: Mapping[str, type], files: Sequence[str | Path], overrides: Sequence[str]) -> list[Combination]:
    """The combinations of a job's sweep block, the last key changing fastest; none without the block.

    Every value is tried in the job, so that one that does not fit is found before anything is trained.

    Args:
        parts: as :func:`unimo.config.load_config` takes them.
        files: the job's yaml files.
        overrides: words of the command line.

    Raises:
        InputError: no such key, a value that it cannot have, or a key whose values are no list; with file and line.
    """
    root = read_layers(files, overrides)
    block = find(root, SWEEP_KEY)
    block = None if block is None else parse_words(block, SWEEP_KEY)
    if block is None or block.value in (None, {}):
        return []
    if not block.is_mapping:
        block.place.fail(SWEEP_KEY, f"expected keys with lists of values, got {describe(block.plain())}")
    job = Node({name: child for name, child in root.value.items() if name != SWEEP_KEY}, root.place)
    for key, child in block.value.items():
        _check_values(parts, job, key, child)
    short = _short_names(list(block.value))
    choices = [[(key, _plain(value)) for value in child.value] for key, child in block.value.items()]
    return [
        Combination("_".join(f"{short[key]}={_name_of(value)}" for key, value in chosen), dict(chosen))
        for chosen in itertools.product(*choices)
    ]


def _check_values(parts: Mapping[str, type], job: Node, key: str, child: Node) -> None:
    where = f"{SWEEP_KEY}.{key}"
    if key.partition(".")[0] in _FIXED:
        child.place.fail(where, "cannot differ within a sweep")
    if not isinstance(child.value, list) or not child.value:
        child.place.fail(where, f"expected a list of values, got {describe(child.plain())}")
    names = [_name_of(value) for value in child.plain()]
    if len(set(names)) < len(names):
        child.place.fail(where, f"a value comes twice in {describe(child.plain())}")
    for value in child.value:
        build_parts(parts, with_override(job, key.split("."), Node(value.value, child.place)))


def _plain(node: Node) -> Any:
    """The value; a yaml file's name with its folder, for on a command line it counts from the working folder."""
    if is_file_name(node) and node.place.file is not None:
        return str(node.place.file.parent / node.value)
    return node.plain()


def _short_names(keys: Sequence[str]) -> dict[str, str]:
    """The last part of each key, or all of it where two end alike."""
    ends = [key.rpartition(".")[2] for key in keys]
    return {key: end if ends.count(end) == 1 else key for key, end in zip(keys, ends, strict=True)}


def _name_of(value: Any) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return re.sub(r"[^\w.+-]+", "-", text).strip("-") or "empty"
