"""The kept vectors: exact search, appending, and what a damaged or half-written index does."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unimo.errors import InputError
from unimo.inference import index as index_module
from unimo.inference.index import Entry, VectorIndex, nearest, unit


def entries(count: int, start: int = 0) -> list[Entry]:
    return [Entry(f"image {number}") for number in range(start, start + count)]


def filled(folder: Path, *sizes: int, size: int = 4) -> tuple[VectorIndex, np.ndarray]:
    rng = np.random.default_rng(2)
    vectors = rng.standard_normal((sum(sizes), size)).astype(np.float32)
    index, start = VectorIndex.create(folder, size, {"fingerprint": "x"}), 0
    for count in sizes:
        index.add("images", entries(count, start), vectors[start : start + count])
        start += count
    return index, vectors


@settings(max_examples=50)
@given(st.integers(0, 10_000), st.integers(1, 12), st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_nearest_is_exact_however_it_is_cut(seed: int, k: int, sizes: list[int]) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.integers(-2, 3, (sum(sizes), 3)).astype(np.float32)  # small whole numbers: exact, with many ties
    queries = rng.integers(-2, 3, (4, 3)).astype(np.float32)
    cuts = np.cumsum(sizes)[:-1]
    rows, scores = nearest(queries, iter(np.split(vectors, cuts)), k)
    expected = np.argsort(-(queries @ vectors.T), axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(rows, expected)
    np.testing.assert_array_equal(scores, np.take_along_axis(queries @ vectors.T, expected, 1))


def test_search_over_segments_and_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index, vectors = filled(tmp_path / "index", 5, 1, 30)
    queries = np.random.default_rng(3).standard_normal((3, 4))
    rows, cosines = index.search("images", queries, 7)
    expected = unit(queries) @ unit(vectors).T
    np.testing.assert_array_equal(rows, np.argsort(-expected, axis=1)[:, :7])
    np.testing.assert_allclose(cosines, -np.sort(-expected, axis=1)[:, :7], atol=1e-6)
    monkeypatch.setattr(index_module, "SCORE_BYTES", 4 * 3 * 4)  # blocks of 4 vectors
    blocks = [len(block) for block in index._blocks("images", 3)]
    assert max(blocks) == 4 and sum(blocks) == 36
    np.testing.assert_array_equal(index.search("images", queries, 7)[0], rows)
    assert VectorIndex(tmp_path / "index").search("texts", queries, 7)[0].shape == (3, 0)
    np.testing.assert_allclose(index.vector("images", "image 6"), unit(vectors)[6], atol=1e-6)
    assert index.search("images", queries, 100)[0].shape == (3, 36)


def test_what_is_not_listed_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index, _ = filled(tmp_path / "index", 3)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(index_module, "write_json", killed)  # dies with both files of the segment written
        with pytest.raises(KeyboardInterrupt):
            index.add("images", entries(2, 3), np.ones((2, 4)))
    again = VectorIndex(tmp_path / "index")
    assert again.count("images") == 3
    again.add("images", entries(1, 3), np.ones((1, 4)))
    assert [entry.id for entry in VectorIndex(tmp_path / "index").entries("images")] == [f"image {n}" for n in range(4)]


def test_ids_are_there_once_and_one_process_adds(tmp_path: Path) -> None:
    index, _ = filled(tmp_path / "index", 3)
    with pytest.raises(InputError, match="'image 2' is there already"):
        index.add("images", entries(1, 2), np.ones((1, 4)))
    index.add("texts", [Entry("image 2", "a circle")], np.ones((1, 4)))  # the other side has ids of its own
    with open(tmp_path / "index" / ".lock", "w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="another process is adding"):
            index.add("images", entries(1, 9), np.ones((1, 4)))


def test_damage_is_named(tmp_path: Path) -> None:
    index, _ = filled(tmp_path / "index", 40)
    path = tmp_path / "index" / "images-000000.npy"
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    with pytest.raises(InputError, match=r"images-000000\.npy: missing, or not the"):
        index.search("images", np.ones((1, 4)), 1)
    path.write_bytes(b"\0" * len(whole))
    with pytest.raises(InputError, match="not a readable"):
        index.search("images", np.ones((1, 4)), 1)
    names = tmp_path / "index" / "images-000000.jsonl"
    names.write_text("".join(names.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(InputError, match="39 entries, expected 40"):
        VectorIndex(tmp_path / "index").entries("images")
    meta = tmp_path / "index" / "index.json"
    values = json.loads(meta.read_text())
    values["images"][0]["name"] = "../elsewhere"
    meta.write_text(json.dumps(values))
    with pytest.raises(InputError, match="expected size"):
        VectorIndex(tmp_path / "index")
    with pytest.raises(InputError, match="no index"):
        VectorIndex(tmp_path)
