"""Records: what a dataset file holds, one frozen dataclass a kind, read with errors that name file and line."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from unimo.errors import InputError
from unimo.files import read_json, read_lines, suffix_of

Record = TypeVar("Record")


@dataclass(frozen=True)
class TextRecord:
    """One text of a corpus."""

    record_id: str
    text: str


@dataclass(frozen=True)
class ImageRecord:
    """One image without text; its regions lie in a store under ``image_id``."""

    record_id: str
    image_id: str


@dataclass(frozen=True)
class CaptionRecord:
    """One image with all its captions. ``also_true``: further images that the captions are true of."""

    record_id: str
    image_id: str
    captions: tuple[str, ...]
    also_true: tuple[str, ...] = ()


@dataclass(frozen=True)
class LabelledTextRecord:
    """One text, or a pair of texts, with its label as written in the file ("" where there is none)."""

    record_id: str
    text_a: str
    text_b: str | None
    label: str


@dataclass(frozen=True)
class GenerationRecord:
    """Texts that are given, and the text to write from them (None where it is not known)."""

    record_id: str
    sources: tuple[str, ...]
    target: str | None


@dataclass(frozen=True)
class DialogueRecord:
    """A conversation: background knowledge ("" for none), turns so far, oldest first, and the answer to give."""

    record_id: str
    knowledge: str
    turns: tuple[str, ...]
    target: str | None


@dataclass(frozen=True)
class EntailmentRecord:
    """An image, a sentence about it, and whether it follows ("" where that is not known)."""

    record_id: str
    image_id: str
    hypothesis: str
    label: str


@dataclass(frozen=True)
class QuestionRecord:
    """A question about an image, and the answers that people gave (none where they are not known)."""

    record_id: str
    image_id: str
    question: str
    answers: tuple[str, ...]


def read_jsonl(path: str | Path, make: Callable[[str, dict[str, Any]], Record]) -> list[Record]:
    """Read one record a line; ``make(record_id, fields)`` builds it and raises KeyError or ValueError if it cannot.

    Raises:
        InputError: missing or empty file, invalid UTF-8, a line that is no JSON object or lacks a field; with line.
    """
    records = []
    for number, line in read_lines(path):
        try:
            fields = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError.at(path, f"not valid JSON: {error.msg}", number) from error
        if not isinstance(fields, dict):
            raise InputError.at(path, f"expected a JSON object, found {type(fields).__name__}", number)
        try:
            records.append(make(f"{Path(path).name}:{number}", fields))
        except KeyError as error:
            raise InputError.at(path, f"no field {error.args[0]!r}", number) from error
        except ValueError as error:
            raise InputError.at(path, str(error), number) from error
    return records


def read_captions(path: str | Path) -> list[CaptionRecord]:
    """Images with captions, one JSON object a line, or COCO's caption annotations where the file ends in `.json`.

    A line is ``{"image_id": str, "captions": [str, ...], "also_true": [str, ...]?}``.
    """
    if suffix_of(path) == ".json":
        return read_coco_captions(path)

    def make(record_id: str, fields: dict[str, Any]) -> CaptionRecord:
        captions = _strings(fields["captions"], "captions")
        if not captions:
            raise ValueError("captions: the list is empty")
        also_true = _strings(fields.get("also_true", []), "also_true")
        return CaptionRecord(record_id, str(fields["image_id"]), captions, also_true)

    return read_jsonl(path, make)


def read_coco_captions(path: str | Path) -> list[CaptionRecord]:
    """COCO's `captions_<split>.json`: all captions of an image; ids are `<split>/<file name without suffix>`.

    So pictures lie as COCO lays them out: a folder a split.
    """
    values = read_json(path)
    try:
        split = Path(path).name.split(".")[0].removeprefix("captions_")
        names = {image["id"]: f"{split}/{Path(image['file_name']).stem}" for image in values["images"]}
        captions: dict[str, list[str]] = {}
        for annotation in values["annotations"]:
            captions.setdefault(names[annotation["image_id"]], []).append(
                _string(annotation["caption"], "caption").strip()
            )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError.at(path, f"not COCO's caption annotations ({type(error).__name__}: {error})") from error
    if not captions:
        raise InputError.at(path, "no captions")
    return [
        CaptionRecord(f"{Path(path).name}:{image_id}", image_id, tuple(texts)) for image_id, texts in captions.items()
    ]


def read_texts(path: str | Path) -> list[TextRecord]:
    """Texts: a `.jsonl` file with ``{"text": str}`` a line, or any other file as one text a line (blank ones skip)."""
    if suffix_of(path) == ".jsonl":
        return read_jsonl(path, lambda record_id, fields: TextRecord(record_id, _string(fields["text"], "text")))
    name = Path(path).name
    return [TextRecord(f"{name}:{number}", line.strip()) for number, line in read_lines(path) if line.strip()]


def read_images(path: str | Path) -> list[ImageRecord]:
    """Images without text: ``{"image_id": str}`` a line."""
    return read_jsonl(path, lambda record_id, fields: ImageRecord(record_id, str(fields["image_id"])))


def read_entailment(path: str | Path) -> list[EntailmentRecord]:
    """``{"record_id": str?, "image_id": str, "hypothesis": str, "label": str?}`` a line."""

    def make(line_id: str, fields: dict[str, Any]) -> EntailmentRecord:
        hypothesis, label = _string(fields["hypothesis"], "hypothesis"), _string(fields.get("label", ""), "label")
        return EntailmentRecord(str(fields.get("record_id", line_id)), str(fields["image_id"]), hypothesis, label)

    return read_jsonl(path, make)


def read_questions(path: str | Path) -> list[QuestionRecord]:
    """``{"question_id": str?, "image_id": str, "question": str, "answer": str?, "answers": [str, ...]?}`` a line."""

    def make(line_id: str, fields: dict[str, Any]) -> QuestionRecord:
        answers = _strings(fields.get("answers", []), "answers")
        if "answer" in fields:
            answers = (*answers, _string(fields["answer"], "answer"))
        question = _string(fields["question"], "question")
        return QuestionRecord(str(fields.get("question_id", line_id)), str(fields["image_id"]), question, answers)

    return read_jsonl(path, make)


def read_object_tags(path: str | Path) -> dict[str, tuple[str, ...]]:
    """Names of the objects of every image: ``{"image_id": str, "tags": [str, ...]}`` a line."""
    return dict(read_jsonl(path, lambda _, fields: (str(fields["image_id"]), _strings(fields["tags"], "tags"))))


@dataclass(frozen=True)
class TextColumns:
    """Which columns of a tab-separated file hold what."""

    text_a: str = "text_a"
    """The text, or the first of a pair."""

    text_b: str = ""
    """The second text of a pair; empty where there is one text only."""

    label: str = "label"
    """The label."""


def read_labelled_texts(path: str | Path, columns: TextColumns) -> list[LabelledTextRecord]:
    """A tab-separated file with a header line; no quoting (original release).

    Raises:
        InputError: a column is missing from the header or a line; with line.
    """
    required = [columns.text_a, columns.label, *([columns.text_b] if columns.text_b else [])]
    name = Path(path).name
    return [
        LabelledTextRecord(
            f"{name}:{number}", row[columns.text_a], row[columns.text_b] if columns.text_b else None, row[columns.label]
        )
        for number, row in read_tsv(path, required)
    ]


def read_tsv(path: str | Path, required: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line number, row by column name) of a tab-separated file with a header line."""
    lines = read_lines(path)
    _, header_line = next(lines)
    header = next(csv.reader([header_line.rstrip("\r\n")], delimiter="\t", quoting=csv.QUOTE_NONE))
    if absent := [column for column in required if column not in header]:
        raise InputError.at(path, f"no column {', '.join(absent)} in the header {header}", 1)
    count = 0
    for number, line in lines:
        values = line.rstrip("\r\n").split("\t")
        if len(values) != len(header):
            raise InputError.at(path, f"{len(values)} columns, the header has {len(header)}", number)
        count += 1
        yield number, dict(zip(header, values, strict=True))
    if count == 0:
        raise InputError.at(path, "no records after the header")


def _string(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{name}: expected a string, found {type(value).__name__}")
    return value


def _strings(value: Any, name: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError(f"{name}: expected a list of strings, found {type(value).__name__}")
    return tuple(_string(item, name) for item in value)
