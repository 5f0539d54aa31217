from __future__ import annotations

import json
from pathlib import Path

import pytest

from unimo.cli.train_tokenizer import Arguments, run
from unimo.errors import InputError
from unimo.tokenization import UnimoTokenizer


@pytest.fixture
def corpus(tmp_path: Path) -> list[Path]:
    (tmp_path / "a.txt").write_text("a red circle\n\na blue circle\n" * 10, encoding="utf-8")
    line = json.dumps({"image_id": "1", "captions": ["a red square", "a blue square"]})
    (tmp_path / "b.jsonl").write_text(f"{line}\n" * 10, encoding="utf-8")
    return [tmp_path / "a.txt", tmp_path / "b.jsonl"]


def test_it_writes_and_says_what(corpus: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(Arguments(input=corpus, output=tmp_path / "out", vocab_size=270)) == 0
    printed = capsys.readouterr().out
    assert "texts: 40 (10 blank ones skipped)" in printed
    assert "vocabulary size: 270" in printed
    assert "no more pairs" not in printed
    tokenizer = UnimoTokenizer.from_pretrained(tmp_path / "out")
    assert tokenizer.vocab_size == 270 and tokenizer.fingerprint in printed


def test_a_small_corpus_is_fine_and_said(
    corpus: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(Arguments(input=corpus, output=tmp_path / "out", vocab_size=3000)) == 0
    assert "no more pairs that occur 2 times, so fewer entries were learned than the 3000" in capsys.readouterr().out
    assert UnimoTokenizer.from_pretrained(tmp_path / "out").vocab_size < 300


def test_another_dictionary_is_not_replaced_unasked(corpus: list[Path], tmp_path: Path) -> None:
    run(Arguments(input=corpus, output=tmp_path, vocab_size=270))
    before = (tmp_path / "tokenizer.json").read_bytes()
    run(Arguments(input=corpus, output=tmp_path, vocab_size=270))  # the same one
    assert (tmp_path / "tokenizer.json").read_bytes() == before
    with pytest.raises(InputError, match=r"tokenizer\.json: another dictionary is there already; give --overwrite"):
        run(Arguments(input=corpus, output=tmp_path, vocab_size=268))
    run(Arguments(input=corpus, output=tmp_path, vocab_size=268, overwrite=True))
    assert UnimoTokenizer.from_pretrained(tmp_path).vocab_size == 268


def test_mistakes_leave_nothing_behind(corpus: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    corpus[1].write_text('{"captions": ["x"]}\n{"captions": 3}\n')
    with pytest.raises(InputError, match=r"b\.jsonl:2: `captions` must be"):
        run(Arguments(input=corpus, output=out, vocab_size=270))
    with pytest.raises(InputError, match="is not a folder"):
        run(Arguments(input=corpus, output=corpus[0], vocab_size=270))
    with pytest.raises(InputError, match="at least one file"):
        run(Arguments(input=[], output=out, vocab_size=270))
    assert not out.exists()
