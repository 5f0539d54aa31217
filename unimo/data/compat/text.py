"""The original's reader of labelled texts: classification and regression."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from unimo.data.batch import collate
from unimo.data.compat.arrays import Arrays, sentence_ids, text_arrays
from unimo.data.compat.order import BatchRule, shuffled_by_epoch
from unimo.data.compat.reader import ExampleReader
from unimo.data.examples import Example, Vocabulary


class TextReader(ExampleReader):
    """Shuffled by the number of the epoch when training."""

    def __init__(
        self,
        examples: Sequence[Example],
        vocabulary: Vocabulary,
        rule: BatchRule,
        train: bool = True,
        query_ids: Sequence[int | None] = (),
    ) -> None:
        super().__init__(examples, vocabulary, rule)
        self._train = train
        self._query_ids = query_ids or [None] * len(examples)

    def order_of(self, epoch: int) -> Sequence[int]:
        """Shuffled, or as the file has it."""
        return shuffled_by_epoch(len(self), epoch) if self._train else range(len(self))

    def arrays(self, indices: Sequence[int], epoch: int) -> Arrays:
        """Without a query id in the first record, those of a batch are empty."""
        chosen = self.examples(indices, epoch)
        batch = collate(chosen, self.vocabulary.pad_id)
        assert batch.labels is not None
        ids = [self._query_ids[index] for index in indices]
        dtype = np.int64 if batch.labels.dtype.kind == "i" else np.float32
        return {
            **text_arrays(batch, sentence_ids(chosen, self.vocabulary)),
            "labels": batch.labels.astype(dtype)[:, None],
            "qids": np.asarray([] if ids[0] is None else ids, np.int64).reshape(-1, 1),
        }
