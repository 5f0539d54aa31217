"""Contrastive learning's sequences: image-text pairs with all that they are contrasted with, in one batch.

A sequence holds an image with a text that reads it (joint), or an image or a text alone, as retrieved ones are
encoded. All sequences of a step are one forward, several short ones in a row without seeing each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from unimo.data.batch import Batch, CandidateIndex, collate
from unimo.data.examples import Example, RegionInput, Vocabulary, text_example, with_regions
from unimo.data.packing import level_batch
from unimo.data.records import CaptionRecord

Array = np.ndarray


@dataclass(frozen=True)
class PairCandidates:
    """One image with its text (token ids), and the sets X+, X-, X^I and X^T of the paper's equation (1)."""

    image: RegionInput
    text: Sequence[int]
    positives: Sequence[Sequence[int]] = ()
    negatives: Sequence[Sequence[int]] = ()
    retrieved_images: Sequence[RegionInput] = ()
    retrieved_texts: Sequence[Sequence[int]] = ()


def is_wrong(record: CaptionRecord, other: CaptionRecord, text: str) -> bool:
    """Whether another record's caption is false of a record's image, as far as is known."""
    related = other.image_id == record.image_id or other.image_id in record.also_true
    return not related and record.image_id not in other.also_true and text not in record.captions


def wrong_texts(pairs: Sequence[tuple[CaptionRecord, str]]) -> Array:
    """[P, P] bool: whether the caption of the pair in a column is false of the image of the one in a row."""
    found = [[is_wrong(record, other, text) for other, text in pairs] for record, _ in pairs]
    return np.asarray(found, bool).reshape(len(pairs), len(pairs))


def contrastive_batch(
    pairs: Sequence[PairCandidates], vocabulary: Vocabulary, max_length: int, wrong: Array | None = None
) -> Batch:
    """One batch of all candidates of some pairs; its ``candidates`` say how they are scored.

    Args:
        pairs: P pairs.
        vocabulary: special ids.
        max_length: longest text, special tokens included.
        wrong: [P, P] of :func:`wrong_texts`, which lets every image read the other pairs' texts that are false of it: a
            wrong caption of the one, and a wrong image of the other (ours; the paper's negatives come from rewriting
            alone).
    """
    sequences = _Sequences(vocabulary, max_length)
    originals = [sequences.joint(pair.image, pair.text) for pair in pairs]
    candidates = [
        [(number, number, True), *_of_pair(sequences, pair, number)]
        for pair, number in zip(pairs, originals, strict=True)
    ]
    for number, other in [] if wrong is None else np.argwhere(wrong).tolist():
        sequence = sequences.joint(pairs[number].image, pairs[other].text)
        candidates[number].append((sequence, sequence, False))
        candidates[other].append((sequence, sequence, False))
    return replace(sequences.collate(), candidates=_index(candidates))


def apart_batch(
    pairs: Sequence[tuple[RegionInput, Sequence[int]]], vocabulary: Vocabulary, max_length: int, wrong: Array
) -> Batch:
    """Images and texts, each encoded alone, one of each a row; the n-th text belongs to the n-th image.

    ``wrong`` [P, P] of :func:`wrong_texts`: what each image's text has to be told from (``candidates``).
    """
    examples = [with_regions(text_example("", [text], vocabulary, max_length), image) for image, text in pairs]
    batch = collate(examples, vocabulary.pad_id)
    assert batch.region_features is not None
    segments = batch.segment_ids.copy()
    segments[:, batch.region_features.shape[1] :] *= 2
    own = np.eye(len(pairs), dtype=bool)
    images, texts = np.indices(own.shape)
    return replace(batch, segment_ids=segments, candidates=CandidateIndex(texts, images, own, own | wrong))


_Candidate = tuple[int, int, bool]  # sequence of the text, sequence of the image, whether it is a positive


class _Sequences:
    """Sequences in the making."""

    def __init__(self, vocabulary: Vocabulary, max_length: int) -> None:
        self.vocabulary, self.max_length = vocabulary, max_length
        self.examples: list[Example] = []

    def joint(self, image: RegionInput, text: Sequence[int]) -> int:
        """An image with a text, which see each other; the sequence's number."""
        return self._add(with_regions(self._text(text), image))

    def image(self, image: RegionInput) -> int:
        """An image alone."""
        return self._add(Example("", regions=image))

    def text(self, text: Sequence[int]) -> int:
        """A text alone."""
        return self._add(self._text(text))

    def collate(self) -> Batch:
        """All of them in rows; the starts of what a sequence does not have point somewhere, and nobody asks them."""
        batch = level_batch(self.examples, self.vocabulary.pad_id)
        assert batch.text_starts is not None and batch.image_starts is not None
        last = batch.num_positions - 1
        starts = {name: np.minimum(getattr(batch, name), last) for name in ("text_starts", "image_starts")}
        return replace(batch, **starts)

    def _text(self, ids: Sequence[int]) -> Example:
        return text_example("", [ids], self.vocabulary, self.max_length)

    def _add(self, example: Example) -> int:
        self.examples.append(example)
        return len(self.examples) - 1


def _of_pair(sequences: _Sequences, pair: PairCandidates, original: int) -> list[_Candidate]:
    """Rewritten texts read the image; retrieved images are scored with the original's text, texts with its image."""
    positives = [sequences.joint(pair.image, text) for text in pair.positives]
    negatives = [sequences.joint(pair.image, text) for text in pair.negatives]
    found = [(number, number, True) for number in positives] + [(number, number, False) for number in negatives]
    found += [(original, sequences.image(image), True) for image in pair.retrieved_images]
    return found + [(sequences.text(text), original, True) for text in pair.retrieved_texts]


def _index(candidates: Sequence[Sequence[_Candidate]]) -> CandidateIndex:
    shape = (len(candidates), max(map(len, candidates)))
    texts, images = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    positives, valid = np.zeros(shape, bool), np.zeros(shape, bool)
    for number, row in enumerate(candidates):
        count = len(row)
        texts[number, :count], images[number, :count], positives[number, :count] = zip(*row, strict=True)
        valid[number, :count] = True
    return CandidateIndex(texts, images, positives, valid)
