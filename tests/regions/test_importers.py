"""Bottom-up-attention files into a store; damaged ones name file and line and leave nothing behind."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pytest

from unimo.cli import main
from unimo.regions import RegionStore


def encode(array: np.ndarray) -> str:
    return base64.b64encode(array.astype("<f4").tobytes()).decode()


def line(image_id: str, declared: int = 3, count: int = 3, size: int = 4) -> str:
    boxes = np.tile(np.asarray([[1, 2, 30, 40]]), (count, 1))
    features = np.arange(count * size).reshape(count, size)
    return "\t".join([image_id, "64", "48", str(declared), encode(boxes), encode(features)]) + "\n"


def run(path: Path, output: Path) -> int:
    return main(["regions", "import", "--input", str(path), "--output", str(output), "--version", "vg-36"])


def test_import(tmp_path: Path) -> None:
    path = tmp_path / "features.tsv"
    path.write_text(line("1") + line("2", 5, 5))
    assert run(path, tmp_path / "store") == 0
    with RegionStore(tmp_path / "store") as store:
        assert store.ids() == ["1", "2"]
        assert (store.spec.name, store.spec.version, store.spec.feature_size) == ("bottom-up-attention", "vg-36", 4)
        assert store["2"].image_width == 64
        np.testing.assert_array_equal(store["1"].boxes[0], [1, 2, 30, 40])
        np.testing.assert_array_equal(store["1"].features, np.arange(12).reshape(3, 4))


def test_the_store_is_the_same_for_any_number_of_processes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "features.tsv"
    lines = [line(str(number), 1 + number % 4, 1 + number % 4) for number in range(70)]  # three chunks
    path.write_text("".join(lines))
    stores = []
    for count in ("1", "2"):
        arguments = ["--input", str(path), "--output", str(tmp_path / count), "--num_workers", count]
        assert main(["regions", "import", *arguments]) == 0
        with RegionStore(tmp_path / count) as store:
            stores.append({name: store[name].features.tobytes() for name in store.ids()})
    assert stores[0] == stores[1] and len(stores[0]) == 70
    path.write_text("".join([*lines[:50], line("x", declared=7), *lines[50:]]))
    assert (
        main(["regions", "import", "--input", str(path), "--output", str(tmp_path / "bad"), "--num_workers", "2"]) == 2
    )
    assert f"{path}:51: " in capsys.readouterr().err
    assert not list(tmp_path.glob("bad*"))


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (line("2", declared=7), "do not fit the declared 7 boxes"),
        (line("2", declared=0), "num_boxes: 0"),
        ("2\t64\t48\n", "3 columns"),
        ("2\t64\tx\t3\tAAAA\tAAAA\n", "image_h: expected a whole number"),
        ("2\t64\t48\t3\t!!!\tAAAA\n", "broken base64"),
        (line("2", size=6), "sizes"),
        (line("1"), "comes twice"),
        ("", "the file is empty"),
    ],
)
def test_damaged_file(tmp_path: Path, capsys: pytest.CaptureFixture[str], bad: str, reason: str) -> None:
    path = tmp_path / "features.tsv"
    path.write_text(line("1") + bad if bad else "")
    assert run(path, tmp_path / "store") == 2
    error = capsys.readouterr().err
    assert str(path) in error
    assert reason in error
    assert len(error.strip().splitlines()[-1:]) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["features.tsv"]
