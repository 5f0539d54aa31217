"""Plain texts out of the files that a dictionary is trained on."""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from unimo.errors import InputError
from unimo.files import parse_json, suffix_of

KINDS = (".txt", ".jsonl", ".tsv", ".csv", ".json")
TEXT_FIELDS = ("text", "captions")


class TextFiles:
    """The texts of .txt, .jsonl, .tsv, .csv and .json files (each possibly .gz), read anew at every iteration.

    A line of .txt is a text. A line of .jsonl is an object; every string under ``text`` or ``captions`` (a string or
    a list of strings each) is a text. Every cell of a .tsv or .csv below its first line is a text if it holds a letter.
    A .json file is COCO's caption annotations. Texts of white space alone are skipped and counted.

    Attributes:
        num_texts: texts yielded by the last iteration.
        num_blank: texts skipped by the last iteration.
    """

    def __init__(self, paths: Sequence[str | Path]) -> None:
        self.paths = [Path(path) for path in paths]
        self.num_texts = 0
        self.num_blank = 0
        for path in self.paths:
            if not path.is_file():
                raise InputError.at(path, "no such file")
            if suffix_of(path) not in KINDS:
                raise InputError.at(path, f"expected a name ending in {', '.join(KINDS)}, or one of these and .gz")

    def __iter__(self) -> Iterator[str]:
        self.num_texts = self.num_blank = 0
        for path in self.paths:
            before = self.num_texts
            for text in _texts(path):
                if text.strip():
                    self.num_texts += 1
                    yield text
                else:
                    self.num_blank += 1
            if self.num_texts == before:
                raise InputError.at(path, "holds no text")


def _texts(path: Path) -> Iterator[str]:
    kind = suffix_of(path)
    if kind == ".json":
        yield from _coco_captions(path)
        return
    if kind == ".csv":
        rows = csv.reader(line for _, line in _lines(path))
        next(rows, None)
        yield from (cell for row in rows for cell in _cells(row))
        return
    for number, line in _lines(path):
        if kind == ".tsv":
            yield from _cells(line.rstrip("\r\n").split("\t") if number > 1 else [])
        elif kind == ".txt":
            yield line.rstrip("\r\n")
        elif line.strip():
            yield from _record_texts(path, number, line)


def _cells(cells: Sequence[str]) -> Iterator[str]:
    """Those that hold words."""
    return (cell for cell in cells if any(letter.isalpha() for letter in cell))


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    number = 0
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    with opener(path, "rb") as stream:
        try:
            for number, raw in enumerate(stream, start=1):
                yield number, raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise InputError.at(path, f"not valid UTF-8 ({error.reason} at byte {error.start})", number) from error
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise InputError.at(path, f"damaged or truncated gzip file ({error})", number + 1) from error


def _coco_captions(path: Path) -> Iterator[str]:
    try:
        annotations: Any = parse_json("".join(line for _, line in _lines(path)))
        captions = [annotation["caption"] for annotation in annotations["annotations"]]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise InputError.at(path, f"not COCO's caption annotations ({type(error).__name__})") from error
    if not all(isinstance(caption, str) and is_encodable(caption) for caption in captions):
        raise InputError.at(path, "a caption is no proper text")
    yield from captions


def _record_texts(path: Path, number: int, line: str) -> Iterator[str]:
    try:
        record: Any = parse_json(line)
    except json.JSONDecodeError as error:
        raise InputError.at(path, f"not valid JSON: {error.msg}", number) from error
    if not isinstance(record, dict) or not any(field in record for field in TEXT_FIELDS):
        raise InputError.at(path, "expected a JSON object with `text` or `captions`", number)
    for field in TEXT_FIELDS:
        if field not in record:
            continue
        texts = [record[field]] if isinstance(record[field], str) else record[field]
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise InputError.at(path, f"`{field}` must be a string or a list of strings", number)
        for text in texts:
            if not is_encodable(text):
                raise InputError.at(path, f"`{field}` holds half of a surrogate pair, which is no character", number)
            yield text


def is_encodable(text: str) -> bool:
    """Whether ``text`` is proper Unicode: JSON escapes can smuggle in lone surrogates, which have no UTF-8 form."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
