"""Vectors of texts and images whose inner products say how alike they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unimo.augment.similarity import BLOCK_ROWS, BlockFolder, Rows, save_block

if TYPE_CHECKING:
    from unimo.regions.regions import Regions

NUM_BUCKETS = 1 << 20
"""Words are hashed to so many columns: no dictionary of a large corpus is held. Of 50,000 words, 5% share a column."""


class TextVectors:
    """TF-IDF by scikit-learn, English stop words left out (they make the product six times as large).

    Texts come in a stream and go to disk in blocks; the second pass weighs them, once the frequencies of all are known.
    """

    def __init__(self, folder: str | Path) -> None:
        from sklearn.feature_extraction.text import HashingVectorizer

        self.folder = Path(folder)
        self.vectorizer: Any = HashingVectorizer(
            n_features=NUM_BUCKETS, alternate_sign=False, norm=None, stop_words="english", dtype=np.float32
        )
        self.document_counts = np.zeros(NUM_BUCKETS, np.int64)
        self.num_texts = 0

    def count(self, name: str, texts: Iterable[str]) -> None:
        """First pass: the words of a collection of texts, in blocks."""
        stream = iter(texts)
        for number, block in enumerate(_blocks(stream)):
            rows = self.vectorizer.transform(block).tocsr()
            self.document_counts += np.bincount(rows.indices, minlength=NUM_BUCKETS)
            self.num_texts += rows.shape[0]
            save_block(self.folder / name, number, rows)

    def weigh(self, names: Sequence[str]) -> None:
        """Second pass: inverse document frequencies, smoothed as scikit-learn does, and rows of length 1."""
        from scipy import sparse
        from sklearn.preprocessing import normalize

        weights = np.log((1 + self.num_texts) / (1 + self.document_counts)) + 1
        diagonal = sparse.diags_array(weights.astype(np.float32), format="csr")
        for name in names:
            blocks = BlockFolder(self.folder / name)
            for number in range(len(blocks)):
                save_block(self.folder / name, number, normalize(blocks[number] @ diagonal, copy=False).tocsr())


def _blocks(texts: Iterator[str]) -> Iterator[list[str]]:
    while block := list(islice(texts, BLOCK_ROWS)):
        yield block


def rows_between(blocks: BlockFolder, first: int, end: int) -> Rows:
    """Rows ``first`` to ``end`` (exclusive) of a collection of sparse blocks."""
    from scipy import sparse

    parts = []
    for number in range(first // BLOCK_ROWS, (max(end, first + 1) - 1) // BLOCK_ROWS + 1):
        offset = number * BLOCK_ROWS
        parts.append(blocks[number][max(first - offset, 0) : end - offset])
    return sparse.vstack(parts, format="csr") if len(parts) > 1 else parts[0]


def image_vectors(regions: Iterable[Regions]) -> tuple[np.ndarray, np.ndarray]:
    """Mean region features of length 1 [N, F], and roots of the mean class distributions [N, C], both float32.

    The inner product of two rows of the first is their cosine; of the second the Bhattacharyya coefficient, which is 1
    where both images show the same objects in the same shares and 0 where they have none in common.
    """
    features, classes = [], []
    for each in regions:
        mean = each.features.mean(axis=0)
        features.append(mean / max(float(np.linalg.norm(mean)), 1e-12))
        shares = each.class_probabilities.mean(axis=0)
        classes.append(np.sqrt(shares / max(float(shares.sum()), 1e-12)))
    return np.asarray(features, np.float32), np.asarray(classes, np.float32)
