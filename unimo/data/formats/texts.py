"""Texts without image."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from unimo.data.formats.json_fields import read_jsonl, string
from unimo.data.formats.parts import whole_file
from unimo.data.records import TextRecord
from unimo.files import read_lines, suffix_of


def read_texts(path: str | Path, name: str = "") -> list[TextRecord]:
    """Texts: a `.jsonl` file with ``{"text": str}`` a line, or any other file as one text a line (blank ones skip).

    ``name``: what stands before the line's number in a record's id, where it is not the file's own name.
    """
    file = whole_file(path)
    name = name or file.name
    if suffix_of(file) == ".jsonl":
        texts = read_jsonl(file, lambda place, fields: (place.rpartition(":")[2], string(fields["text"], "text")))
    else:
        texts = [(str(number), line.strip()) for number, line in read_lines(file) if line.strip()]
    return [TextRecord(f"{name}:{number}", text) for number, text in texts]


def read_text_files(paths: Sequence[str | Path]) -> list[TextRecord]:
    """The texts of several files, each file once, with ids of their own: see :func:`distinct_names`."""
    files: dict[str, str | Path] = {}
    for path in paths:
        files.setdefault(os.path.abspath(whole_file(path)), path)
    names = distinct_names(files)
    return [record for path, name in zip(files.values(), names, strict=True) for record in read_texts(path, name)]


def distinct_names(paths: Iterable[str | Path]) -> list[str]:
    """What tells each of some different files from the others: its name, or, of files of one name, with their folders.

    ``a/captions.txt`` and ``b/captions.txt`` are told apart by one folder, ``a/en/captions.txt`` and
    ``b/en/captions.txt`` by two.
    """
    parts = [Path(os.path.abspath(path)).parts for path in paths]
    names = []
    for own in parts:
        alike = [other for other in parts if other[-1] == own[-1]]
        depths = range(1, 1 + max(map(len, alike)))
        depth = next(depth for depth in depths if len({other[-depth:] for other in alike}) == len(alike))
        names.append("/".join(own[-depth:]))
    return names
