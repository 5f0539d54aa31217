"""The release's files as typed records: exact ids, their text, and errors that name file and line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.data.formats.released import (
    caption_line,
    entailment_line,
    numbers_of,
    object_line,
    retrieval_line,
    write,
    write_filelist,
)
from unimo.data.encoding import caption_token_ids, generation_token_ids
from unimo.data.formats.generation import GenerationColumns, read_generation
from unimo.data.formats.release import (
    caption_lines,
    caption_numbers,
    captions_of,
    entailment_of,
    object_tags_of,
    read_image_numbers,
    tokenized,
)
from unimo.data.formats.tables import TextColumns, read_labelled_texts
from unimo.data.records import CaptionRecord, DialogueRecord
from unimo.errors import InputError
from unimo.tokenization import UnimoTokenizer


@pytest.fixture(scope="module")
def tokenizer() -> UnimoTokenizer:
    return UnimoTokenizer.train(["a dog and a cat", "a dog runs", "the cat sleeps on the dog"], 300)


def test_captions_of_an_image_are_gathered_over_files(tokenizer: UnimoTokenizer, tmp_path: Path) -> None:
    dog, cat = tokenizer.encode("a dog"), tokenizer.encode("the cat")
    first = write(tmp_path / "in" / "a.txt", [caption_line(7, dog), caption_line(8, None)])
    second = write(tmp_path / "in" / "b.txt.gz", [caption_line(7, cat)])
    filelist = write_filelist(tmp_path / "train_filelist", [first, second])
    records = captions_of(filelist, tokenizer)
    assert [(record.image_id, record.captions) for record in records] == [("7", ("a dog", "the cat")), ("8", ())]
    assert caption_token_ids(records, tokenizer) == [tuple(dog), tuple(cat)]
    lines = caption_lines(filelist, tokenizer)
    assert [[record.image_id for record in file] for file in lines] == [["7", "8"], ["7"]]


def test_ids_of_the_file_are_kept_where_the_tokenizer_would_make_others(
    tokenizer: UnimoTokenizer, tmp_path: Path
) -> None:
    apart = [tokenizer.encode(letter)[0] for letter in "dog"]
    assert tokenizer.encode("dog") != apart
    record = captions_of(write(tmp_path / "a.txt", [caption_line(7, apart)]), tokenizer)[0]
    assert record.captions == ("dog",)
    assert caption_token_ids([record], tokenizer) == [tuple(apart)]


def test_other_formats_are_still_told_by_name_and_content(tokenizer: UnimoTokenizer, tmp_path: Path) -> None:
    path = write(tmp_path / "captions.jsonl", ['{"image_id": "a", "captions": ["x; y; z; u; v"]}\n'])
    assert captions_of(path, tokenizer) == [CaptionRecord("captions.jsonl:1", "a", ("x; y; z; u; v",))]
    tags = write(tmp_path / "tags.jsonl", ['{"image_id": "a", "tags": ["dog", "cat"]}\n'])
    assert object_tags_of(tags, tokenizer) == {"a": tuple(tokenizer.encode("dog cat"))}


def test_retrieval_entailment_and_objects(tokenizer: UnimoTokenizer, tmp_path: Path) -> None:
    dog, cat = tokenizer.encode("a dog"), tokenizer.encode("the cat")
    retrieval = write(tmp_path / "ret.ids", [retrieval_line(1000, 4, dog), retrieval_line(1000, 5, cat)])
    assert captions_of(retrieval, tokenizer)[0].captions == ("a dog", "the cat")
    assert caption_numbers(retrieval) == [4, 5]
    (record,) = entailment_of(write(tmp_path / "ve.txt", [entailment_line(3, "2", dog)]), tokenizer)
    assert (record.record_id, record.image_id, record.hypothesis, record.label) == ("d3", "img3", "a dog", "2")
    assert record.hypothesis_token_ids == tuple(dog)
    objects = write(tmp_path / "obj.ids", [object_line(7, cat), object_line(8, [])])
    assert object_tags_of(objects, tokenizer) == {"7": tuple(cat), "8": ()}
    assert read_image_numbers(write(tmp_path / "ids", ["1000\t0\n", "1007\t1\n"])) == {"1000": 0, "1007": 1}


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (caption_line(1, [5])[:-3] + "\n", "15 columns, expected 16"),
        (caption_line(1, [5], image_id="coco_img_x"), "expected a whole number"),
        (caption_line(1, [5], token_ids="0 5 a"), "token_ids: expected whole numbers"),
        (caption_line(1, [5], token_ids="0 5 6 2"), "4 token, 3 sentence and 3 position ids"),
        (caption_line(1, [50265]), "50265 is outside the dictionary"),
        (caption_line(1, [5], position_ids="1 2 3"), "do not count from 2"),
        (caption_line(1, [5], token_ids="0 5 6"), "do not begin with [CLS] and end with [SEP]"),
    ],
)
def test_a_damaged_line_is_named(tokenizer: UnimoTokenizer, tmp_path: Path, bad: str, reason: str) -> None:
    path = write(tmp_path / "a.txt", [caption_line(7, [5]), bad])
    with pytest.raises(InputError) as caught:
        captions_of(path, tokenizer)
    assert f"{path}:2: " in str(caught.value)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("read", "lines", "place"),
    [
        (entailment_of, [entailment_line(3, "2", [5]).replace("0 5 2;0 0 0;2 3 4", ";;")], ":1: token_ids: empty"),
        (lambda path, _: caption_numbers(path), [retrieval_line(1, 2, [5]).replace(";2\n", ";x\n")], ":1: caption_id"),
        (lambda path, _: read_image_numbers(path), ["1000 0\n"], ":1: expected an image name"),
        (caption_lines, ["no fields\n"], ": expected caption lines"),
    ],
)
def test_other_damaged_files_are_named(
    tokenizer: UnimoTokenizer,
    tmp_path: Path,
    read: Callable[[Path, UnimoTokenizer], object],
    lines: list[str],
    place: str,
) -> None:
    path = write(tmp_path / "a.txt", lines)
    with pytest.raises(InputError) as caught:
        read(path, tokenizer)
    assert f"{path}{place}" in str(caught.value)


def test_a_missing_file_of_a_filelist_is_named(tokenizer: UnimoTokenizer, tmp_path: Path) -> None:
    good = write(tmp_path / "a.txt", [caption_line(7, [5])])
    path = write(tmp_path / "list", [f"{good.name}\n", "absent.txt\n"])
    with pytest.raises(InputError, match=r"list:2: absent\.txt: no such file"):
        captions_of(path, tokenizer)


def test_tokenised_tables(tokenizer: UnimoTokenizer, tmp_path: Path) -> None:
    texts = [numbers_of(tokenizer, text) for text in ("a dog runs", "the cat", "a cat")]
    table = write(tmp_path / "s2s.tsv", ["passage\tanswer\ttgt\n", "\t".join(texts) + "\n"])
    columns = GenerationColumns(sources=())
    record = tokenized(read_generation(table, columns)[0], tokenizer, table)
    assert (record.sources, record.target) == (("a dog runs", "the cat"), "a cat")  # type: ignore[union-attr]
    ids = generation_token_ids([record], tokenizer)
    assert [list(each) for each in ids[0]] == [tokenizer.encode(text) for text in ("a dog runs", "the cat", "a cat")]
    with pytest.raises(InputError, match=r"s2s\.tsv:2: 'dog' is no number"):
        bad = write(tmp_path / "s2s.tsv", ["src\ttgt\n", f"dog\t{texts[2]}\n"])
        tokenized(read_generation(bad, columns)[0], tokenizer, bad)


def test_tokenised_dialogue(tokenizer: UnimoTokenizer, tmp_path: Path) -> None:
    dog, cat = (numbers_of(tokenizer, text) for text in ("a dog", "the cat"))
    path = write(tmp_path / "dialog.tsv", ["src\ttgt\tknowledge\n", f"{dog} [SEP] {cat}\t{dog}\t{cat}\n"])
    record = tokenized(read_generation(path, GenerationColumns(), dialogue=True)[0], tokenizer, path)
    assert isinstance(record, DialogueRecord)
    assert (record.knowledge, record.turns, record.target) == ("the cat", ("a dog", "the cat"), "a dog")
    assert record.turn_token_ids == (tuple(tokenizer.encode("a dog")), tuple(tokenizer.encode("the cat")))


def test_query_ids_of_labelled_texts(tmp_path: Path) -> None:
    path = write(tmp_path / "cls.tsv", ["qid\ttext_a\tlabel\n", "12\tfine\t1\n"])
    assert read_labelled_texts(path, TextColumns())[0].query_id == "12"


def test_the_numbers_of_the_released_dictionary(shared: Path) -> None:
    from unimo.files import read_json

    folder = shared / "data" / "unimo_dict"
    vocabulary = UnimoTokenizer.from_release(folder).vocabulary
    encoder = read_json(next(folder.glob("*encoder.json")))
    known = {str(number): vocabulary.ids[token] for token, number in encoder.items() if token in vocabulary.ids}
    assert {number: vocabulary.gpt2_ids[number] for number in known} == known
    assert vocabulary.gpt2_ids["[SEP]"] == 2
