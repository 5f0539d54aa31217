"""A right caption among wrong ones that differ in one detail: can the model tell them apart by looking?

Measured on a drawn world, whose ground truth makes the wrong captions; by the matching head, and by the
length-normalised likelihood of the caption, which needs no contrastive learning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from unimo.data.images import ImageSource
from unimo.errors import InputError
from unimo.modeling import UnimoModel
from unimo.tasks.pair_scoring import Scorer, has_head, score_pairs
from unimo.training.task import TaskContext
from unimo.worlds.shapes.negatives import COUNTS, NUM_WRONG, HardNegatives

Array = np.ndarray

SCORERS: Mapping[str, Scorer] = {"matching_head": "match", "likelihood": "likelihood"}
"""Name in the results -> scorer."""

CHANCE = 1 / (1 + NUM_WRONG)


@dataclass(frozen=True)
class NegativeScores:
    """[N, 1 + NUM_WRONG] scores of every item's captions, the right one first."""

    own: Array
    """With the item's own image."""

    shuffled: Array
    """With another image."""


def score_hard_negatives(
    context: TaskContext, model: UnimoModel, items: Sequence[HardNegatives]
) -> dict[str, NegativeScores]:
    """Name of a scorer -> its scores, for every scorer that the model has heads for.

    Raises:
        InputError: for none.
    """
    scorers = {name: scorer for name, scorer in SCORERS.items() if has_head(model, scorer)}
    if not scorers:
        raise InputError("no head that scores an image with a text: match, cosine or masked_language")
    return {
        name: NegativeScores(
            negative_scores(context, model, items, scorer),
            negative_scores(context, model, with_other_images(items), scorer),
        )
        for name, scorer in scorers.items()
    }


def summarize(items: Sequence[HardNegatives], scores: Mapping[str, NegativeScores]) -> dict[str, Any]:
    """Accuracies by every scorer, as nested mappings.

    Under each scorer: ``accuracy`` (the right caption above all wrong ones), ``pairwise`` by kind (above one wrong
    one), the same under ``seen`` and ``unseen`` combinations, and under ``shuffled`` with the images exchanged, where
    a model that looks falls to chance. Ties count as wrong.
    """
    results: dict[str, Any] = {"count": len(items), "chance": CHANCE}
    unseen = np.asarray([item.unseen for item in items], bool)
    for name, found in scores.items():
        parts = {"seen": accuracies(found.own[~unseen]), "unseen": accuracies(found.own[unseen])}
        results[name] = {**accuracies(found.own), **parts, "shuffled": accuracies(found.shuffled)}
    return results


def predictions(items: Sequence[HardNegatives], scores: Mapping[str, NegativeScores]) -> list[dict[str, Any]]:
    """One mapping an item: ``image_id``, ``caption``, ``unseen``, ``scores`` of the right caption by scorer, and
    ``wrong``: ``kind``, ``text`` and ``scores`` of each wrong one."""

    def of(item: int, place: int) -> dict[str, float]:
        return {name: float(found.own[item, place]) for name, found in scores.items()}

    return [
        {
            "image_id": item.image_id,
            "caption": item.caption,
            "unseen": item.unseen,
            "scores": of(number, 0),
            "wrong": [
                {"kind": wrong.kind, "text": wrong.text, "scores": of(number, place)}
                for place, wrong in enumerate(item.wrong, start=1)
            ],
        }
        for number, item in enumerate(items)
    ]


def negative_scores(context: TaskContext, model: UnimoModel, items: Sequence[HardNegatives], scorer: Scorer) -> Array:
    """[N, 1 + NUM_WRONG] scores of every item's captions with its image, the right one first."""
    images: ImageSource = context.require_images()
    names = sorted({item.image_id for item in items})
    number = {name: index for index, name in enumerate(names)}
    texts = [text for item in items for text in (item.caption, *(wrong.text for wrong in item.wrong))]
    image_index = np.repeat([number[item.image_id] for item in items], 1 + NUM_WRONG)
    scores = score_pairs(
        model,
        [images[name] for name in names],
        context.tokenizer.encode_batch(texts),
        image_index,
        scorer,
        context.vocabulary,
        context.data.tokens_per_batch,
    )
    return scores.reshape(len(items), 1 + NUM_WRONG)


def accuracies(scores: Array) -> dict[str, Any]:
    """[N, 1 + NUM_WRONG] scores, the right caption's first -> accuracy, and pairwise accuracy by kind.

    Values are None where there are no items.
    """
    beaten = scores[:, :1] > scores[:, 1:]
    return {
        "accuracy": _mean(beaten.all(axis=1)),
        "pairwise": mean_by_kind(beaten),
        "accuracy_by_kind": {kind: _mean(values.all(axis=1)) for kind, values in _by_kind(beaten).items()},
    }


def mean_by_kind(values: Array, counted: Array | None = None) -> dict[str, float | None]:
    """Kind -> mean of its columns of [N, NUM_WRONG] values, those that ``counted`` marks; None where there are none."""
    marked = _by_kind(np.ones_like(values, bool) if counted is None else counted)
    return {kind: _mean(each[marked[kind]]) for kind, each in _by_kind(values).items()}


def with_other_images(items: Sequence[HardNegatives]) -> list[HardNegatives]:
    """Every image's captions with the next image."""
    names = sorted({item.image_id for item in items})
    other = dict(zip(names, [*names[1:], *names[:1]], strict=True))
    return [HardNegatives(other[item.image_id], item.caption, item.wrong, item.unseen) for item in items]


def _by_kind(values: Array) -> dict[str, Array]:
    """Kind -> its columns of [N, NUM_WRONG] values."""
    starts = np.cumsum([0, *COUNTS.values()])
    return {kind: values[:, starts[place] : starts[place + 1]] for place, kind in enumerate(COUNTS)}


def _mean(values: ArrayLike) -> float | None:
    return float(np.asarray(values, np.float64).mean()) if np.size(values) else None
