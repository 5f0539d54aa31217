"""Sources and targets of text generation: tables, pairs of line files, JSON lines, and CoQA's conversations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unimo.data.formats import coqa
from unimo.data.formats.json_fields import read_jsonl, string, strings
from unimo.data.formats.line_pairs import read_line_pairs
from unimo.data.formats.parts import whole_file
from unimo.data.formats.tables import read_table
from unimo.data.records import DialogueRecord, GenerationRecord
from unimo.errors import InputError
from unimo.files import read_json, suffix_of

TURN_SEPARATOR = " [SEP] "
TABLES = (".tsv", ".csv")


@dataclass(frozen=True)
class GenerationColumns:
    """Where files hold sources and target. The kind of file is told by its name.

    `.tsv` and `.csv` have a header; `.jsonl` has fields of the same names; `.json` is CoQA; any other file has one
    source a line, and its targets lie in the file that ``line_pair`` names.
    """

    sources: tuple[str, ...] = ("src",)
    """Columns of the sources, in order; of a conversation the first holds the turns, separated by ` [SEP] ` (in
    `.jsonl` also a list of them). Empty takes every column of a table but target and knowledge (original release)."""

    target: str = "tgt"
    """Column of the target. A file without this column can be predicted, not trained on or scored."""

    knowledge: str = "knowledge"
    """Column of a conversation's background."""

    line_pair: tuple[str, ...] = ("src", "tgt")
    """A part of the source file's name and what stands there in the target file's: [src, tgt] for src-train.txt and
    train.src.txt, [source, target] for train.source."""

    def __post_init__(self) -> None:
        """Refuse names that cannot be."""
        if len(self.line_pair) != 2:
            raise ValueError("line_pair: two names")


def read_generation(
    path: str | Path, columns: GenerationColumns, dialogue: bool = False
) -> list[GenerationRecord] | list[DialogueRecord]:
    """The records of a file.

    Raises:
        InputError: missing or empty file, a line that lacks a column, source and target files of different length, or
            JSON lines whose sources are not named.
    """
    file = whole_file(path)
    kind = suffix_of(file)
    if kind == ".jsonl" and not columns.sources:
        raise InputError.at(file, "columns.sources: empty takes all columns of a table; name the fields of JSON lines")
    if dialogue:
        return _read_dialogues(file, kind, columns)
    if kind in TABLES:
        return list(_table_rows(file, columns))
    if kind == ".jsonl":
        return read_jsonl(file, lambda name, fields: _from_fields(name, fields, columns))
    return list(read_line_pairs(file, *columns.line_pair))


def _read_dialogues(file: Path, kind: str, columns: GenerationColumns) -> list[DialogueRecord]:
    if kind == ".json":
        return coqa.dialogues(read_json(file), file)
    if kind == ".jsonl":
        return read_jsonl(file, lambda name, fields: _dialogue_from_fields(name, fields, columns))
    return list(_dialogue_rows(file, columns))


def _table_rows(file: Path, columns: GenerationColumns) -> Iterator[GenerationRecord]:
    for number, row in read_table(file, columns.sources):
        sources = tuple(row[name] for name in _sources_of(row, columns))
        yield GenerationRecord(f"{file.name}:{number}", sources, row.get(columns.target))


def _sources_of(row: Mapping[str, str], columns: GenerationColumns) -> Sequence[str]:
    return columns.sources or [name for name in row if name not in (columns.target, columns.knowledge)]


def _dialogue_rows(file: Path, columns: GenerationColumns) -> Iterator[DialogueRecord]:
    for number, row in read_table(file, [*columns.sources[:1], columns.knowledge]):
        turns = tuple(row[_sources_of(row, columns)[0]].split(TURN_SEPARATOR))
        yield DialogueRecord(f"{file.name}:{number}", row[columns.knowledge], turns, row.get(columns.target))


def _from_fields(name: str, fields: dict[str, Any], columns: GenerationColumns) -> GenerationRecord:
    sources = tuple(string(fields[column], column) for column in columns.sources)
    return GenerationRecord(str(fields.get("record_id", name)), sources, _target_of(fields, columns))


def _dialogue_from_fields(name: str, fields: dict[str, Any], columns: GenerationColumns) -> DialogueRecord:
    column = columns.sources[0]
    given = fields[column]
    turns = tuple(given.split(TURN_SEPARATOR)) if isinstance(given, str) else strings(given, column)
    if not turns:
        raise ValueError(f"{column}: no turns")
    knowledge = string(fields[columns.knowledge], columns.knowledge)
    return DialogueRecord(str(fields.get("record_id", name)), knowledge, turns, _target_of(fields, columns))


def _target_of(fields: dict[str, Any], columns: GenerationColumns) -> str | None:
    target = fields.get(columns.target)
    return None if target is None else string(target, columns.target)
