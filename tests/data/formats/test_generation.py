"""Sources and targets: line pairs as they are published, CoQA, and tables."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from unimo.data.formats.generation import GenerationColumns, read_generation
from unimo.data.records import DialogueRecord, GenerationRecord
from unimo.errors import InputError


@pytest.mark.parametrize(
    ("source", "target", "line_pair"),
    [
        ("src-train.txt", "tgt-train.txt", ("src", "tgt")),  # SQuAD question generation
        ("train.source", "train.target", ("source", "target")),  # CNN/DailyMail
        ("train.src.txt", "train.tgt.txt", ("src", "tgt")),  # Gigaword
        ("train.article.txt", "train.title.txt", ("article", "title")),  # Gigaword, as first published
        ("src-test.txt.gz", "tgt-test.txt.gz", ("src", "tgt")),
        ("src-test.txt.gz", "tgt-test.txt", ("src", "tgt")),
    ],
)
def test_line_pairs(tmp_path: Path, source: str, target: str, line_pair: tuple[str, str]) -> None:
    for name, text in ((source, "one is given . \n\ntwo\n"), (target, "one ?\nwhat ?\ntwo ?\n")):
        data = text.encode()
        (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    records = read_generation(tmp_path / source, GenerationColumns(line_pair=line_pair))
    assert records[0] == GenerationRecord(f"{source}:1", ("one is given .",), "one ?")
    assert records[1] == GenerationRecord(f"{source}:2", ("",), "what ?")
    assert len(records) == 3


def test_line_pairs_of_different_length(tmp_path: Path) -> None:
    (tmp_path / "src-dev.txt").write_text("a\nb\n")
    (tmp_path / "tgt-dev.txt").write_text("a\n")
    with pytest.raises(InputError, match=r"tgt-dev.txt: 1 lines, but src-dev.txt has 2"):
        read_generation(tmp_path / "src-dev.txt", GenerationColumns())
    with pytest.raises(InputError, match="does not hold 'source'"):
        read_generation(tmp_path / "src-dev.txt", GenerationColumns(line_pair=("source", "target")))


def test_coqa(tmp_path: Path) -> None:
    story = {
        "source": "wikipedia",
        "id": "3zotghdk5ibi9cex97fepx7jetpso7",
        "filename": "Vatican_Library.txt",
        "story": "The Vatican Apostolic Library ...",
        "questions": [
            {"input_text": "When was the Vat formally opened?", "turn_id": 1},
            {"input_text": "what is the library for?", "turn_id": 2},
        ],
        "answers": [
            {"span_start": 151, "span_end": 179, "span_text": "..", "input_text": "It was in 1475", "turn_id": 1},
            {"span_start": 454, "span_end": 494, "span_text": "..", "input_text": "research", "turn_id": 2},
        ],
        "name": "Vatican_Library.txt",
    }
    path = tmp_path / "coqa-dev-v1.0.json"
    path.write_text(json.dumps({"version": "1.0", "data": [story]}))
    first, second = read_generation(path, GenerationColumns(), dialogue=True)
    name = str(story["id"])
    question = "When was the Vat formally opened?"
    assert first == DialogueRecord(f"{name}:1", "The Vatican Apostolic Library ...", (question,), "It was in 1475")
    assert second == DialogueRecord(
        f"{name}:2",
        "The Vatican Apostolic Library ...",
        (question, "It was in 1475", "what is the library for?"),
        "research",
    )
    others = {"0": [{"input_text": "1475", "turn_id": 1}, {"input_text": "for research", "turn_id": 2}], "1": []}
    path.write_text(json.dumps({"version": "1.0", "data": [story | {"additional_answers": others}]}))
    records = read_generation(path, GenerationColumns(), dialogue=True)
    assert [(each.target, each.other_targets) for each in records if isinstance(each, DialogueRecord)] == [
        ("It was in 1475", ("1475",)),
        ("research", ("for research",)),
    ]
    path.write_text('{"data": [{"id": "x", "story": "y"}]}')
    with pytest.raises(InputError, match=r"not CoQA's JSON \(KeyError: 'questions'\)"):
        read_generation(path, GenerationColumns(), dialogue=True)


def test_tables_with_and_without_a_target(tmp_path: Path) -> None:
    table, quoted = tmp_path / "test.tsv", tmp_path / "test.csv"
    table.write_text("article\thighlights\nlong\tshort\n")
    columns = GenerationColumns(sources=("article",), target="highlights")
    assert read_generation(table, columns) == [GenerationRecord("test.tsv:2", ("long",), "short")]
    table.write_text("id\tarticle\n1\tlong\n")
    assert read_generation(table, columns) == [GenerationRecord("test.tsv:2", ("long",), None)]
    quoted.write_text('id,article,highlights\n1,"long,\nlonger","short"\n')
    assert read_generation(quoted, columns) == [GenerationRecord("test.csv:2", ("long,\nlonger",), "short")]


def test_conversations_in_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "talk.jsonl"
    lines = [
        {"knowledge": "cats", "src": "hi [SEP] who?", "tgt": "a cat"},
        {"knowledge": "", "src": ["hi", "who?"], "record_id": "x"},
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert read_generation(path, GenerationColumns(), dialogue=True) == [
        DialogueRecord("talk.jsonl:1", "cats", ("hi", "who?"), "a cat"),
        DialogueRecord("x", "", ("hi", "who?"), None),
    ]
    columns = GenerationColumns(sources=("turns",), target="answer", knowledge="story")
    path.write_text('{"turns": "hi", "answer": "a cat", "story": "cats"}\n')
    assert read_generation(path, columns, dialogue=True) == [DialogueRecord("talk.jsonl:1", "cats", ("hi",), "a cat")]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"src": "hi"}', "talk.jsonl:1: no field 'knowledge'"),
        ('{"knowledge": "cats"}', "talk.jsonl:1: no field 'src'"),
        ('{"knowledge": "cats", "src": []}', "talk.jsonl:1: src: no turns"),
        ('{"knowledge": "cats", "src": ["hi", 3]}', "talk.jsonl:1: src: expected a string, found int"),
        ('{"knowledge": "cats", "src": "hi", "tgt": 3}', "talk.jsonl:1: tgt: expected a string, found int"),
    ],
)
def test_conversations_in_json_lines_that_cannot_be_read(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "talk.jsonl").write_text(line + "\n")
    with pytest.raises(InputError, match=message):
        read_generation(tmp_path / "talk.jsonl", GenerationColumns(), dialogue=True)


@pytest.mark.parametrize("dialogue", [False, True])
def test_json_lines_need_the_names_of_their_sources(tmp_path: Path, dialogue: bool) -> None:
    (tmp_path / "talk.jsonl").write_text('{"knowledge": "cats", "src": "hi"}\n')
    with pytest.raises(InputError, match=r"talk.jsonl: columns.sources: empty"):
        read_generation(tmp_path / "talk.jsonl", GenerationColumns(sources=()), dialogue)
