"""GLUE's downloads in their exact layouts, other tables, and the columns of one file named beside it."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from unimo.data.formats.tables import TextColumns, read_labelled_texts
from unimo.data.records import LabelledTextRecord
from unimo.errors import InputError

SST2 = TextColumns(text_a="sentence")
COLA = TextColumns(text_a="sentence", names=("source", "label", "mark", "sentence"))
MNLI = TextColumns(text_a="sentence1", text_b="sentence2", label="gold_label")
STSB = TextColumns("sentence1", "sentence2", "score", ("sentence1", "sentence2", "score"))


def read(path: Path, content: str, columns: TextColumns, part: str = "") -> list[LabelledTextRecord]:
    path.write_text(content, encoding="utf-8")
    return read_labelled_texts(f"{path}{part}", columns)


def test_sst2(tmp_path: Path) -> None:
    train = 'sentence\tlabel\nhide new secretions from the parental units \t0\ncontains "no" wit \t1\n'
    first, second = read(tmp_path / "train.tsv", train, SST2)
    assert first == LabelledTextRecord("train.tsv:2", "hide new secretions from the parental units ", None, "0")
    assert (second.text_a, second.label) == ('contains "no" wit ', "1")
    [test] = read(tmp_path / "test.tsv", "index\tsentence\n0\tuneasy mishmash of styles and genres .\n", SST2)
    assert test == LabelledTextRecord("test.tsv:2", "uneasy mishmash of styles and genres .", None, "")


def test_cola_without_a_header_and_its_test_file_with_one(tmp_path: Path) -> None:
    train = "gj04\t1\t\tOur friends won't buy this analysis.\ngj04\t0\t*\tThey drank the pub.\n"
    first, second = read(tmp_path / "train.tsv", train, COLA)
    assert first == LabelledTextRecord("train.tsv:1", "Our friends won't buy this analysis.", None, "1")
    assert (second.record_id, second.text_a, second.label) == ("train.tsv:2", "They drank the pub.", "0")
    [test] = read(tmp_path / "test.tsv", "index\tsentence\n0\tBill whistled past the house.\n", COLA)
    assert (test.text_a, test.label) == ("Bill whistled past the house.", "")


MNLI_START = "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\t"
MNLI_ROW = '0\t31193\t31193n\tgovernment\t( a )\t( b )\t(ROOT a)\t(ROOT b)\tHe said "no\tHe was asked.'


@pytest.mark.parametrize(
    ("name", "header", "end"),
    [
        ("train", "label1\tgold_label", "neutral\tneutral"),
        (
            "dev_matched",
            "label1\tlabel2\tlabel3\tlabel4\tlabel5\tgold_label",
            "neutral\tentailment\tneutral\tneutral\tneutral\tneutral",
        ),
        ("test_mismatched", "", ""),
    ],
)
def test_mnli_takes_the_gold_label_among_several_and_knows_no_quoting(
    tmp_path: Path, name: str, header: str, end: str
) -> None:
    lines = [f"{MNLI_START}sentence2_parse\tsentence1\tsentence2\t{header}", f"{MNLI_ROW}\t{end}"]
    content = "".join(line.rstrip("\t") + "\n" for line in lines)
    [record] = read(tmp_path / f"{name}.tsv", content, MNLI)
    assert (record.text_a, record.text_b) == ('He said "no', "He was asked.")
    assert record.label == ("neutral" if end else "")


def test_the_diagnostic_set_in_both_forms(tmp_path: Path) -> None:
    plain = "index\tsentence1\tsentence2\n0\tThe cat sat on the mat.\tThe cat did not sit on the mat.\n"
    [record] = read(tmp_path / "diagnostic.tsv", plain, MNLI)
    assert (record.text_b, record.label) == ("The cat did not sit on the mat.", "")
    full = (
        "Lexical Semantics\tPredicate-Argument Structure\tLogic\tKnowledge\tDomain\tPremise\tHypothesis\tLabel\n"
        "\t\tNegation\t\tArtificial\tThe cat sat on the mat.\tThe cat did not sit on the mat.\tcontradiction\n"
    )
    path = tmp_path / "diagnostic-full.tsv"
    [record] = read(path, full, MNLI, "#text_a=Premise,text_b=Hypothesis,label=Label")
    assert record == LabelledTextRecord(
        f"{path.name}:2", "The cat sat on the mat.", "The cat did not sit on the mat.", "contradiction"
    )


def test_stsb_of_glue_and_as_comma_separated_values(tmp_path: Path) -> None:
    header = "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2"
    row = "0\tmain-captions\tMSRvid\t2012test\t0001\tnone\tnone\tA plane is taking off.\tAn air plane is taking off."
    expected = ("A plane is taking off.", "An air plane is taking off.", "5.000")
    [record] = read(tmp_path / "train.tsv", f"{header}\tscore\n{row}\t5.000\n", STSB)
    assert (record.text_a, record.text_b, record.label) == expected
    [test] = read(tmp_path / "test.tsv", f"{header}\n{row}\n", STSB)
    assert (test.text_a, test.label) == (expected[0], "")
    rows = '"a woman, where ""u2"" is written.",A girl.,4.2\nSecond,"Two\nlines",0\n\nThird,End,1\n'
    quoted = read(tmp_path / "dev.csv", rows, STSB)
    assert [(r.record_id, r.text_a, r.text_b, r.label) for r in quoted] == [
        ("dev.csv:1", 'a woman, where "u2" is written.', "A girl.", "4.2"),
        ("dev.csv:2", "Second", "Two\nlines", "0"),
        ("dev.csv:5", "Third", "End", "1"),
    ]


def test_long_cells_gzip_and_a_byte_order_mark(tmp_path: Path) -> None:
    long = "word " * 40_000
    [record] = read(tmp_path / "long.csv", f'"{long}",b,1\n', STSB)
    assert record.text_a == long
    path = tmp_path / "train.tsv.gz"
    path.write_bytes(gzip.compress("\ufeffsentence\tlabel\r\nfine\t1\r\n".encode()))
    [record] = read_labelled_texts(path, SST2)
    assert (record.text_a, record.label) == ("fine", "1")


@pytest.mark.parametrize(
    ("name", "content", "columns", "part", "message"),
    [
        ("a.tsv", "gj04\t1\tShort\n", COLA, "", ":1: 3 columns, the names given are 4"),
        ("a.tsv", "sentence\tlabel\nfine\t1\t2\n", SST2, "", ":2: 3 columns, the header has 2"),
        ("a.csv", 'a,b,1\n"open,b,2\n', STSB, "", ":2: broken quoting"),
        ("a.tsv", "sentence\tlabel\nfine\t1\n", MNLI, "", "no column sentence1, sentence2"),
        ("a.tsv", "sentence\tlabel\nfine\t1\n", SST2, "#text=b", "expected text_a=COLUMN,text_b=COLUMN,label=COLUMN"),
        ("a.tsv", "sentence\tlabel\nfine\t1\n", SST2, "#text_a=words", "no column words"),
        ("a.tsv", "gj04\t1\t\tfine\n", COLA, "#text_a=words", "names: 'words' is not among"),
    ],
)
def test_mistakes_name_the_place(
    tmp_path: Path, name: str, content: str, columns: TextColumns, part: str, message: str
) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path / name, content, columns, part)
    assert message in str(caught.value)
    assert name in str(caught.value)


def test_names_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="'text_a' is not among"):
        TextColumns(names=("one", "two"))
    with pytest.raises(ValueError, match="comes twice"):
        TextColumns(text_a="a", names=("a", "b", "b"))


def test_a_file_whose_name_holds_the_mark(tmp_path: Path) -> None:
    [record] = read(tmp_path / "take#2.tsv", "sentence\tlabel\nfine\t1\n", SST2)
    assert record.text_a == "fine"
