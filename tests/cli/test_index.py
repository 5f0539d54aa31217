"""What the verbs of an index read: ids of texts and captions, one reader of captions, the store it was made with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import SmallWorld
from tests.tasks.jobs import job, write_job
from tests.tasks.test_released_formats import write_released_job
from unimo.cli import main
from unimo.inference.index import VectorIndex
from unimo.locks import FolderLock


def train_dual(config: Path) -> Path:
    """One step of a retrieval job with the head `dual`."""
    flags = ["--options.dual_pairs", "2", "--training.num_steps", "1", "--data.evaluate", "{}"]
    assert main(["train", "--config", str(config), *flags]) == 0
    return config.parent / "run" / "checkpoints" / "best"


@pytest.fixture(scope="module")
def checkpoint(small_world: SmallWorld, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("index")
    values = job(small_world, "retrieval", folder / "run")
    values["options"] = {"num_negative_images": 1, "num_negative_captions": 1}
    return train_dual(write_job(folder / "job.yaml", values))


def ids_of(index: Path, side: str) -> list[str]:
    return [entry.id for entry in VectorIndex(index).entries(side)]  # type: ignore[arg-type]


def build(checkpoint: Path, index: Path, *flags: str | Path) -> int:
    return main(["index", "build", "--checkpoint", str(checkpoint), "--output", str(index), *map(str, flags)])


def test_texts_of_files_of_one_name(checkpoint: Path, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a/captions.txt", "b/captions.txt", "b/others.txt")]
    for number, file in enumerate(files):
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"a red circle\ntext {number}\n")
    assert build(checkpoint, tmp_path / "index", "--texts", *files, files[0]) == 0
    found = ["a/captions.txt:1", "a/captions.txt:2", "b/captions.txt:1", "b/captions.txt:2"]
    assert ids_of(tmp_path / "index", "texts") == [*found, "others.txt:1", "others.txt:2"]
    assert build(checkpoint, tmp_path / "two", "--texts", *files[1:]) == 0
    assert ids_of(tmp_path / "two", "texts")[0] == "captions.txt:1"


def test_an_image_on_two_lines(
    checkpoint: Path, small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [("test_000001", "a red circle"), ("test_000002", "a star"), ("test_000001", "a blue square")]
    path = tmp_path / "captions.jsonl"
    path.write_text("".join(json.dumps({"image_id": name, "captions": [text]}) + "\n" for name, text in lines))
    flags = ("--regions", small_world.regions, "--captions", path)
    assert build(checkpoint, tmp_path / "index", *flags, path) == 0
    assert ids_of(tmp_path / "index", "images") == ["test_000001", "test_000002"]
    assert ids_of(tmp_path / "index", "texts") == ["test_000001#0", "test_000002#0", "test_000001#1"]
    made_with = ["--checkpoint", str(checkpoint), *map(str, flags), "--ks", "1", "2"]
    capsys.readouterr()
    assert main(["index", "evaluate", *made_with, "--json", str(tmp_path / "found.json")]) == 0
    assert "2 images, 3 captions, 6 pairs" in capsys.readouterr().out
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["exact"]["text_to_image"]["r5"] == found["exact"]["image_to_text"]["r5"] == 1.0
    assert found["two_stage"][1]["recall"] == found["exact"]


def test_caption_lines_of_the_release_are_read_by_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint = train_dual(write_released_job(tmp_path, "retrieval", ""))
    flags = ["--regions", str(tmp_path / "regions"), "--captions", str(tmp_path / "cap.ids")]
    assert build(checkpoint, tmp_path / "index", *flags) == 0
    assert ids_of(tmp_path / "index", "images") == ["1000", "1001", "1002"]
    assert ids_of(tmp_path / "index", "texts") == [
        f"{image}#{number}" for image in (1000, 1001, 1002) for number in (0, 1)
    ]
    assert VectorIndex(tmp_path / "index").entries("texts")[0].text == "a dog runs"
    capsys.readouterr()
    assert main(["index", "evaluate", "--checkpoint", str(checkpoint), *flags, "--ks", "2"]) == 0
    assert "3 images, 6 captions" in capsys.readouterr().out


def test_images_are_added_from_the_store_that_the_index_was_made_with(
    checkpoint: Path, small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index, captions = tmp_path / "index", small_world.world / "retrieval_test.jsonl"
    assert build(checkpoint, index, "--regions", small_world.regions, "--captions", captions) == 0
    assert main(["index", "add", "--index", str(index), "--images", "true"]) == 0
    assert "12 were there" in capsys.readouterr().out
    assert len(ids_of(index, "images")) > 12
    (tmp_path / "texts.txt").write_text("a red circle\n")
    assert build(checkpoint, tmp_path / "texts", "--texts", tmp_path / "texts.txt") == 0
    assert main(["index", "add", "--index", str(tmp_path / "texts"), "--images", "true"]) == 2
    assert "regions: images need their region store" in capsys.readouterr().err


def test_a_cosine_head_scores_what_is_near(
    small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = job(small_world, "retrieval", tmp_path / "run")
    values["options"] = {"num_negative_images": 1, "num_negative_captions": 1, "score": "cosine"}
    checkpoint = train_dual(write_job(tmp_path / "job.yaml", values))
    captions = str(small_world.world / "retrieval_test.jsonl")
    flags = ("--regions", str(small_world.regions), "--captions", captions)
    assert build(checkpoint, tmp_path / "index", *flags) == 0
    search = ["index", "search", "--index", str(tmp_path / "index"), "--texts", "a red circle", "--rerank", "3"]
    assert main(search) == 0
    assert main(["index", "evaluate", "--checkpoint", str(checkpoint), *flags, "--ks", "12"]) == 0
    assert "times fewer joint passes: text to image 1" in capsys.readouterr().out
    again = job(small_world, "retrieval", tmp_path / "again", init_from=str(checkpoint))
    flags = ("--options.num_negative_images", "1", "--options.num_negative_captions", "1", "--training.num_steps", "1")
    again.pop("arch")
    again["data"]["evaluate"] = {}
    assert main(["train", "--config", str(write_job(tmp_path / "again.yaml", again)), *flags]) == 0
    assert "learned the head cosine, which is left out; match begins fresh" in capsys.readouterr().err
    output = tmp_path / "exported"
    assert main(["export", "--checkpoint", str(checkpoint), "--output", str(output), "--onnx", "false"]) == 0
    assert "match" in json.loads((output / "export.json").read_text())["programs"]


def test_an_index_that_is_being_built_is_left_alone(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "texts.txt").write_text("a red circle\n")
    with FolderLock(".index.lock", "at work", "others").held(tmp_path):
        assert build(checkpoint, tmp_path / "index", "--texts", tmp_path / "texts.txt") == 2
        assert f"{tmp_path}: another process is building index there" in capsys.readouterr().err
    assert build(checkpoint, tmp_path / "index", "--texts", tmp_path / "texts.txt") == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index", "texts.txt"]
