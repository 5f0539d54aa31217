"""The data files of the original release, in which texts are ready-made token ids (ORIGINAL sections 5 and 6).

Caption lines (16 fields), visual entailment lines (14), retrieval's captions (5) and object files (4) are separated by
semicolons; sequence-to-sequence tables may hold numbers in place of words. Their regions are read by
``unimo.regions.lines``. A path is a file, possibly `.gz`, a folder, or a filelist.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from unimo.data.formats.captions import read_captions, read_object_tags
from unimo.data.formats.entailment import read_entailment
from unimo.data.formats.parts import split_part
from unimo.data.generation_examples import FIRST_POSITION
from unimo.data.records import (
    CaptionRecord,
    DialogueRecord,
    EntailmentRecord,
    GenerationRecord,
    TokenIds,
)
from unimo.errors import InputError
from unimo.files import input_files, read_lines, suffix_of
from unimo.regions.lines import CAPTIONS, ENTAILMENT, LineFormat, numbered_image_id, read_columns, whole_number
from unimo.tokenization import UnimoTokenizer

RETRIEVAL_CAPTIONS = LineFormat(
    "release-retrieval-captions",
    ";",
    ("token_ids", "sentence_ids", "position_ids", "image_id", "caption_id"),
    image_id=numbered_image_id,
)
"""The release's caption files of retrieval."""

OBJECTS = LineFormat(
    "release-objects", ";", ("image_id", "token_ids", "sentence_ids", "position_ids"), image_id=numbered_image_id
)
"""The release's object files: names of the objects of an image."""

TEXT_FORMATS = (CAPTIONS, ENTAILMENT, RETRIEVAL_CAPTIONS, OBJECTS)


def release_format(path: str | Path) -> LineFormat | None:
    """Which of the release's formats a file has, told by its first line; None: none of them.

    Raises:
        InputError: missing or empty file.
    """
    file, part = split_part(path)
    if part or suffix_of(file) in (".json", ".jsonl"):
        return None
    first = input_files(path)[0]
    _, line = next(read_lines(first))
    if line.lstrip().startswith(("{", "[")):
        return None
    count = line.count(";") + 1
    return next((each for each in TEXT_FORMATS if len(each.columns) == count), None)


def captions_of(path: str | Path, tokenizer: UnimoTokenizer, required: bool = True) -> list[CaptionRecord]:
    """Images with captions, of the release's formats or of those of ``captions.read_captions``."""
    known = release_format(path)
    if known not in (CAPTIONS, RETRIEVAL_CAPTIONS):
        return read_captions(path, required)
    by_image: dict[str, list[CaptionRecord]] = {}
    for lines in caption_lines(path, tokenizer):
        for record in lines:
            by_image.setdefault(record.image_id, []).append(record)
    return [
        replace(
            records[0],
            captions=tuple(text for record in records for text in record.captions),
            caption_token_ids=tuple(ids for record in records for ids in record.caption_token_ids or ()),
        )
        for records in by_image.values()
    ]


def caption_lines(path: str | Path, tokenizer: UnimoTokenizer) -> list[list[CaptionRecord]]:
    """The lines of every file, each a record of at most one caption (none in test data), in their order.

    Raises:
        InputError: not the release's format, or token fields that do not fit together; with file and line.
    """
    known = release_format(path)
    if known not in (CAPTIONS, RETRIEVAL_CAPTIONS):
        raise InputError.at(path, "expected caption lines of the release: 16 fields, or 5 for retrieval")
    return [
        [
            CaptionRecord(
                f"{file.name}:{line.number}",
                line.image_id,
                () if line.token_ids is None else (tokenizer.decode(line.token_ids),),
                caption_token_ids=() if line.token_ids is None else (line.token_ids,),
            )
            for line in _text_lines(file, known, tokenizer)
        ]
        for file in input_files(path)
    ]


def caption_numbers(path: str | Path) -> list[int]:
    """The caption ids of retrieval's caption lines.

    Raises:
        InputError: one that is not a whole number; with line.
    """
    numbers = []
    for file in input_files(path):
        for number, columns in read_columns(file, RETRIEVAL_CAPTIONS):
            try:
                numbers.append(whole_number(columns["caption_id"], "caption_id"))
            except ValueError as error:
                raise InputError.at(file, str(error), number) from error
    return numbers


def entailment_of(path: str | Path, tokenizer: UnimoTokenizer) -> list[EntailmentRecord]:
    """Images with a sentence, of the release's format or of those of ``entailment.read_entailment``."""
    if release_format(path) is not ENTAILMENT:
        return read_entailment(path)
    return [record for lines in entailment_lines(path, tokenizer) for record in lines]


def entailment_lines(path: str | Path, tokenizer: UnimoTokenizer) -> list[list[EntailmentRecord]]:
    """The lines of every file. The label is a class number.

    Raises:
        InputError: not the release's format, a line without a text, or token fields that do not fit together.
    """
    if release_format(path) is not ENTAILMENT:
        raise InputError.at(path, "expected visual entailment lines of the release: 14 fields")
    files = []
    for file in input_files(path):
        records = []
        for line in _text_lines(file, ENTAILMENT, tokenizer):
            if line.token_ids is None:
                raise InputError.at(file, "token_ids: empty", line.number)
            text = tokenizer.decode(line.token_ids)
            name = line.columns["data_id"] or f"{file.name}:{line.number}"
            records.append(EntailmentRecord(name, line.image_id, text, line.columns["label"], line.token_ids))
        files.append(records)
    return files


def object_tags_of(path: str | Path, tokenizer: UnimoTokenizer) -> dict[str, TokenIds]:
    """Token ids of the names of every image's objects: the release's object file, or JSON lines of tags."""
    if release_format(path) is OBJECTS:
        return {
            line.image_id: line.token_ids or ()
            for file in input_files(path)
            for line in _text_lines(file, OBJECTS, tokenizer)
        }
    tags = read_object_tags(path)
    token_ids = tokenizer.encode_batch([" ".join(names) for names in tags.values()])
    return {image: tuple(ids) for image, ids in zip(tags, token_ids, strict=True)}


def read_image_numbers(path: str | Path) -> dict[str, int]:
    """The release's id file of retrieval: image name, tab, number.

    Raises:
        InputError: a line that is not a name and a whole number; with line.
    """
    numbers = {}
    for number, line in read_lines(path):
        name, _, value = line.strip().partition("\t")
        if not value.isdecimal():
            raise InputError.at(path, f"expected an image name, a tab and a number, found {line.strip()!r}", number)
        numbers[name] = int(value)
    return numbers


def tokenized(
    record: GenerationRecord | DialogueRecord, tokenizer: UnimoTokenizer, path: str | Path
) -> GenerationRecord | DialogueRecord:
    """A record whose texts are numbers of tokens, separated by spaces, with its ids and the texts they stand for.

    Raises:
        InputError: something else than a number of GPT-2's dictionary; with line.
    """
    known = tokenizer.vocabulary.gpt2_ids

    def ids_of(text: str) -> TokenIds:
        numbers = text.split()
        if unknown := [number for number in numbers if number not in known]:
            line = record.record_id.rpartition(":")[2]
            message = f"{unknown[0]!r} is no number of a token, as tokenised input must hold"
            raise InputError.at(path, message, int(line) if line.isdecimal() else None)
        return tuple(known[number] for number in numbers)

    target_ids = None if record.target is None else ids_of(record.target)
    target = None if target_ids is None else tokenizer.decode(target_ids)
    if isinstance(record, DialogueRecord):
        knowledge, turns = ids_of(record.knowledge), tuple(map(ids_of, record.turns))
        texts = tokenizer.decode(knowledge), tuple(map(tokenizer.decode, turns))
        return DialogueRecord(record.record_id, *texts, target, knowledge, turns, target_ids)
    sources = tuple(map(ids_of, record.sources))
    return GenerationRecord(record.record_id, tuple(map(tokenizer.decode, sources)), target, sources, target_ids)


@dataclass(frozen=True)
class _TextLine:
    """A line of a file with its token ids, without special tokens; None where it has none."""

    number: int
    image_id: str
    token_ids: TokenIds | None
    columns: Mapping[str, str]


def _text_lines(path: Path, lines: LineFormat, tokenizer: UnimoTokenizer) -> Iterator[_TextLine]:
    for number, columns in read_columns(path, lines):
        try:
            ids: TokenIds | None = _checked_ids(columns, tokenizer.vocab_size) or None
            if ids is not None and lines is not OBJECTS:
                ids = _without_specials(ids, tokenizer)
            yield _TextLine(number, lines.image_id(columns["image_id"]), ids, columns)
        except ValueError as error:
            raise InputError.at(path, str(error), number) from error


def _checked_ids(columns: Mapping[str, str], vocab_size: int) -> TokenIds:
    """The token ids of a line, whose positions count from 2; sentence ids, which the original skips, are only counted.

    Raises:
        ValueError: not numbers, ids beyond the dictionary, fields of different length, or other positions.
    """
    token_ids, sentence_ids, position_ids = (
        _numbers(columns[name], name) for name in ("token_ids", "sentence_ids", "position_ids")
    )
    if not len(token_ids) == len(sentence_ids) == len(position_ids):
        counts = f"{len(token_ids)} token, {len(sentence_ids)} sentence and {len(position_ids)} position ids"
        raise ValueError(f"token_ids: {counts} in one line")
    if beyond := [number for number in token_ids if not 0 <= number < vocab_size]:
        raise ValueError(f"token_ids: {beyond[0]} is outside the dictionary of {vocab_size} entries")
    if position_ids != tuple(range(FIRST_POSITION, FIRST_POSITION + len(position_ids))):
        raise ValueError("position_ids: they do not count from 2, as the release's do")
    return token_ids


def _without_specials(ids: TokenIds, tokenizer: UnimoTokenizer) -> TokenIds:
    if len(ids) < 2 or ids[0] != tokenizer.cls_id or ids[-1] != tokenizer.sep_id:
        raise ValueError("token_ids: they do not begin with [CLS] and end with [SEP]")
    return ids[1:-1]


def _numbers(text: str, name: str) -> TokenIds:
    try:
        return tuple(map(int, text.split()))
    except ValueError:
        raise ValueError(f"{name}: expected whole numbers, found {text[:40]!r}") from None
