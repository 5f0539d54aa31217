"""Sources and targets of text generation: tables, pairs of line files, JSON lines, and CoQA's conversations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unimo.data.records import DialogueRecord, GenerationRecord, read_jsonl, read_tsv
from unimo.errors import InputError
from unimo.files import read_json, read_lines, suffix_of

TURN_SEPARATOR = " [SEP] "


@dataclass(frozen=True)
class GenerationColumns:
    """Where files hold sources and target. The kind of file is told by its name.

    `.tsv` has a header; `.jsonl` has fields of the same names; `.json` is CoQA; any other file has one source a line,
    and its targets lie in the file that ``line_pair`` names.
    """

    sources: tuple[str, ...] = ("src",)
    """Columns of the sources, in order; of a conversation the first holds the turns, separated by ` [SEP] `."""

    target: str = "tgt"
    """Column of the target."""

    knowledge: str = "knowledge"
    """Column of a conversation's background."""

    line_pair: tuple[str, ...] = ("src", "tgt")
    """A part of the source file's name and what stands there in the target file's: train.source, train.target."""

    def __post_init__(self) -> None:
        """Refuse names that cannot be."""
        if len(self.line_pair) != 2 or not self.sources:
            raise ValueError("line_pair: two names; sources: at least one")


def read_generation(
    path: str | Path, columns: GenerationColumns, dialogue: bool = False
) -> list[GenerationRecord] | list[DialogueRecord]:
    """The records of a file.

    Raises:
        InputError: missing or empty file, a line that lacks a column, source and target files of different length.
    """
    if dialogue:
        return read_coqa(path) if suffix_of(path) == ".json" else list(_dialogue_rows(path, columns))
    if suffix_of(path) == ".tsv":
        return list(_table_rows(path, columns))
    if suffix_of(path) == ".jsonl":
        return read_jsonl(path, lambda name, fields: _from_fields(name, fields, columns))
    return read_line_pairs(path, *columns.line_pair)


def read_line_pairs(path: str | Path, source_name: str, target_name: str) -> list[GenerationRecord]:
    """One source a line in ``path``, its target on the same line of the file with the other name."""
    source = Path(path)
    if source_name not in source.name:
        raise InputError.at(path, f"line_pair: the file's name does not hold {source_name!r}")
    target = source.with_name(source.name.replace(source_name, target_name, 1))
    sources, targets = list(read_lines(source)), list(read_lines(target))
    if len(sources) != len(targets):
        raise InputError.at(target, f"{len(targets)} lines, but {source.name} has {len(sources)}")
    return [
        GenerationRecord(f"{source.name}:{number}", (given.strip(),), wanted.strip())
        for (number, given), (_, wanted) in zip(sources, targets, strict=True)
    ]


def read_coqa(path: str | Path) -> list[DialogueRecord]:
    """CoQA's JSON: every question with the story and the questions and answers before it.

    The last turn is the question; record ids are `<story id>:<turn>`.
    """
    values = read_json(path)
    try:
        records = []
        for story in values["data"]:
            answers = {answer["turn_id"]: str(answer["input_text"]) for answer in story.get("answers", [])}
            turns: list[str] = []
            for question in story["questions"]:
                turns.append(str(question["input_text"]))
                answer = answers.get(question["turn_id"])
                name = f"{story['id']}:{question['turn_id']}"
                records.append(DialogueRecord(name, str(story["story"]), tuple(turns), answer))
                turns.append(answer or "")
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError.at(path, f"not CoQA's JSON ({type(error).__name__}: {error})") from error
    if not records:
        raise InputError.at(path, "no questions")
    return records


def _table_rows(path: str | Path, columns: GenerationColumns) -> Iterator[GenerationRecord]:
    for number, row in read_tsv(path, [*columns.sources, columns.target]):
        sources = tuple(row[name] for name in columns.sources)
        yield GenerationRecord(f"{Path(path).name}:{number}", sources, row[columns.target])


def _dialogue_rows(path: str | Path, columns: GenerationColumns) -> Iterator[DialogueRecord]:
    for number, row in read_tsv(path, [columns.sources[0], columns.target, columns.knowledge]):
        turns = tuple(row[columns.sources[0]].split(TURN_SEPARATOR))
        yield DialogueRecord(f"{Path(path).name}:{number}", row[columns.knowledge], turns, row[columns.target])


def _from_fields(name: str, fields: dict[str, Any], columns: GenerationColumns) -> GenerationRecord:
    values = [fields[column] for column in columns.sources]
    target = fields.get(columns.target)
    if not all(isinstance(value, str) for value in [*values, *([] if target is None else [target])]):
        raise ValueError("sources and target: expected strings")
    return GenerationRecord(str(fields.get("record_id", name)), tuple(values), target)
