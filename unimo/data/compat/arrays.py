"""What the original fed to its graphs, named as it named it (ORIGINAL section 11), from our batches.

Shapes: B batch, T text, R regions, L = R + T. Ids are [B, T, 1] int64, padded with 1 whatever they count.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from unimo.data.batch import Batch, collate
from unimo.data.examples import Example, Vocabulary

Array = np.ndarray
Arrays = dict[str, Array]


def dense_mask(segment_ids: Array, order_ids: Array) -> Array:
    """Who may attend to whom: [B, L], [B, L] -> [B, L, L] float32, 1 = attend."""
    queries, keys = segment_ids[:, :, None], segment_ids[:, None, :]
    seen = (queries == keys) & (keys > 0) & (order_ids[:, None, :] <= order_ids[:, :, None])
    return seen.astype(np.float32)


def text_arrays(batch: Batch, sentence_ids: Array, image: bool = False) -> Arrays:
    """The tokens of a batch; with ``image`` in the order of the graphs that read one."""
    assert batch.input_ids is not None and batch.position_ids is not None
    sentences = {"sent_ids": sentence_ids[..., None]}
    positions = {"pos_ids": batch.position_ids[..., None]}
    numbers = positions | sentences if image else sentences | positions
    mask = dense_mask(batch.segment_ids, batch.order_ids)
    return {"src_ids": batch.input_ids[..., None], **numbers, "input_mask": mask}


def image_arrays(batch: Batch) -> Arrays:
    """The regions of a batch."""
    assert batch.region_features is not None and batch.region_locations is not None
    return {"image_embedding": batch.region_features, "image_loc": batch.region_locations}


def valid_masks(batch: Batch) -> Arrays:
    """Which regions and tokens are no padding: [B, R, 1] and [B, T, 1] float32."""
    assert batch.region_features is not None
    valid = (batch.segment_ids > 0).astype(np.float32)[..., None]
    num_regions = batch.region_features.shape[1]
    return {"image_mask": valid[:, :num_regions], "token_mask": valid[:, num_regions:]}


def sentence_ids(examples: Sequence[Example], vocabulary: Vocabulary, target_id: int = 1) -> Array:
    """[B, T] int64: the number of each token's sentence, counted by [SEP]; targets have ``target_id``, padding 1."""
    longest = max(example.num_tokens for example in examples)
    numbers = np.ones((len(examples), longest), np.int64)
    for row, example in enumerate(examples):
        assert example.token_ids is not None and example.order_ids is not None
        ends = np.cumsum(example.token_ids == vocabulary.sep_id)
        before = np.concatenate([[0], ends[:-1]])
        numbers[row, : example.num_tokens] = np.where(example.order_ids > 0, target_id, before)
    return numbers


def single_sentence_ids(batch: Batch) -> Array:
    """[B, T] int64 of texts of one sentence: 0, and 1 where there is padding."""
    assert batch.input_ids is not None
    return (batch.segment_ids[:, -batch.input_ids.shape[1] :] == 0).astype(np.int64)


def dialogue_ids(examples: Sequence[Example]) -> Arrays:
    """Roles and turns, [B, T, 1]."""
    longest = max(example.num_tokens for example in examples)
    arrays = {name: np.ones((len(examples), longest, 1), np.int64) for name in ("role_ids", "turn_ids")}
    for row, example in enumerate(examples):
        for name, array in arrays.items():
            array[row, : example.num_tokens, 0] = getattr(example, name)
    return arrays


def target_arrays(batch: Batch) -> Arrays:
    """Tokens to predict and their rows of the flat [B * L] sequence, [N, 1] each."""
    assert batch.token_labels is not None and batch.token_rows is not None
    return {"tgt_labels": batch.token_labels[:, None], "tgt_pos": batch.token_rows[:, None]}


def decoding_arrays(mask: Array, start_id: int, first_positions: Sequence[int]) -> Arrays:
    """What beam search starts from: one beam of one token a source; ``mask`` [B, L, L] is of the sources."""
    size = len(mask)
    return {
        "tgt_ids": np.full((size, 1, 1), start_id, np.int64),
        "tgt_pos": np.asarray(first_positions, np.int64).reshape(size, 1, 1),
        "init_scores": np.zeros((size, 1), np.float32),
        "parent_idx": np.arange(size, dtype=np.int32),
        "tgt_input_mask": mask[:, :1],
    }


def beside(batches: Sequence[Batch]) -> tuple[Array, Array]:
    """Segment and order ids [B, L] of several parts of the same examples, each padded by itself, one after another."""
    return (
        np.concatenate([batch.segment_ids for batch in batches], axis=1),
        np.concatenate([batch.order_ids for batch in batches], axis=1),
    )


def image_batch(examples: Sequence[Example], pad_id: int) -> Batch:
    """The regions of examples alone."""
    return collate([Example(each.record_id, regions=each.regions) for each in examples], pad_id)
