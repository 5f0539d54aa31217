"""The names of an image's objects are those of its sure regions, as captioning reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from unimo.cli import main
from unimo.data.formats.captions import read_object_tags
from unimo.regions import FeatureSpec, Regions, RegionStoreWriter

PROBABILITIES = {
    # background, dog, ball, grass
    "a": [[0.0, 0.3, 0.5, 0.2], [0.9, 0.1, 0.0, 0.0], [0.1, 0.75, 0.0, 0.15]],
    "b": [[0.25, 0.25, 0.25, 0.25]],
    "c": [[1.0, 0.0, 0.0, 0.0]],
}
NAMES = "dog,puppy\nball\ngrass, lawn\n"


def write_store(path: Path, probabilities: dict[str, list[list[float]]]) -> Path:
    num_classes = len(next(iter(probabilities.values()))[0])
    with RegionStoreWriter(path, FeatureSpec("test", "1", 4, num_classes)) as writer:
        for image_id, rows in probabilities.items():
            count = len(rows)
            boxes = np.tile(np.asarray([[0, 0, 10, 20]], np.float32), (count, 1))
            classes = np.asarray(rows, np.float32).reshape(count, num_classes)
            writer.add(image_id, Regions(np.zeros((count, 4), np.float32), boxes, 40, 50, classes))
    return path


def run(folder: Path, names: str, *flags: str, probabilities: dict[str, list[list[float]]] | None = None) -> int:
    store = write_store(folder / "store", probabilities or PROBABILITIES)
    (folder / "names.txt").write_text(names)
    files = ["--regions", str(store), "--names", str(folder / "names.txt"), "--output", str(folder / "tags.jsonl")]
    return main(["regions", "tags", *files, *flags])


def test_tags_are_what_the_captioning_reader_takes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, NAMES) == 0
    assert read_object_tags(tmp_path / "tags.jsonl") == {"a": ("dog", "ball"), "b": ("dog", "ball", "grass"), "c": ()}
    assert "tags.jsonl: 3 images, 5 tags; 1 images have none" in capsys.readouterr().out


def test_threshold_is_exceeded_not_met_and_tags_are_cut_aloud(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, NAMES, "--threshold", "0.5") == 0
    assert read_object_tags(tmp_path / "tags.jsonl") == {"a": ("dog",), "b": (), "c": ()}
    capsys.readouterr()
    assert run(tmp_path, NAMES, "--max_tags", "2") == 0
    assert read_object_tags(tmp_path / "tags.jsonl")["b"] == ("dog", "ball")
    assert "1 images have more than 2 tags" in capsys.readouterr().out


def test_a_name_for_every_class_means_no_background_and_equal_names_come_once(tmp_path: Path) -> None:
    assert run(tmp_path, "sky\ndog\nball\ndog\n") == 0
    tags = read_object_tags(tmp_path / "tags.jsonl")
    assert tags == {"a": ("sky", "dog", "ball"), "b": ("sky", "dog", "ball"), "c": ("sky",)}


@pytest.mark.parametrize(
    ("names", "flags", "probabilities", "reason"),
    [
        (NAMES, [], {"a": [[]]}, "store: this store has no class probabilities"),
        (NAMES, [], {"a": [[0.5, float("nan"), 0.0, 0.0]]}, "store: record 'a': class_probabilities are not finite"),
        ("dog\nball\n", [], None, "names.txt: 2 names for 4 classes"),
        ("dog\n\nball\n", [], None, "names.txt:2: a line without a name"),
        (NAMES, ["--threshold", "1.0"], None, "threshold: 1.0 is not in [0, 1)"),
        (NAMES, ["--max_tags", "0"], None, "max_tags: 0"),
    ],
)
def test_refusals(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    names: str,
    flags: list[str],
    probabilities: dict[str, list[list[float]]] | None,
    reason: str,
) -> None:
    assert run(tmp_path, names, *flags, probabilities=probabilities) == 2
    assert reason in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"store", "names.txt"}
