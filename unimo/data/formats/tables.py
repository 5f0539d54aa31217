"""Tables of texts with labels: GLUE's downloads, the same in other files' columns, and comma-separated ones.

A `.csv` file is comma-separated, its cells quoted where need be; every other table is tab-separated and knows no
quoting: a quotation mark is a character like any other (as in GLUE and the original release).
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from unimo.data.formats.parts import split_part
from unimo.data.records import LabelledTextRecord
from unimo.errors import InputError
from unimo.files import read_lines, suffix_of

Row = tuple[int, list[str]]
"""Number of the line that a row starts in, and its cells."""

LONGEST_CELL = 1 << 30  # characters of a quoted cell; Python's csv stops at 131,072


@dataclass(frozen=True)
class TextColumns:
    """Which columns of a table hold what.

    One file whose columns are named differently says so itself: `diagnostic-full.tsv#text_a=Premise,text_b=Hypothesis`.
    """

    text_a: str = "text_a"
    """The text, or the first of a pair."""

    text_b: str = ""
    """The second text of a pair; empty where there is one text only."""

    label: str = "label"
    """The label. A file without this column can be predicted, not trained on or scored."""

    names: tuple[str, ...] = ()
    """Names of all columns, in order, for files without a header line. A file whose first line holds the name of text_a
    has a header and is read by that, so that both kinds can stand in one job (CoLA's train.tsv and test.tsv)."""

    def __post_init__(self) -> None:
        """Refuse names that cannot be."""
        wanted = [self.text_a, *([self.text_b] if self.text_b else [])]
        if self.names and (absent := [name for name in wanted if name not in self.names]):
            raise ValueError(f"names: {absent[0]!r} is not among {list(self.names)}")
        if len(set(self.names)) < len(self.names):
            raise ValueError(f"names: one comes twice in {list(self.names)}")


def read_labelled_texts(path: str | Path, columns: TextColumns) -> list[LabelledTextRecord]:
    """The texts of a table, with their labels where it has any.

    Raises:
        InputError: a column of texts is missing from the header, or a line has another number of columns; with line.
    """
    file, part = split_part(path)
    columns = _with_part(columns, file, part)
    required = [columns.text_a, *([columns.text_b] if columns.text_b else [])]
    return [
        LabelledTextRecord(
            f"{file.name}:{number}",
            row[columns.text_a],
            row[columns.text_b] if columns.text_b else None,
            row.get(columns.label, ""),
            row.get("qid"),
        )
        for number, row in read_table(file, required, columns.names)
    ]


def read_table(path: Path, required: Sequence[str], names: Sequence[str] = ()) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line number, cell by column name) of a table.

    Args:
        path: the file; `.csv` is comma-separated.
        required: columns that must be there; the first of them tells whether the first line is a header.
        names: columns of a file without a header line; none: it has one.

    Raises:
        InputError: no such column, a row with too few or too many cells, broken quoting, or no rows; with line.
    """
    rows = _quoted_rows(path) if suffix_of(path) == ".csv" else _plain_rows(path)
    first_number, first = next(rows)
    has_header = not names or required[0] in first
    header = first if has_header else list(names)
    if absent := [column for column in required if column not in header]:
        raise InputError.at(path, f"no column {', '.join(absent)} in the header {header}", first_number)
    count = 0
    for number, cells in rows if has_header else _chain((first_number, first), rows):
        if len(cells) != len(header):
            named = "the header has" if has_header else "the names given are"
            raise InputError.at(path, f"{len(cells)} columns, {named} {len(header)}", number)
        count += 1
        yield number, dict(zip(header, cells, strict=True))
    if count == 0:
        raise InputError.at(path, "no records after the header")


def _chain(first: Row, rest: Iterator[Row]) -> Iterator[Row]:
    yield first
    yield from rest


def _plain_rows(path: Path) -> Iterator[Row]:
    for number, line in read_lines(path):
        yield number, line.rstrip("\r\n").split("\t")


def _quoted_rows(path: Path) -> Iterator[Row]:
    """Rows of comma-separated cells; a quoted cell may hold line ends, blank lines between rows are nothing."""
    csv.field_size_limit(LONGEST_CELL)
    rows = csv.reader((line for _, line in read_lines(path)), strict=True)
    start = 1
    try:
        for cells in rows:
            if cells:
                yield start, cells
            start = rows.line_num + 1
    except csv.Error as error:
        raise InputError.at(path, f"broken quoting: {error}", start) from error


def _with_part(columns: TextColumns, file: Path, part: str) -> TextColumns:
    """The columns as `text_a=Premise,label=Label` after the file's name changes them.

    Raises:
        InputError: not of that form, or no such field.
    """
    if not part:
        return columns
    known = [field.name for field in fields(TextColumns) if field.name != "names"]
    changes: dict[str, Any] = dict(item.partition("=")[::2] for item in part.split(","))
    if strangers := [name for name, value in changes.items() if name not in known or not value]:
        raise InputError.at(file, f"expected {'=COLUMN,'.join(known)}=COLUMN after the #, found {strangers[0]!r}")
    try:
        return replace(columns, **changes)
    except ValueError as error:
        raise InputError.at(file, str(error)) from error
