"""Sources and targets in two files, line by line: SQuAD question generation, CNN/DailyMail, Gigaword."""

from __future__ import annotations

from pathlib import Path

from unimo.data.records import GenerationRecord
from unimo.errors import InputError
from unimo.files import read_lines


def read_line_pairs(source: Path, source_name: str, target_name: str) -> list[GenerationRecord]:
    """One source a line in ``source``, its target on the same line of the file with the other name.

    Raises:
        InputError: a file is missing, or they have different numbers of lines.
    """
    target = target_of(source, source_name, target_name)
    sources, targets = list(read_lines(source)), list(read_lines(target))
    if len(sources) != len(targets):
        raise InputError.at(target, f"{len(targets)} lines, but {source.name} has {len(sources)}")
    return [
        GenerationRecord(f"{source.name}:{number}", (given.strip(),), wanted.strip())
        for (number, given), (_, wanted) in zip(sources, targets, strict=True)
    ]


def target_of(source: Path, source_name: str, target_name: str) -> Path:
    """The file of the targets; one of the two files may be gzipped and the other not.

    Raises:
        InputError: the source's name does not hold ``source_name``.
    """
    if source_name not in source.name:
        raise InputError.at(source, f"line_pair: the file's name does not hold {source_name!r}")
    target = source.with_name(source.name.replace(source_name, target_name, 1))
    other = target.with_suffix("") if target.suffix == ".gz" else target.with_name(f"{target.name}.gz")
    return other if other.is_file() and not target.is_file() else target
