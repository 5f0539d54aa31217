"""Scores of all images against all texts, each pair encoded jointly: by the matching head or by likelihood."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import numpy as np
import paddle

from unimo.data.batch import Batch, collate
from unimo.data.examples import Example, RegionInput, Vocabulary, text_example
from unimo.data.generation_examples import generation_example
from unimo.data.sampling import sequential_batches
from unimo.modeling import SCORING_HEADS, UnimoModel, gather_rows
from unimo.modeling.tensors import as_tensor
from unimo.objectives import token_log_probabilities
from unimo.training.distributed import ProcessGroup
from unimo.training.task import model_inputs

Scorer = Literal["match", "likelihood"]
HEADS: Mapping[Scorer, tuple[str, ...]] = {"match": SCORING_HEADS, "likelihood": ("masked_language",)}
"""Scorer -> the heads of which it needs one."""


def has_head(model: UnimoModel, scorer: Scorer) -> bool:
    """Whether a model can score so."""
    return any(head in model.head_sizes for head in HEADS[scorer])


def score_matrix(
    model: UnimoModel,
    images: Sequence[RegionInput],
    texts: Sequence[Sequence[int]],
    scorer: Scorer,
    vocabulary: Vocabulary,
    tokens_per_batch: int,
    processes: ProcessGroup | None = None,
    max_text_length: int = 512,
) -> np.ndarray:
    """[I, W] scores, higher is a better match.

    Args:
        model: in evaluation mode, with the heads that the scorer needs.
        images: I images.
        texts: W token id sequences without special tokens.
        scorer: `match` is the matching head; `likelihood` the mean log-probability of the caption's tokens given the
            image.
        vocabulary: special ids.
        tokens_per_batch: positions of one forward, padding included.
        processes: among whom the blocks are shared out.
        max_text_length: longer texts, special tokens counted, are cut.
    """
    score = _match_scores if scorer == "match" else _likelihood_scores
    scores = np.zeros((len(images), len(texts)), np.float32)
    text_rows = [_text_row(ids, scorer, vocabulary, max_text_length) for ids in texts]

    def compute(block: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        chosen_images, chosen_texts = [images[index] for index in block[0]], [text_rows[index] for index in block[1]]
        pairs = all_pairs(len(chosen_images), len(chosen_texts))
        return score(model, pair_batch(chosen_images, chosen_texts, *pairs, vocabulary.pad_id))

    blocks = list(_pair_blocks(images, text_rows, tokens_per_batch))
    with paddle.no_grad():
        for (image_index, text_index), found in zip(
            blocks, (processes or ProcessGroup()).map(compute, blocks), strict=True
        ):
            scores[np.ix_(image_index, text_index)] = found.reshape(len(image_index), -1)
    return scores


def score_pairs(
    model: UnimoModel,
    images: Sequence[RegionInput],
    texts: Sequence[Sequence[int]],
    image_index: np.ndarray,
    scorer: Scorer,
    vocabulary: Vocabulary,
    tokens_per_batch: int,
    max_text_length: int = 512,
) -> np.ndarray:
    """[W] scores of every text with one image each; arguments as of :func:`score_matrix`.

    ``image_index`` [W] names the image of each text.
    """
    score = _match_scores if scorer == "match" else _likelihood_scores
    scores = np.zeros(len(texts), np.float32)
    if not len(texts):
        return scores
    rows = [_text_row(ids, scorer, vocabulary, max_text_length) for ids in texts]
    lengths = [row.num_tokens + len(images[image].features) for row, image in zip(rows, image_index, strict=True)]
    with paddle.no_grad():
        for indices in sequential_batches(lengths, tokens_per_batch):
            used, local = np.unique(image_index[indices], return_inverse=True)
            given = [images[image] for image in used], [rows[index] for index in indices]
            batch = pair_batch(*given, local, np.arange(len(indices)), vocabulary.pad_id)
            scores[indices] = score(model, batch)
    return scores


def pair_batch(
    images: Sequence[RegionInput],
    texts: Sequence[Example],
    image_index: np.ndarray,
    text_index: np.ndarray,
    pad_id: int,
) -> Batch:
    """The batch of N pairs (image_index[n], text_index[n]): both sides are padded once and gathered by index."""
    image_side = collate([Example("", regions=image) for image in images], pad_id)
    text_side = collate(texts, pad_id)
    return Batch(
        record_ids=(),
        segment_ids=np.concatenate([image_side.segment_ids[image_index], text_side.segment_ids[text_index]], axis=1),
        order_ids=np.concatenate([image_side.order_ids[image_index], text_side.order_ids[text_index]], axis=1),
        input_ids=_rows(text_side.input_ids, text_index),
        position_ids=_rows(text_side.position_ids, text_index),
        region_features=_rows(image_side.region_features, image_index),
        region_locations=_rows(image_side.region_locations, image_index),
    )


def all_pairs(num_images: int, num_texts: int) -> tuple[np.ndarray, np.ndarray]:
    """Index arrays [I * W] of every pair, image-major."""
    return np.repeat(np.arange(num_images), num_texts), np.tile(np.arange(num_texts), num_images)


def _rows(array: np.ndarray | None, index: np.ndarray) -> np.ndarray:
    assert array is not None
    return array[index]


def _text_row(ids: Sequence[int], scorer: Scorer, vocabulary: Vocabulary, max_length: int = 512) -> Example:
    if scorer == "match":
        return text_example("", [ids], vocabulary, max_length)
    return generation_example("", (), ids, vocabulary, end_id=vocabulary.sep_id, max_target_length=max_length)


def _pair_blocks(
    images: Sequence[RegionInput], texts: Sequence[Example], tokens_per_batch: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Blocks of images x texts of similar length that fit the budget, by their numbers."""
    image_order = np.argsort([len(image.features) for image in images], kind="stable")
    text_order = np.argsort([text.num_tokens for text in texts], kind="stable")
    text_block = min(64, len(texts))
    for text_start in range(0, len(texts), text_block):
        chosen_texts = text_order[text_start : text_start + text_block]
        longest_text = max(texts[index].num_tokens for index in chosen_texts)
        longest_image = max(len(image.features) for image in images)
        image_block = max(1, tokens_per_batch // ((longest_text + longest_image) * len(chosen_texts)))
        for image_start in range(0, len(images), image_block):
            yield image_order[image_start : image_start + image_block], chosen_texts


def _match_scores(model: UnimoModel, batch: Batch) -> np.ndarray:
    inputs = model_inputs(batch)
    return model.match(model(inputs), inputs).numpy()


def _likelihood_scores(model: UnimoModel, batch: Batch) -> np.ndarray:
    """Mean log-probability of each row's tokens after [CLS]."""
    assert batch.input_ids is not None and batch.region_features is not None
    num_regions, length = batch.region_features.shape[1], batch.segment_ids.shape[1]
    present = batch.segment_ids[:, num_regions:] > 0
    rows, positions = np.nonzero(present[:, 1:])  # the token at position + 1 is predicted at position
    hidden = model(model_inputs(batch))
    states = gather_rows(hidden, as_tensor(rows * length + num_regions + positions))
    labels = as_tensor(batch.input_ids[rows, positions + 1])
    log_probabilities = token_log_probabilities(model.language_logits(states), labels).numpy()
    totals = np.bincount(rows, weights=log_probabilities, minlength=len(present))
    return (totals / present[:, 1:].sum(axis=1)).astype(np.float32)
