"""Sentences about images, and whether they follow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from unimo.data.formats import snli_ve
from unimo.data.formats.json_fields import read_jsonl, string
from unimo.data.formats.parts import whole_file
from unimo.data.records import EntailmentRecord


def read_entailment(path: str | Path) -> list[EntailmentRecord]:
    """JSON lines, ours or SNLI-VE's, which are told apart by their fields.

    Ours are ``{"record_id": str?, "image_id": str, "hypothesis": str, "label": str?}``.

    Raises:
        InputError: missing or empty file, or a broken line.
    """
    return read_jsonl(whole_file(path), _from_line)


def _from_line(line_id: str, fields: dict[str, Any]) -> EntailmentRecord:
    if (record := snli_ve.record_of(line_id, fields)) is not None:
        return record
    hypothesis, label = string(fields["hypothesis"], "hypothesis"), string(fields.get("label", ""), "label")
    return EntailmentRecord(str(fields.get("record_id", line_id)), str(fields["image_id"]), hypothesis, label)
