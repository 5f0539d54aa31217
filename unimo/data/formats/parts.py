"""``FILE#PART``: which part of a file is meant, wherever a file can be named."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from unimo.errors import InputError


def split_part(path: str | Path) -> tuple[Path, str]:
    """`dataset_coco.json#test` -> the file, and `test` ("" where no part is named).

    A file whose own name holds the mark is taken as it is.
    """
    file, mark, part = str(path).rpartition("#")
    return (Path(file), part) if mark and not Path(path).exists() else (Path(path), "")


def whole_file(path: str | Path) -> Path:
    """The file, where its format has no parts.

    Raises:
        InputError: a part is named.
    """
    file, part = split_part(path)
    if part:
        raise InputError.at(file, f"a file of this format has no parts; leave out '#{part}'")
    return file


def choose_splits(file: Path, part: str, sizes: Mapping[str, int]) -> frozenset[str]:
    """The splits that ``part`` names, joined by ``+``: `train+restval`. ``sizes``: records of each split there.

    Raises:
        InputError: none is named, or one that is not there; the message lists those that are.
    """
    there = ", ".join(f"{name} ({size})" for name, size in sizes.items())
    if not part:
        raise InputError.at(file, f"holds several splits; name one or more, as in {file.name}#test; there are {there}")
    chosen = part.split("+")
    if absent := [name for name in chosen if name not in sizes]:
        raise InputError.at(file, f"no split {absent[0]!r}; there are {there}")
    return frozenset(chosen)
