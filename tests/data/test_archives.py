"""Archives: what is unpacked, and what is refused with nothing left behind."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from unimo.cli import main
from unimo.data.archives import extract_archive
from unimo.errors import InputError


def make_zip(path: Path, members: dict[str, bytes], link: str = "") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        if link:
            info = zipfile.ZipInfo(link)
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, "/etc/passwd")
    return path


def make_tar(path: Path, members: dict[str, bytes], special: tarfile.TarInfo | None = None) -> Path:
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        if special is not None:
            archive.addfile(special)
    return path


def special(name: str, kind: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, "/etc/passwd"
    return info


FILES = {"SST-2/train.tsv": b"sentence\tlabel\n", "SST-2/original/README.txt": b"hello"}


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.tgz"])
def test_files_come_out_whole_and_join_what_is_there(tmp_path: Path, name: str) -> None:
    make = make_zip if name.endswith("zip") else make_tar
    archive = make(tmp_path / name, FILES)
    output = tmp_path / "out"
    (output / "SST-2").mkdir(parents=True)
    (output / "SST-2" / "mine.txt").write_text("kept")
    (output / "SST-2" / "train.tsv").write_text("old")
    assert extract_archive(archive, output) == 2
    found = {str(path.relative_to(output)): path.read_bytes() for path in output.rglob("*") if path.is_file()}
    assert found == {**FILES, "SST-2/mine.txt": b"kept"}


@pytest.mark.parametrize(
    "name", ["../outside.txt", "/etc/outside.txt", "a/../../outside.txt", "C:\\outside.txt", "C:x"]
)
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_paths_that_lead_outside_are_refused(tmp_path: Path, name: str, kind: str) -> None:
    make = make_zip if kind == "zip" else make_tar
    archive = make(tmp_path / f"a.{kind}", {"good.txt": b"x", name: b"bad"})
    with pytest.raises(InputError, match="leads outside the folder") as caught:
        extract_archive(archive, tmp_path / "in" / "out")
    assert str(archive) in str(caught.value)
    assert [path.name for path in (tmp_path / "in").rglob("*")] == ["out"]


def test_a_folder_named_dot_and_members_that_clash(tmp_path: Path) -> None:
    assert extract_archive(make_tar(tmp_path / "a.tar", FILES, special(".", tarfile.DIRTYPE)), tmp_path / "out") == 2
    with pytest.raises(InputError, match="no archive, or a damaged one"):
        extract_archive(make_tar(tmp_path / "b.tar", {"a": b"1", "a/b": b"2"}), tmp_path / "out")
    with pytest.raises(InputError, match="no archive, or a damaged one"):
        extract_archive(make_tar(tmp_path / "c.tar", {"SST-2/train.tsv/b": b"2"}), tmp_path / "out")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_tar_files_are_refused(tmp_path: Path, kind: bytes) -> None:
    archive = make_tar(tmp_path / "a.tar", FILES, special("SST-2/x", kind))
    with pytest.raises(InputError, match="only files are unpacked"):
        extract_archive(archive, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_links_in_zip_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'x' is a link; only files"):
        extract_archive(make_zip(tmp_path / "a.zip", FILES, link="x"), tmp_path / "out")


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz"])
def test_a_truncated_archive_leaves_nothing(tmp_path: Path, name: str) -> None:
    make = make_zip if name.endswith("zip") else make_tar
    archive = make(tmp_path / name, {"big.bin": bytes(range(256)) * 400})
    archive.write_bytes(archive.read_bytes()[:200])
    with pytest.raises(InputError, match="no archive, or a damaged one"):
        extract_archive(archive, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_flipped_byte_in_a_zip_is_found(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "a.zip", {"a": b"hello " * 100})
    data = bytearray(archive.read_bytes())
    data[40] ^= 0xFF
    archive.write_bytes(bytes(data))
    with pytest.raises(InputError, match="damaged"):
        extract_archive(archive, tmp_path / "out")


def test_the_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive = make_zip(tmp_path / "a.zip", FILES)
    assert main(["data", "extract", "--archive", str(archive), "--output", str(tmp_path / "out")]) == 0
    assert "a.zip: 2 files unpacked" in capsys.readouterr().out
    assert main(["data", "extract", "--archive", str(tmp_path / "b.zip"), "--output", str(tmp_path / "out")]) == 2
    assert "b.zip: no such file" in capsys.readouterr().err
