from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from unimo.errors import InputError
from unimo.tokenization import TextFiles


def test_all_kinds_of_files(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\ufeffone\r\n\ntwo  \n", encoding="utf-8")
    records = [{"text": "three"}, {"image_id": "7", "captions": ["four", " "]}, {"text": ["five"], "captions": "six"}]
    with gzip.open(tmp_path / "b.jsonl.gz", "wt", encoding="utf-8") as stream:
        stream.write("\n".join(json.dumps(record) for record in records))
    texts = TextFiles([tmp_path / "a.txt", tmp_path / "b.jsonl.gz"])
    for _ in range(2):  # read anew each time
        assert list(texts) == ["one", "two  ", "three", "four", "five", "six"]
        assert (texts.num_texts, texts.num_blank) == (6, 2)


def test_cells_of_tables(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('one,two,score\n"said, loudly",fine,3.5\n', encoding="utf-8")
    (tmp_path / "b.tsv").write_text("one\tlabel\nwords\t1\n", encoding="utf-8")
    assert list(TextFiles([tmp_path / "a.csv", tmp_path / "b.tsv"])) == ["said, loudly", "fine", "words"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"fine\n\xff\n", r"a\.txt:2: not valid UTF-8"),
        ("a.txt", b"", r"a\.txt: holds no text"),
        ("a.txt", b" \n\n", r"a\.txt: holds no text"),
        ("a.docx", b"x\n", r"a\.docx: expected a name ending in"),
        ("a.gz", b"x\n", r"a\.gz: expected a name ending in"),
        ("a.jsonl", b'{"text": "x"}\n{"text": \n', r"a\.jsonl:2: not valid JSON"),
        ("a.jsonl", b'{"caption": "x"}\n', r"a\.jsonl:1: expected a JSON object with `text` or `captions`"),
        ("a.jsonl", b'["x"]\n', r"a\.jsonl:1: expected a JSON object"),
        ("a.jsonl", b'{"text": 3}\n', r"a\.jsonl:1: `text` must be a string or a list"),
        ("a.jsonl", b'{"captions": ["x", null]}\n', r"a\.jsonl:1: `captions` must be"),
        ("a.jsonl", b'{"text": "\\ud800"}\n', r"a\.jsonl:1: `text` holds half of a surrogate"),
        ("a.txt.gz", b"not gzip", r"a\.txt\.gz:1: damaged or truncated gzip"),
        (
            "a.txt.gz",
            gzip.compress(b"many words\n" * 2000, mtime=0)[:-12],
            r"a\.txt\.gz:\d+: damaged or truncated gzip",
        ),
    ],
)
def test_file_and_line_are_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        list(TextFiles([tmp_path / name]))
