"""Nearest neighbours against brute force, and the vectors they are taken of."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from unimo.augment.similarity import BlockFolder, Condition, save_block, top_k
from unimo.augment.vectors import TextVectors, image_vectors, rows_between
from unimo.regions.regions import Regions


def brute_force(queries: np.ndarray, rows: np.ndarray, k: int, minimum: float, kept: np.ndarray | None = None) -> list:
    scores = queries @ rows.T
    found = []
    for number, line in enumerate(scores):
        allowed = [n for n in range(len(line)) if line[n] > minimum and (kept is None or kept[number, n])]
        found.append(sorted(allowed, key=lambda n: (-line[n], n))[:k])
    return found


@pytest.mark.parametrize("as_sparse", [True, False])
@pytest.mark.parametrize("sizes", [(50,), (7, 20, 23), (49, 1)])
def test_top_k_is_exact_whatever_the_blocks(as_sparse: bool, sizes: tuple[int, ...]) -> None:
    rng = np.random.default_rng(3)
    # small whole numbers, so that there are many ties
    rows = rng.integers(0, 3, (50, 6)).astype(np.float32)
    queries = rng.integers(0, 3, (300, 6)).astype(np.float32)
    bounds = np.cumsum([0, *sizes])
    kind = sparse.csr_array if as_sparse else np.asarray
    blocks = [kind(rows[a:b]) for a, b in itertools.pairwise(bounds)]
    found = top_k(kind(queries), blocks, 5, 1.0)
    assert [columns.tolist() for columns, _ in found] == brute_force(queries, rows, 5, 1.0)
    for query, (columns, scores) in zip(queries, found, strict=True):
        np.testing.assert_array_equal(scores, rows[columns] @ query)


def test_the_condition_is_met() -> None:
    rng = np.random.default_rng(4)
    rows, queries = rng.random((40, 5), np.float32), rng.random((9, 5), np.float32)
    other, asked = rng.random((40, 3), np.float32), rng.random((9, 3), np.float32)
    condition = Condition(asked, [other[:30], other[30:]], 0.8)
    found = top_k(queries, [rows[:30], rows[30:]], 4, 0.0, condition)
    expected = brute_force(queries, rows, 4, 0.0, asked @ other.T >= 0.8)
    assert [columns.tolist() for columns, _ in found] == expected
    assert any(len(columns) < 4 for columns in expected)


@pytest.mark.parametrize("kind", [sparse.csr_array, np.asarray])
def test_rows_above_the_maximum_take_no_places(kind: Callable[[np.ndarray], Any]) -> None:
    rows = np.asarray([[0.95], [0.5], [0.9], [0.95], [0.3], [0.4]], np.float32)
    found = top_k(kind(np.ones((1, 1), np.float32)), [kind(rows[:3]), kind(rows[3:])], 2, maximum=0.9)
    assert [columns.tolist() for columns, _ in found] == [[2, 1]]


def test_nothing_asked() -> None:
    rows = np.ones((3, 2), np.float32)
    assert [len(columns) for columns, _ in top_k(rows, [rows], 0)] == [0, 0, 0]


def test_text_vectors_are_scikit_learns(tmp_path: Path) -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer

    captions = ["a dog runs on the beach", "two dogs swim in the sea", "a man reads a book", "a red car"]
    texts = ["dogs run and swim", "a book about the sea and the beach"]
    vectors = TextVectors(tmp_path)
    vectors.count("captions", captions)
    vectors.count("texts", texts)
    vectors.weigh(["captions", "texts"])
    ours = BlockFolder(tmp_path / "captions")[0] @ BlockFolder(tmp_path / "texts")[0].T
    theirs = TfidfVectorizer(stop_words="english").fit([*captions, *texts])
    expected = theirs.transform(captions) @ theirs.transform(texts).T
    np.testing.assert_allclose(ours.toarray(), expected.toarray(), atol=1e-6)


def test_rows_across_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unimo.augment.vectors.BLOCK_ROWS", 4)
    rows = sparse.csr_array(np.arange(20, dtype=np.float32).reshape(10, 2))
    for number in range(3):
        save_block(tmp_path, number, rows[number * 4 : number * 4 + 4])
    for first, end in [(0, 10), (3, 5), (4, 8), (9, 10), (2, 2)]:
        np.testing.assert_array_equal(
            rows_between(BlockFolder(tmp_path), first, end).toarray(), rows.toarray()[first:end]
        )


def test_image_vectors() -> None:
    def regions(feature: list[float], classes: list[float]) -> Regions:
        boxes = np.asarray([[0, 0, 1, 1]], np.float32)
        return Regions(np.asarray([feature], np.float32), boxes, 10, 10, np.asarray([classes], np.float32))

    features, classes = image_vectors(
        [regions([3, 4], [1, 0, 0]), regions([6, 8], [0.5, 0.5, 0]), regions([0, 1], [0, 0, 1])]
    )
    np.testing.assert_allclose(features @ features.T, [[1, 1, 0.8], [1, 1, 0.8], [0.8, 0.8, 1]], atol=1e-6)
    overlap = classes @ classes.T
    np.testing.assert_allclose(overlap[0], [1, np.sqrt(0.5), 0], atol=1e-6)
