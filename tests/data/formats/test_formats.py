"""Bad files: every error is one line that names the file and the line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from unimo.data.formats.captions import read_captions, read_images
from unimo.data.formats.tables import TextColumns, read_labelled_texts
from unimo.data.formats.texts import distinct_names, read_text_files, read_texts
from unimo.errors import InputError

GOOD = '{"image_id": "a", "captions": ["one", "two"]}\n'


def read_labelled(path: Path) -> object:
    return read_labelled_texts(path, TextColumns())


@pytest.mark.parametrize(
    ("reader", "content", "place", "reason"),
    [
        (read_captions, b"", "", "empty"),
        (read_captions, (GOOD + "{broken\n").encode(), ":2", "not valid JSON"),
        (read_captions, (GOOD + '{"image_id": "b"}\n').encode(), ":2", "no field 'captions'"),
        (read_captions, b'{"image_id": "b", "captions": []}\n', ":1", "empty"),
        (read_captions, b'{"image_id": "b", "captions": "text"}\n', ":1", "expected a list"),
        (read_captions, GOOD.encode() + b"\xff\xfe\n", ":2", "not valid UTF-8"),
        (read_captions, b"[1]\n", ":1", "expected a JSON object"),
        (read_images, b"{}\n", ":1", "no field 'image_id'"),
        (read_labelled, b"text_a\tlabel\nfine\t1\nno label\n", ":3", "1 columns, the header has 2"),
        (read_labelled, b"sentence\tlabel\nfine\t1\n", ":1", "no column text_a"),
        (read_labelled, b"text_a\tlabel\n", "", "no records"),
    ],
)
def test_bad_file(tmp_path: Path, reader: Callable[[Path], object], content: bytes, place: str, reason: str) -> None:
    path = tmp_path / "records.jsonl"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        reader(path)
    assert f"{path}{place}" in str(caught.value)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_texts(tmp_path / "absent.txt")


def test_damaged_gzip(tmp_path: Path) -> None:
    path = tmp_path / "texts.txt.gz"
    path.write_bytes(b"not gzip")
    with pytest.raises(InputError, match="damaged gzip"):
        read_texts(path)


def test_plain_texts_skip_blank_lines(tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    path.write_text("one\n\n two \n")
    assert [record.text for record in read_texts(path)] == ["one", "two"]


def test_ids_tell_texts_of_several_files_apart(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.jsonl").write_text('{"text": "x"}\n')
    for name in ("a/two.txt", "two.txt"):
        (tmp_path / name).write_text("y\n\nz\n")
    files = [tmp_path / name for name in ("a/one.jsonl", "a/two.txt", "two.txt", "a/../two.txt")]
    records = read_text_files(files)
    here = tmp_path.name
    ids = ["one.jsonl:1", "a/two.txt:1", "a/two.txt:3", f"{here}/two.txt:1", f"{here}/two.txt:3"]
    assert [record.record_id for record in records] == ids
    assert [record.text for record in records] == ["x", "y", "z", "y", "z"]
    assert [record.record_id for record in read_texts(files[2])] == ["two.txt:1", "two.txt:3"]


def test_names_of_files_take_as_many_folders_as_tell_them_apart() -> None:
    assert distinct_names(["/x/a.txt", "/x/b.txt"]) == ["a.txt", "b.txt"]
    assert distinct_names(["/x/en/a.txt", "/y/en/a.txt", "/x/b.txt"]) == ["x/en/a.txt", "y/en/a.txt", "b.txt"]
    assert len(set(distinct_names(["/a.txt", "/p/x/a.txt", "/q/x/a.txt"]))) == 3
