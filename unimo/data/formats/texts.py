"""Texts without image."""

from __future__ import annotations

from pathlib import Path

from unimo.data.formats.json_fields import read_jsonl, string
from unimo.data.formats.parts import whole_file
from unimo.data.records import TextRecord
from unimo.files import read_lines, suffix_of


def read_texts(path: str | Path) -> list[TextRecord]:
    """Texts: a `.jsonl` file with ``{"text": str}`` a line, or any other file as one text a line (blank ones skip)."""
    file = whole_file(path)
    if suffix_of(file) == ".jsonl":
        return read_jsonl(file, lambda record_id, fields: TextRecord(record_id, string(fields["text"], "text")))
    return [TextRecord(f"{file.name}:{number}", line.strip()) for number, line in read_lines(file) if line.strip()]
