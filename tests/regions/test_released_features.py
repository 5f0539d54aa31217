"""The release's files into a store: filelists and folders, images that come with each of their texts, wrong counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.data.formats.released import (
    base64_of,
    caption_line,
    entailment_line,
    feature_line,
    regions_of,
    write,
    write_filelist,
)
from unimo.cli import main
from unimo.regions import RegionStore


def run(kind: str, path: Path, output: Path) -> int:
    return main(["regions", "import", "--format", f"release-{kind}", "--input", str(path), "--output", str(output)])


def assert_holds(store: RegionStore, image_id: str, number: int) -> None:
    width, height, boxes, features = regions_of(number)
    found = store[image_id]
    assert (found.image_width, found.image_height) == (width, height)
    np.testing.assert_array_equal(found.boxes, boxes)
    np.testing.assert_allclose(found.features, features, rtol=1e-3)


def test_captions_of_a_filelist(tmp_path: Path) -> None:
    first = write(tmp_path / "in" / "a.txt", [caption_line(7, [5]), caption_line(8, None), caption_line(7, [6])])
    second = write(tmp_path / "in" / "b.txt.gz", [caption_line(7, [9]), caption_line(9, [5])])
    assert run("captions", write_filelist(tmp_path / "train_filelist", [first, second]), tmp_path / "store") == 0
    with RegionStore(tmp_path / "store") as store:
        assert store.ids() == ["7", "8", "9"]
        assert (store.spec.name, store.spec.num_classes) == ("bottom-up-attention", 0)
        for image_id in store.ids():
            assert_holds(store, image_id, int(image_id))


def test_the_features_of_a_folder(tmp_path: Path) -> None:
    write(tmp_path / "features" / "b.tsv", [feature_line(7)])
    write(tmp_path / "features" / "a.tsv", [feature_line(8)])
    write(tmp_path / "features" / ".hidden", ["nothing\n"])
    assert run("retrieval", tmp_path / "features", tmp_path / "store") == 0
    with RegionStore(tmp_path / "store") as store:
        assert_holds(store, "7", 7)
        assert_holds(store, "8", 8)
        np.testing.assert_allclose(store["7"].class_probabilities[0], [0.2] * 5, rtol=1e-3)


def test_entailment(tmp_path: Path) -> None:
    path = write(tmp_path / "ve.txt", [entailment_line(3, "0", [5]), entailment_line(3, "1", [6])])
    assert run("entailment", path, tmp_path / "store") == 0
    with RegionStore(tmp_path / "store") as store:
        assert store.ids() == ["img3"]
        assert_holds(store, "img3", 3)


def test_probabilities_of_captions(tmp_path: Path) -> None:
    rows = len(regions_of(7)[2])
    classes, attributes = np.full((rows, 3), 0.25), np.full((rows, 2), 0.5)
    changes = {"class_probabilities": base64_of(classes), "attribute_probabilities": base64_of(attributes)}
    assert run("captions", write(tmp_path / "a.txt", [caption_line(7, [5], **changes)]), tmp_path / "store") == 0
    with RegionStore(tmp_path / "store") as store:
        np.testing.assert_array_equal(store["7"].class_probabilities, classes)
        np.testing.assert_array_equal(store["7"].attribute_probabilities, attributes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (caption_line(8, [5], num_boxes="9"), "bytes do not fit the declared 9 boxes"),
        (caption_line(8, [5], boxes="AAAA"), "3 bytes are no float32 numbers"),
        (caption_line(8, [5], class_probabilities="A" * 27 + "="), "20 bytes do not fit the declared 4 boxes"),
        (caption_line(8, [5], image_id="8"), "image_id '8' after 9 characters"),
        (entailment_line(8, "0", [5]), "14 columns, expected 16"),
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], bad: str, reason: str) -> None:
    path = write(tmp_path / "a.txt", [caption_line(7, [5]), bad])
    assert run("captions", path, tmp_path / "store") == 2
    error = capsys.readouterr().err
    assert f"{path}:2: " in error
    assert reason in error
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


def test_an_image_must_not_change(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "a.txt", [caption_line(7, [5]), caption_line(8, [5], image_id="coco_img_7")])
    assert run("captions", path, tmp_path / "store") == 2
    assert "image '7' comes with other regions than before" in capsys.readouterr().err


def test_an_empty_folder_and_an_absent_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert run("captions", tmp_path / "empty", tmp_path / "store") == 2
    assert "no files in this folder" in capsys.readouterr().err
    assert run("captions", tmp_path / "absent", tmp_path / "store") == 2
    assert "absent: no such file" in capsys.readouterr().err
