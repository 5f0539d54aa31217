"""Images and texts encoded alone by a model with the `dual` head, and two-stage retrieval with them.

The first stage ranks by the cosine of the pooled vectors; the second reads the k best jointly, and those only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import paddle

from unimo.data.batch import Batch, collate
from unimo.data.examples import Example, RegionInput, text_example
from unimo.data.sampling import sequential_batches
from unimo.errors import InputError
from unimo.metrics.retrieval import recall_at
from unimo.modeling import UnimoModel
from unimo.modeling.tensors import as_tensor
from unimo.objectives import two_way_loss
from unimo.tasks.pair_scoring import HEADS, Scorer, has_head, score_pairs
from unimo.training.task import TaskContext, model_inputs

Array = np.ndarray
WAYS = ("text_to_image", "image_to_text")


def dual_loss(model: UnimoModel, batch: Batch) -> paddle.Tensor:
    """Images and texts encoded alone, told apart within the batch."""
    inputs = model_inputs(batch)
    hidden = model(inputs)
    text, image = model.pool_text(hidden, inputs), model.pool_image(hidden)
    assert batch.candidates is not None
    valid = as_tensor(batch.candidates.valid)
    return two_way_loss(model.heads["dual"](text.unsqueeze(0), image.unsqueeze(1)), valid)


def require_dual(model: UnimoModel, source: object) -> None:
    """Refuse a model that never learned to encode images and texts alone.

    Raises:
        InputError: naming the options that train it.
    """
    if "dual" not in model.head_sizes:
        raise InputError(
            f"{source}: no head `dual`, so images and texts encoded alone cannot be compared; train it with "
            "options.contrastive.dual_pairs of the task pretraining, or options.dual_pairs of the task retrieval"
        )


def encode_images(context: TaskContext, model: UnimoModel, images: Sequence[RegionInput]) -> Array:
    """[I, D] unit vectors of images read alone."""
    return _encode(context, model, [Example("", regions=image) for image in images])


def encode_texts(context: TaskContext, model: UnimoModel, texts: Sequence[Sequence[int]]) -> Array:
    """[W, D] unit vectors of texts (token ids without special tokens) read alone."""
    limit = context.data.max_text_length
    return _encode(context, model, [text_example("", [ids], context.vocabulary, limit) for ids in texts])


def _encode(context: TaskContext, model: UnimoModel, examples: Sequence[Example]) -> Array:
    def compute(indices: list[int]) -> Array:
        batch = collate([examples[index] for index in indices], context.vocabulary.pad_id)
        inputs = model_inputs(batch)
        hidden = model(inputs)
        return (model.pool_image(hidden) if batch.input_ids is None else model.pool_text(hidden, inputs)).numpy()

    vectors = np.zeros((len(examples), model.config.hidden_size), np.float32)
    if not examples:
        return vectors
    lengths = [example.num_regions + example.num_tokens for example in examples]
    batches = sequential_batches(lengths, context.data.tokens_per_batch)
    with paddle.no_grad():
        for indices, found in zip(batches, context.processes.map(compute, batches), strict=True):
            vectors[indices] = found
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.float32(1e-8))


@dataclass(frozen=True)
class TwoStage:
    """Recall of two-stage search with k candidates, and what it costs."""

    k: int
    recall: Mapping[str, Mapping[str, float]]
    """Way -> {"r1": ..., "r5": ..., "r10": ...}."""

    passes: Mapping[str, int]
    """Way -> pairs that were read jointly."""

    pairs_read: int
    """Pairs that both ways together read; those that both want are read once."""


def candidates(cosines: Array, k: int) -> Array:
    """[Q, N] bool: each row's k largest; of equal ones the earlier."""
    chosen = np.zeros(cosines.shape, bool)
    order = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
    np.put_along_axis(chosen, order, True, axis=1)
    return chosen


def two_stage_ranking(cosines: Array, joint: Array, chosen: Array) -> Array:
    """[Q, N] values that rank the chosen by their joint score, and all others behind them by their cosine."""
    behind = float(joint[chosen].min(initial=0.0)) - 3.0  # cosines are at most 1
    return np.where(chosen, joint.astype(np.float64), behind + cosines.astype(np.float64))


def two_stage_curve(
    cosines: Array, relevant: Array, ks: Sequence[int], score: Callable[[Array], Array]
) -> list[TwoStage]:
    """Two-stage retrieval by k, in both directions; a pair is read jointly once, for the largest k.

    Args:
        cosines: [I, W] of images and texts encoded alone.
        relevant: [I, W] bool, the text is true of the image.
        ks: numbers of candidates.
        score: [I, W] bool, which pairs -> [I, W] joint scores; what is not asked for is not looked at.
    """
    largest = max(ks)
    joint = score(candidates(cosines.T, largest).T | candidates(cosines, largest))
    rows = {"text_to_image": (cosines.T, joint.T, relevant.T), "image_to_text": (cosines, joint, relevant)}
    curve = []
    for k in ks:
        recall, passes, read = {}, {}, np.zeros(relevant.shape, bool)
        for way, (first, second, truth) in rows.items():
            chosen = candidates(first, k)
            recall[way], passes[way] = recall_at(two_stage_ranking(first, second, chosen), truth), int(chosen.sum())
            read |= chosen.T if way == "text_to_image" else chosen
        curve.append(TwoStage(k, recall, passes, int(read.sum())))
    return curve


def joint_scorer(
    context: TaskContext,
    model: UnimoModel,
    images: Sequence[RegionInput],
    texts: Sequence[Sequence[int]],
    scorer: Scorer,
) -> Callable[[Array], Array]:
    """Scores by the joint encoder of the pairs that are asked for, as [I, W]."""

    def score(wanted: Array) -> Array:
        scores = np.zeros(wanted.shape, np.float32)
        columns, rows = np.nonzero(wanted.T)
        data = context.data
        scores[rows, columns] = score_pairs(
            model,
            images,
            [texts[column] for column in columns.tolist()],
            rows,
            scorer,
            context.vocabulary,
            data.tokens_per_batch,
            data.max_text_length,
        )
        return scores

    return score


def require_scorer(model: UnimoModel, scorer: Scorer, source: object) -> None:
    """Refuse a way of scoring that the model has no head for.

    Raises:
        InputError: naming the head.
    """
    if not has_head(model, scorer):
        raise InputError(f"{source}: no head `{'` or `'.join(HEADS[scorer])}`, which scoring by {scorer} needs")


def curve_values(curve: Sequence[TwoStage]) -> list[dict[str, Any]]:
    """As plain values."""
    return [asdict(each) for each in curve]
