"""Contrastive learning's sequences: image-text pairs with all that they are contrasted with, in one batch.

A row either holds an image with a text that reads it (joint), or an image and a text that do not see each other
(apart), so that retrieved images and texts, which are encoded alone, share rows and the whole step is one forward.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from unimo.data.batch import Batch, CandidateIndex, collate
from unimo.data.examples import Example, RegionInput, Vocabulary, text_example, with_regions


@dataclass(frozen=True)
class PairCandidates:
    """One image with its text (token ids), and the sets X+, X-, X^I and X^T of the paper's equation (1)."""

    image: RegionInput
    text: Sequence[int]
    positives: Sequence[Sequence[int]] = ()
    negatives: Sequence[Sequence[int]] = ()
    retrieved_images: Sequence[RegionInput] = ()
    retrieved_texts: Sequence[Sequence[int]] = ()


def contrastive_batch(
    pairs: Sequence[PairCandidates], vocabulary: Vocabulary, max_length: int, in_batch: bool = False
) -> Batch:
    """One batch of all candidates of some pairs; its ``candidates`` say how they are scored.

    Args:
        pairs: P pairs.
        vocabulary: special ids.
        max_length: longest text, special tokens included.
        in_batch: let every image read every other pair's text too: a wrong caption of the one, and a wrong image of
            the other (ours; the paper's negatives come from rewriting alone).
    """
    rows = _Rows(vocabulary, max_length)
    originals = [rows.joint(pair.image, pair.text) for pair in pairs]
    candidates = [[(row, row, True), *_of_pair(rows, pair, row)] for pair, row in zip(pairs, originals, strict=True)]
    if in_batch:
        for number, pair in enumerate(pairs):
            for other, wrong in enumerate(pairs):
                if other != number:
                    row = rows.joint(pair.image, wrong.text)
                    candidates[number].append((row, row, False))
                    candidates[other].append((row, row, False))
    return replace(rows.collate(), candidates=_index(candidates))


def apart_batch(pairs: Sequence[tuple[RegionInput, Sequence[int]]], vocabulary: Vocabulary, max_length: int) -> Batch:
    """Images and texts, each encoded alone, one of each a row; the n-th text belongs to the n-th image."""
    rows = _Rows(vocabulary, max_length)
    for image, text in pairs:
        rows.apart(image, text)
    return rows.collate()


_Candidate = tuple[int, int, bool]  # row of the text, row of the image, whether it is a positive


class _Rows:
    """Rows in the making."""

    def __init__(self, vocabulary: Vocabulary, max_length: int) -> None:
        self.vocabulary, self.max_length = vocabulary, max_length
        self.examples: list[Example] = []
        self.split: list[bool] = []

    def joint(self, image: RegionInput, text: Sequence[int]) -> int:
        """A row in which image and text see each other; its number."""
        return self._add(with_regions(self._text(text), image), split=False)

    def apart(self, image: RegionInput | None, text: Sequence[int] | None) -> int:
        """A row in which they do not; either may be absent."""
        example = Example("") if text is None else self._text(text)
        return self._add(example if image is None else with_regions(example, image), split=True)

    def collate(self) -> Batch:
        batch = collate(self.examples, self.vocabulary.pad_id)
        num_regions = 0 if batch.region_features is None else batch.region_features.shape[1]
        segments = batch.segment_ids.copy()
        segments[:, num_regions:] *= np.where(self.split, 2, 1)[:, None]
        return replace(batch, segment_ids=segments)

    def _text(self, ids: Sequence[int]) -> Example:
        return text_example("", [ids], self.vocabulary, self.max_length)

    def _add(self, example: Example, split: bool) -> int:
        self.examples.append(example)
        self.split.append(split)
        return len(self.examples) - 1


def _of_pair(rows: _Rows, pair: PairCandidates, original: int) -> list[_Candidate]:
    """Rewritten texts read the image; retrieved images are scored with the original's text, texts with its image."""
    found = [(row, row, True) for row in (rows.joint(pair.image, text) for text in pair.positives)]
    found += [(row, row, False) for row in (rows.joint(pair.image, text) for text in pair.negatives)]
    images, texts = list(pair.retrieved_images), list(pair.retrieved_texts)
    for number in range(max(len(images), len(texts))):
        image = images[number] if number < len(images) else None
        text = texts[number] if number < len(texts) else None
        row = rows.apart(image, text)
        found += [(original, row, True)] if image is not None else []
        found += [(row, original, True)] if text is not None else []
    return found


def _index(candidates: Sequence[Sequence[_Candidate]]) -> CandidateIndex:
    shape = (len(candidates), max(map(len, candidates)))
    text_rows, image_rows = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    positives, valid = np.zeros(shape, bool), np.zeros(shape, bool)
    for number, row in enumerate(candidates):
        count = len(row)
        text_rows[number, :count], image_rows[number, :count], positives[number, :count] = zip(*row, strict=True)
        valid[number, :count] = True
    return CandidateIndex(text_rows, image_rows, positives, valid)
