"""The original's reader of caption lines: files one by one, with the remainder that it carries and forgets to drop."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from unimo.data.batch import collate
from unimo.data.compat.arrays import (
    Arrays,
    beside,
    decoding_arrays,
    dense_mask,
    image_arrays,
    image_batch,
    single_sentence_ids,
    target_arrays,
)
from unimo.data.compat.order import consecutive, in_files, shuffled_within_files
from unimo.data.compat.reader import OriginalReader, Pairs
from unimo.data.examples import Example
from unimo.data.generation_examples import FIRST_POSITION, with_object_tags

BUFFER = 1000
"""Records that are read before they are shuffled."""


class CaptionReader(OriginalReader):
    """Image, object tags and caption; the records of a file are shuffled by 1,000 when training."""

    def __init__(
        self,
        pairs: Pairs,
        tags: Sequence[Sequence[int]],
        image_numbers: Sequence[int],
        file_sizes: Sequence[int],
        seed: int | None = None,
    ) -> None:
        """Tags and numbers are those of every line's image; ``seed``: of the shuffles, None is evaluation."""
        self._pairs, self._tags, self._image_numbers = pairs, tags, image_numbers
        self._file_sizes, self._seed = file_sizes, seed

    def __len__(self) -> int:
        return len(self._pairs)

    def batches_of(self, epoch: int) -> list[list[int]]:
        """Batches within a file; what is left of it begins the next file's first batch.

        The original empties that remainder only when it puts another in its place, so that a file whose records fill
        its batches exactly leaves the old one, and its records come again. When training, the last is dropped.
        """
        train = self._seed is not None
        files = in_files(self._file_sizes)
        if self._seed is not None:
            files = shuffled_within_files(self._file_sizes, epoch, self._seed, BUFFER)
        batches: list[list[int]] = []
        remainder: list[int] = []
        for file in files:
            cut = consecutive([*remainder, *file], self._pairs.rule.size)
            if cut and len(cut[-1]) < self._pairs.rule.size:
                remainder = cut.pop()
            batches += cut
        return [*batches, remainder] if remainder and not train else batches

    def examples(self, indices: Sequence[int], epoch: int) -> list[Example]:
        """The sequences as they are trained: tags and caption side by side."""
        return [with_object_tags(self._pairs.example(index), self._tags[index]) for index in indices]

    def arrays(self, indices: Sequence[int], epoch: int) -> Arrays:
        """Image, tags and caption, each padded by itself; targets are counted in the captions alone."""
        pad_id = self._pairs.vocabulary.pad_id
        image = image_batch(self.examples(indices, epoch), pad_id)
        tags = collate([with_object_tags(Example(""), self._tags[index]) for index in indices], pad_id)
        named_tags = {
            "obj_ids": tags.input_ids,
            "obj_sent_ids": single_sentence_ids(tags),
            "obj_pos_ids": tags.position_ids,
        }
        if self._pairs.texts[indices[0]].token_ids is None:
            mask = dense_mask(*beside([image, tags]))
            numbers = np.asarray([self._image_numbers[index] for index in indices], np.int32)
            decoding = decoding_arrays(mask, self._pairs.vocabulary.cls_id, [FIRST_POSITION] * len(indices))
            return {
                **image_arrays(image),
                "input_mask": mask,
                "image_id": numbers[:, None],
                **_columns(named_tags),
                **decoding,
            }
        text = collate([self._pairs.texts[index] for index in indices], pad_id)
        named_text = {
            "token_ids": text.input_ids,
            "sent_ids": single_sentence_ids(text),
            "pos_ids": text.position_ids,
        }
        return {
            **image_arrays(image),
            "input_mask": dense_mask(*beside([image, tags, text])),
            "image_mask": (image.segment_ids > 0).astype(np.float32)[..., None],
            "token_mask": (text.segment_ids > 0).astype(np.float32)[..., None],
            **_columns(named_tags | named_text),
            **target_arrays(text),
        }


def _columns(arrays: dict[str, np.ndarray | None]) -> Arrays:
    return {name: array[..., None] for name, array in arrays.items() if array is not None}
