from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import pytest

from unimo.cli.worlds_shapes import Arguments, run
from unimo.errors import InputError
from unimo.worlds.shapes import ShapesOptions, generate, read_captions, read_scenes, validate

GENERATE = sys.modules["unimo.worlds.shapes.generate"]  # its package's name for it is the function


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def fingerprint(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_files_and_their_records(small_world: Path, small_options: ShapesOptions) -> None:
    scenes = read_scenes(small_world)
    assert len(scenes) == 106 == len(list((small_world / "images").glob("*.png")))
    assert cv2.imread(str(small_world / "images" / "dev_000003.png")).shape == (96, 96, 3)
    for split, size in (("train", 60), ("dev", 16), ("test", 24)):
        ids = [scene.image_id for scene in scenes.values() if scene.split == split]
        assert len(ids) == size
        for kind in ("captions", "captioning"):
            captions = read_captions(small_world / f"{kind}_{split}.jsonl")
            assert list(captions) == ids
            assert all(len(set(texts)) == len(texts) == 5 for texts in captions.values())
        questions = records(small_world / f"questions_{split}.jsonl")
        assert {tuple(record) for record in questions} == {("question_id", "image_id", "question", "answer")}
        assert len({record["question_id"] for record in questions}) == len(questions) == 4 * size
        entailment = records(small_world / f"entailment_{split}.jsonl")
        assert {tuple(record) for record in entailment} == {("record_id", "image_id", "hypothesis", "label")}
        lines = (small_world / f"statements_{split}.tsv").read_text().splitlines()
        assert lines[0] == "text_a\ttext_b\tlabel"
        assert len(lines) == 1 + getattr(small_options, f"num_statements_{split}")
        assert all(line.count("\t") == 2 for line in lines)
    assert {tuple(record) for record in records(small_world / "retrieval_test.jsonl")} == {
        ("image_id", "captions", "also_true")
    }
    assert [tuple(record) for record in records(small_world / "texts_train.jsonl")] == [("text",)] * 60
    assert len(records(small_world / "images_train.jsonl")) == 6


def test_captioning_states_objects_position_and_relation(small_world: Path) -> None:
    from unimo.worlds.shapes import check_caption

    scenes = read_scenes(small_world)
    for image_id, texts in read_captions(small_world / "captioning_test.jsonl").items():
        for text in texts:
            check = check_caption(text, scenes[image_id])
            assert check.relation_correct and check.position_correct and check.attributes_correct


def test_manifest(small_world: Path) -> None:
    manifest = json.loads((small_world / "manifest.json").read_text())
    assert manifest["counts"]["captions_train"] == 60 and manifest["seed"] == 1
    levels = manifest["chance"]["captioning"]["test"]
    assert levels["scene_accuracy"] < 0.1 and 0.1 <= levels["relation_given_objects"] < 0.45
    assert len(manifest["held_out"]) == 12
    assert len(manifest["vocabularies"]["caption_words"]) < 60


def test_held_out_pairs_only_in_test(small_world: Path) -> None:
    held_out = [" ".join(pair) for pair in json.loads((small_world / "manifest.json").read_text())["held_out"]]
    for path in [*small_world.glob("*.jsonl"), *small_world.glob("*.tsv")]:
        if path.name != "scenes.jsonl":
            named = any(phrase in path.read_text() for phrase in held_out)
            assert named == ("test" in path.name), path.name


def test_validate_finds_every_sentence_true(small_world: Path) -> None:
    checked = validate(small_world)
    assert checked["captions_train.jsonl"] == checked["captioning_train.jsonl"] == 300


@pytest.mark.parametrize("name", ["captions_dev.jsonl", "retrieval_test.jsonl", "scenes.jsonl"])
def test_validate_finds_a_mistake(small_world: Path, tmp_path: Path, name: str) -> None:
    world = tmp_path / "world"
    shutil.copytree(small_world, world, ignore=shutil.ignore_patterns("images"))
    if name == "scenes.jsonl":
        color, shape = json.loads((world / "manifest.json").read_text())["held_out"][0]
        lines = (world / name).read_text().splitlines()
        scene = json.loads(lines[0])
        scene["objects"][0] |= {"color": color, "shape": shape}
        (world / name).write_text("\n".join([json.dumps(scene), *lines[1:]]))
    else:
        rows = records(world / name)
        if name.startswith("retrieval"):
            rows[3]["also_true"] = ["test_000000"]
        else:
            rows[3]["captions"][0] = rows[4]["captions"][0]
        (world / name).write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(InputError, match=name):
        validate(world)


@pytest.mark.parametrize(("num_workers", "at_once"), [(1, 40), (2, 40), (2, 400)], ids=["in turn", "beside", "few"])
def test_same_options_same_bytes(
    small_world: Path,
    small_options: ShapesOptions,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    num_workers: int,
    at_once: int,
) -> None:
    monkeypatch.setattr(GENERATE, "IMAGES_AT_ONCE", at_once)
    seen: list[tuple[int, int]] = []
    generate(tmp_path / "again", small_options, lambda done, total: seen.append((done, total)), num_workers=num_workers)
    assert fingerprint(tmp_path / "again") == fingerprint(small_world)
    assert seen == ([(40, 106), (80, 106), (106, 106)] if at_once == 40 else [(106, 106)])


def test_a_drawing_process_that_is_killed_is_told_and_leaves_no_world(
    small_options: ShapesOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GENERATE, "IMAGES_AT_ONCE", 40)
    monkeypatch.setattr(GENERATE, "_write_images", killed)
    with pytest.raises(InputError, match="a worker process ended before its work was done"):
        generate(tmp_path / "world", small_options, num_workers=2)
    assert list(tmp_path.iterdir()) == []


def killed(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_existing_folders(small_world: Path, small_options: ShapesOptions, tmp_path: Path) -> None:
    assert generate(small_world, small_options)[1] is False
    tiny = replace(small_options, num_train=2, num_dev=1, num_test=1, num_texts=0, num_images_without_text=0)
    world = tmp_path / "world"
    world.mkdir()
    assert generate(world, tiny)[1] is True
    with pytest.raises(InputError, match=r"other options \(seed\); set --overwrite"):
        generate(world, replace(tiny, seed=2))
    before = fingerprint(world)
    assert generate(world, replace(tiny, seed=2), overwrite=True)[1] is True
    assert fingerprint(world) != before
    other = tmp_path / "mine"
    other.mkdir()
    (other / "notes.txt").write_text("keep")
    with pytest.raises(InputError, match="not a shapes world"):
        generate(other, tiny, overwrite=True)
    assert (other / "notes.txt").read_text() == "keep"


def test_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = {"num_train": 3, "num_dev": 1, "num_test": 2, "num_texts": 2, "num_images_without_text": 1}
    statements = {f"num_statements_{split}": 2 for split in ("train", "dev", "test")}
    arguments = Arguments(output=tmp_path / "world", **sizes, **statements)
    assert run(arguments) == 0
    assert "images 7, captions_train 3" in capsys.readouterr().out
    assert run(arguments) == 0
    assert "nothing to do" in capsys.readouterr().out
