"""The original's reader of sequence-to-sequence tables: how it cuts texts, and its batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unimo.data.batch import collate
from unimo.data.compat.arrays import (
    Arrays,
    decoding_arrays,
    dialogue_ids,
    sentence_ids,
    target_arrays,
    text_arrays,
)
from unimo.data.compat.order import BatchRule, shuffled_again
from unimo.data.compat.reader import ExampleReader
from unimo.data.examples import Example, Vocabulary
from unimo.data.generation_examples import FIRST_POSITION


@dataclass(frozen=True)
class Limits:
    """The original's lengths, special tokens included."""

    max_source_length: int
    """Of every source, or, where positions are counted through, of all sources together."""

    max_target_length: int
    """Of the target."""

    continuous_positions: bool = False
    """Whether positions are counted through."""


def cut_sources(sources: Sequence[Sequence[int]], limits: Limits) -> list[list[int]]:
    """Each source cut to ``max_source_length - 1`` tokens with its [SEP]; counted through, to what the others leave.

    So several sources together may exceed the limit where positions restart.
    """
    room, kept = limits.max_source_length - 1, []
    for source in sources:
        if room < 1:  # nothing of it fits, not even its [SEP]
            break
        cut = list(source[: room - 1])
        kept.append(cut)
        if limits.continuous_positions:
            room -= len(cut) + 1
    return kept


def cut_target(target: Sequence[int], end_id: int, limits: Limits) -> tuple[list[int], int]:
    """The target's tokens and the one that ends it: a cut target has no end token, its last own token stands there."""
    tokens = [*target, end_id][: limits.max_target_length - 1]
    return tokens[:-1], tokens[-1]


class GenerationReader(ExampleReader):
    """One list, shuffled again each epoch when training; given texts alone when decoding."""

    def __init__(
        self,
        examples: Sequence[Example],
        vocabulary: Vocabulary,
        rule: BatchRule,
        seed: int | None = None,
        continuous_positions: bool = False,
        target_sentence_id: int = 1,
    ) -> None:
        """``seed``: of the shuffles; None keeps the file's order. ``examples`` without targets are for decoding."""
        super().__init__(examples, vocabulary, rule)
        self._seed = seed
        self._continuous, self._target_sentence_id = continuous_positions, target_sentence_id

    def order_of(self, epoch: int) -> Sequence[int]:
        """Shuffled, or as the file has it."""
        return range(len(self)) if self._seed is None else shuffled_again(len(self), epoch, self._seed)

    def arrays(self, indices: Sequence[int], epoch: int) -> Arrays:
        """Training arrays, or those of decoding, whose first position is 2 too low when counted through."""
        chosen = self.examples(indices, epoch)
        batch = collate(chosen, self.vocabulary.pad_id)
        arrays = text_arrays(batch, sentence_ids(chosen, self.vocabulary, self._target_sentence_id))
        if batch.role_ids is not None:
            del arrays["sent_ids"]
            arrays = {"src_ids": arrays.pop("src_ids"), **dialogue_ids(chosen), **arrays}
        if batch.token_rows is not None:
            return arrays | target_arrays(batch)
        first = [example.num_tokens if self._continuous else FIRST_POSITION for example in chosen]
        decoding = decoding_arrays(arrays["input_mask"], self.vocabulary.cls_id, first)
        return arrays | decoding | {"data_ids": np.asarray(indices, np.int64)[:, None]}
