"""The original's reader of visual entailment lines: no batch spans two files."""

from __future__ import annotations

from collections.abc import Sequence

from unimo.data.batch import collate
from unimo.data.compat.arrays import Arrays, image_arrays, single_sentence_ids, text_arrays, valid_masks
from unimo.data.compat.order import consecutive, in_files, shuffled_within_files
from unimo.data.compat.reader import OriginalReader, Pairs
from unimo.data.examples import Example


class EntailmentReader(OriginalReader):
    """Image and sentence; the original shuffles a file's records without a seed, in evaluation as well."""

    def __init__(self, pairs: Pairs, file_sizes: Sequence[int], seed: int | None = None) -> None:
        """The texts have labels; ``seed``: of the shuffles, None keeps the files' order."""
        self._pairs, self._file_sizes, self._seed = pairs, file_sizes, seed

    def __len__(self) -> int:
        return len(self._pairs)

    def batches_of(self, epoch: int) -> list[list[int]]:
        """Batches within each file."""
        files = in_files(self._file_sizes)
        if self._seed is not None:
            files = shuffled_within_files(self._file_sizes, epoch, self._seed)
        return [batch for file in files for batch in consecutive(file, self._pairs.rule.size)]

    def examples(self, indices: Sequence[int], epoch: int) -> list[Example]:
        """`[IMG] regions [CLS] sentence [SEP]`."""
        return [self._pairs.example(index) for index in indices]

    def arrays(self, indices: Sequence[int], epoch: int) -> Arrays:
        """Text before image, masks between them."""
        batch = collate(self.examples(indices, epoch), self._pairs.vocabulary.pad_id)
        assert batch.labels is not None
        return {
            **text_arrays(batch, single_sentence_ids(batch), image=True),
            **valid_masks(batch),
            **image_arrays(batch),
            "labels": batch.labels[:, None],
        }
