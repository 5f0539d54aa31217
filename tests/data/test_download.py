"""The download scripts, against a server of this test: fetch, go on, refuse, and say what to do by hand."""

from __future__ import annotations

import hashlib
import http.server
import io
import os
import re
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY, SHARED

FOLDER = REPOSITORY / "data" / "download"
SCRIPTS = sorted(path.stem for path in FOLDER.glob("*.sh") if path.stem != "fetch")
pytestmark = pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")


class Mirror:
    """What the server gives, by path below its root, and what it was asked."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.can_resume = True
        self.address = ""

    def reply(self, path: str, start: int) -> tuple[int, bytes]:
        if path not in self.files:
            return 404, b""
        if start and not self.can_resume:
            return 200, self.files[path]
        if start >= len(self.files[path]) > 0:
            return 416, b""
        return (206 if start else 200), self.files[path][start:]


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    served = Mirror()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, header = self.path.partition("?")[0].lstrip("/"), self.headers.get("Range")
            served.asked.append((path, header))
            start = int(header.removeprefix("bytes=").rstrip("-")) if header else 0
            status, body = served.reply(path, start)
            self.send_response(status)
            if status == 206:
                total = len(served.files[path])
                self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    served.address = f"http://127.0.0.1:{server.server_port}"
    yield served
    server.shutdown()
    server.server_close()


def run(script: Path, folder: Path, mirror: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(REPOSITORY),
        "VIRTUAL_ENV": str(Path(sys.executable).parent.parent),  # so that none is made
        "UNIMO_MIRROR": mirror,
        "NO_PROXY": "*",
    }
    command = ["bash", str(script), str(folder)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def archive(*names: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as opened:
        for name in names:
            opened.writestr(name, "content")
    return stream.getvalue()


# ------------------------------------------------------------------------------------------------- fetch.sh itself

BASE = "https://example.org/data"


def script_of(tmp_path: Path, *lines: str) -> Path:
    """A script as those of the folder, with other addresses."""
    path = tmp_path / "script.sh"
    start = [f"source {FOLDER}/fetch.sh", 'dataset sst2 data/glue "$@"', 'by_hand="ask a librarian"']
    path.write_text("\n".join([*start, *lines]) + "\n")
    return path


CONTENT = bytes(range(256)) * 40
SHA256, MD5 = hashlib.sha256(CONTENT).hexdigest(), hashlib.md5(CONTENT).hexdigest()


def test_a_file_is_fetched_once_checked_and_noted(tmp_path: Path, mirror: Mirror) -> None:
    mirror.files["example.org/data/a.bin"] = CONTENT
    checks = f"sha256={SHA256} md5={MD5} size={len(CONTENT)}"
    script = script_of(tmp_path, f"fetch {BASE}/a.bin?download=1 sub/b.bin {checks}", "expect sub/b.bin")
    first = run(script, tmp_path / "out", mirror.address)
    assert first.returncode == 0, first.stderr
    assert (tmp_path / "out" / "sub" / "b.bin").read_bytes() == CONTENT
    assert (tmp_path / "out" / "sha256sums.txt").read_text() == f"{SHA256}  sub/b.bin\n"
    second = run(script, tmp_path / "out", mirror.address)
    assert "sub/b.bin: there already" in second.stdout
    assert len(mirror.asked) == 1


@pytest.mark.parametrize("can_resume", [True, False])
def test_a_truncated_file_is_gone_on_with(tmp_path: Path, mirror: Mirror, can_resume: bool) -> None:
    mirror.files["example.org/data/a.bin"], mirror.can_resume = CONTENT, can_resume
    part = tmp_path / "out" / "a.bin.part"
    part.parent.mkdir()
    part.write_bytes(CONTENT[:1000])
    script = script_of(tmp_path, f"fetch {BASE}/a.bin sha256={SHA256}")
    result = run(script, tmp_path / "out", mirror.address)
    assert result.returncode == 0, result.stderr
    assert mirror.asked[0] == ("example.org/data/a.bin", "bytes=1000-")
    assert (tmp_path / "out" / "a.bin").read_bytes() == CONTENT


def test_a_part_that_is_whole_already(tmp_path: Path, mirror: Mirror) -> None:
    mirror.files["example.org/data/a.bin"] = CONTENT
    part = tmp_path / "out" / "a.bin.part"
    part.parent.mkdir()
    part.write_bytes(CONTENT)
    assert run(script_of(tmp_path, f"fetch {BASE}/a.bin"), tmp_path / "out", mirror.address).returncode == 0
    assert (tmp_path / "out" / "a.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("check", [f"sha256={'0' * 64}", f"md5={'0' * 32}", "size=3"])
def test_another_file_than_expected_is_removed(tmp_path: Path, mirror: Mirror, check: str) -> None:
    mirror.files["example.org/data/a.bin"] = CONTENT
    result = run(script_of(tmp_path, f"fetch {BASE}/a.bin {check}"), tmp_path / "out", mirror.address)
    assert result.returncode == 1
    assert f"a.bin: not the file that was expected ({check}); it was removed" in result.stderr
    assert list((tmp_path / "out").iterdir()) == []


def test_a_dead_address_names_the_manual_way_and_keeps_what_is_there(tmp_path: Path, mirror: Mirror) -> None:
    part = tmp_path / "out" / "a.bin.part"
    part.parent.mkdir()
    part.write_bytes(CONTENT[:1000])
    result = run(script_of(tmp_path, f"fetch {BASE}/a.bin"), tmp_path / "out", mirror.address)
    assert result.returncode == 1
    assert f"{mirror.address}/example.org/data/a.bin could not be fetched" in result.stderr
    assert "by hand: ask a librarian" in result.stderr
    assert "More in data/cards/sst2.md" in result.stderr
    assert part.read_bytes() == CONTENT[:1000]
    (tmp_path / "out" / "a.bin").write_bytes(b"brought by hand")
    assert run(script_of(tmp_path, f"fetch {BASE}/a.bin"), tmp_path / "out", mirror.address).returncode == 0


def test_a_page_in_place_of_a_file_is_refused(tmp_path: Path, mirror: Mirror) -> None:
    mirror.files["example.org/data/a.zip"] = b"\n<!DOCTYPE html><html>log in</html>"
    result = run(script_of(tmp_path, f"fetch {BASE}/a.zip"), tmp_path / "out", mirror.address)
    assert result.returncode == 1
    assert "gave a page in place of the file" in result.stderr
    assert list((tmp_path / "out").iterdir()) == []


def test_a_local_folder_as_mirror(tmp_path: Path) -> None:
    path = tmp_path / "mirror" / "example.org" / "data" / "a.bin"
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    result = run(script_of(tmp_path, f"fetch {BASE}/a.bin"), tmp_path / "out", f"file://{tmp_path}/mirror")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "out" / "a.bin").read_bytes() == CONTENT


def test_an_archive_is_unpacked_once_and_may_then_go(tmp_path: Path, mirror: Mirror) -> None:
    mirror.files["example.org/data/a.zip"] = archive("SST-2/train.tsv")
    script = script_of(tmp_path, f"fetch {BASE}/a.zip", "unpack a.zip", "expect SST-2/train.tsv")
    assert run(script, tmp_path / "out", mirror.address).returncode == 0
    (tmp_path / "out" / "a.zip").unlink()
    second = run(script, tmp_path / "out", mirror.address)
    assert second.returncode == 0
    assert "a.zip: unpacked already" in second.stdout
    assert len(mirror.asked) == 1


def test_an_archive_that_leads_outside_is_refused(tmp_path: Path, mirror: Mirror) -> None:
    mirror.files["example.org/data/a.zip"] = archive("good.txt", "../bad.txt")
    script = script_of(tmp_path, f"fetch {BASE}/a.zip", "unpack a.zip")
    result = run(script, tmp_path / "out", mirror.address)
    assert result.returncode == 1
    assert "the member '../bad.txt' leads outside the folder" in result.stderr
    assert not (tmp_path / "bad.txt").exists() and not (tmp_path / "out" / "good.txt").exists()


# ------------------------------------------------------------------------------------------------------ every script

COCO_SPLITS = ["train2014", "val2014", "test2014", "test2015", "unlabeled2017"]
ARCHIVES = {
    "SST-2.zip": ["SST-2/train.tsv", "SST-2/dev.tsv", "SST-2/test.tsv"],
    "CoLA.zip": ["CoLA/train.tsv", "CoLA/dev.tsv", "CoLA/test.tsv"],
    "STS-B.zip": ["STS-B/train.tsv", "STS-B/dev.tsv", "STS-B/test.tsv"],
    "MNLI.zip": [
        f"MNLI/{name}.tsv" for name in ["train", "dev_matched", "dev_mismatched", "test_matched", "test_mismatched"]
    ],
    "cnn_dm_v2.tgz": [f"cnn_cln/{split}.{side}" for split in ("train", "val", "test") for side in ("source", "target")],
    "caption_datasets.zip": ["dataset_coco.json", "dataset_flickr30k.json", "dataset_flickr8k.json"],
    "snli_1.0.zip": ["snli_1.0/snli_1.0_train.jsonl"],
    "annotations_trainval2014.zip": ["annotations/captions_train2014.json", "annotations/captions_val2014.json"],
    "annotations_trainval2017.zip": ["annotations/captions_train2017.json"],
    "image_info_test2014.zip": ["annotations/image_info_test2014.json"],
    "image_info_unlabeled2017.zip": ["annotations/image_info_unlabeled2017.json"],
    "v2_Questions_Train_mscoco.zip": ["v2_OpenEnded_mscoco_train2014_questions.json"],
    "v2_Questions_Val_mscoco.zip": ["v2_OpenEnded_mscoco_val2014_questions.json"],
    "v2_Questions_Test_mscoco.zip": [f"v2_OpenEnded_mscoco_{s}_questions.json" for s in ("test2015", "test-dev2015")],
    "v2_Annotations_Train_mscoco.zip": ["v2_mscoco_train2014_annotations.json"],
    "v2_Annotations_Val_mscoco.zip": ["v2_mscoco_val2014_annotations.json"],
    "region_descriptions.json.zip": ["region_descriptions.json"],
    "question_answers.json.zip": ["question_answers.json"],
    "images.zip": ["VG_100K/2.jpg"],
    "images2.zip": ["VG_100K_2/1.jpg"],
    "SBUCaptionedPhotoDataset.tar.gz": ["dataset/SBU_captioned_photo_dataset_urls.txt"],
    "trainval_36.zip": ["trainval_36/trainval_resnet101_faster_rcnn_genome_36.tsv"],
    **{
        f"{split}.zip": [f"{split}/1.jpg"]
        for split in ["train2014", "val2014", "test2014", "test2015", "unlabeled2017"]
    },
    **{f"unimo_{size}_en.tar.gz": [f"unimo_{size}_en/word_embedding"] for size in ("base", "large")},
}
"""What each archive holds at the least, by its publisher; a zip under any of these names will do."""

BY_HAND = {
    "gigaword": [f"{split}.{side}.txt" for split in ("train", "dev", "test") for side in ("src", "tgt")],
    "flickr30k": ["flickr30k-images"],
    "snli_ve": [f"snli_ve_{split}.jsonl" for split in ("train", "dev", "test")],
    "conceptual_captions": ["Train_GCC-training.tsv", "captions.jsonl"],
    "sbu": ["captions.jsonl"],
    "open_images": ["images.jsonl"],
    "text_corpora": ["bookwiki/texts.txt.gz", "openwebtext/texts.txt.gz"],
}
"""What no script can fetch."""


def served_file(path: str) -> bytes | None:
    """A stand-in for the file at an address; the real one where its checksum is known."""
    name = path.rpartition("/")[2]
    if name in ARCHIVES:
        return archive(*ARCHIVES[name])
    copies = [SHARED / "data" / "unimo_dict" / name, SHARED / "data" / "flickr30k_captions" / name]
    if "image_splits" in path:
        split = name.removesuffix(".txt").removesuffix("_flickr")
        copies = [SHARED / "data" / "flickr30k_captions" / f"{split}.images.txt"]
    real = [copy for copy in copies if copy.is_file()]
    return real[0].read_bytes() if real else b"content"


QUICK = {"sst2", "coqa", "gigaword"}  # an archive, plain files, by hand


@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in SCRIPTS])
def test_every_script(tmp_path: Path, mirror: Mirror, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    text = (FOLDER / f"{name}.sh").read_text()
    if "sha256=" in text and not SHARED.is_dir():
        pytest.skip("the files whose checksums are known are not here")
    monkeypatch.setattr(mirror, "reply", lambda path, start: (200, served_file(path)))
    output = tmp_path / "out"
    result = run(FOLDER / f"{name}.sh", output, mirror.address)
    if name in BY_HAND:
        assert result.returncode == 1
        missing, manual = result.stderr.strip().splitlines()[0], result.stderr
        assert "by hand: " in manual
        for each in BY_HAND[name]:
            assert each in missing
            (output / each).parent.mkdir(parents=True, exist_ok=True)
            (output / each).touch()
        result = run(FOLDER / f"{name}.sh", output, mirror.address)
    assert result.returncode == 0, result.stderr
    assert f"{name}.sh: all there" in result.stdout
    assert not list(output.rglob("*.part"))


@pytest.mark.parametrize("name", ["fetch", *SCRIPTS])
def test_scripts_parse_are_short_and_have_a_card(name: str) -> None:
    path = FOLDER / f"{name}.sh"
    subprocess.run(["bash", "-n", str(path)], check=True)
    text = path.read_text()
    assert max(map(len, text.splitlines())) <= 120
    if name == "fetch":
        return
    assert len(text.splitlines()) <= 45
    card = re.search(r"^dataset (\w+) data(?:/\w+)? \"\$@\"$", text, re.MULTILINE)
    assert card is not None
    assert (REPOSITORY / "data" / "cards" / f"{card[1]}.md").is_file()
    assert f"download/{name}.sh" in (REPOSITORY / "data" / "README.md").read_text()


def test_every_card_is_listed() -> None:
    listed = (REPOSITORY / "data" / "README.md").read_text()
    cards = [path.name for path in (REPOSITORY / "data" / "cards").glob("*.md")]
    assert [name for name in cards if f"(cards/{name})" not in listed] == []
