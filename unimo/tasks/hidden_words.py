"""Which words does a model read off the image? The words in which a right caption and a wrong one differ are hidden.

A probe of the masked language model: what it prefers in their place, the right words or the wrong ones. Neither a
matching head nor generation has to be trained for it, so that it follows pre-training from its first step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import paddle

from unimo.data.examples import Example, RegionInput, Vocabulary, text_example
from unimo.data.sampling import sequential_batches
from unimo.modeling import UnimoModel, gather_rows
from unimo.modeling.tensors import as_tensor
from unimo.tasks.hard_negatives import mean_by_kind, with_other_images
from unimo.tasks.pair_scoring import pair_batch
from unimo.training.task import TaskContext, model_inputs
from unimo.worlds.shapes.negatives import NUM_WRONG, HardNegatives

Array = np.ndarray


@dataclass(frozen=True)
class _Question:
    """A right caption with the words hidden that one wrong caption has otherwise."""

    cell: int
    """Number of the wrong caption among all."""

    regions: RegionInput
    text: Example
    places: Array
    """[K] hidden tokens, [CLS] counted."""

    right: Array
    """[K] token ids."""

    wrong: Array
    """[K] token ids."""


def hidden_words(context: TaskContext, model: UnimoModel, items: Sequence[HardNegatives]) -> dict[str, Any]:
    """How often the right words are preferred to the wrong ones, as nested mappings.

    ``pairwise`` by kind; ``compared`` by kind: the share of wrong captions that differ token by token, which alone can
    be asked for (`left of` and `right of`, not `above`); ``shuffled``: the same with the images exchanged. Ties count
    as wrong; None where nothing is compared.
    """
    own, exchanged = (word_margins(context, model, each) for each in (items, with_other_images(items)))
    compared = np.isfinite(own)
    return {
        "pairwise": mean_by_kind(own > 0, compared),
        "compared": mean_by_kind(compared),
        "shuffled": {"pairwise": mean_by_kind(exchanged > 0, compared)},
    }


def word_margins(context: TaskContext, model: UnimoModel, items: Sequence[HardNegatives]) -> Array:
    """[N, NUM_WRONG] log-probability of the right words less that of the wrong ones.

    Given are the image and the words that both captions share; NaN where they do not differ token by token.
    """
    questions = list(_questions(context, items))
    margins = np.full(len(items) * NUM_WRONG, np.nan)
    lengths = [each.text.num_tokens + len(each.regions.features) for each in questions]
    with paddle.no_grad():
        for chosen in sequential_batches(lengths, context.data.tokens_per_batch):
            asked = [questions[index] for index in chosen]
            margins[[each.cell for each in asked]] = _margins(model, asked, context.vocabulary.pad_id)
    return margins.reshape(len(items), NUM_WRONG)


def _questions(context: TaskContext, items: Sequence[HardNegatives]) -> Iterator[_Question]:
    images, tokenizer = context.require_images(), context.tokenizer
    rights = tokenizer.encode_batch([item.caption for item in items])
    wrongs = tokenizer.encode_batch([wrong.text for item in items for wrong in item.wrong])
    for cell, wrong in enumerate(wrongs):
        item, right = items[cell // NUM_WRONG], rights[cell // NUM_WRONG]
        if len(right) != len(wrong):
            continue
        changed = np.flatnonzero(np.not_equal(right, wrong))
        text = _with_hidden(right, 1 + changed, context.vocabulary)
        words = np.asarray(right)[changed], np.asarray(wrong)[changed]
        yield _Question(cell, images[item.image_id], text, 1 + changed, *words)


def _margins(model: UnimoModel, asked: Sequence[_Question], pad_id: int) -> Array:
    everyone = np.arange(len(asked))
    batch = pair_batch([each.regions for each in asked], [each.text for each in asked], everyone, everyone, pad_id)
    assert batch.region_features is not None
    num_regions, length = batch.region_features.shape[1], batch.segment_ids.shape[1]
    owner = np.repeat(everyone, [len(each.places) for each in asked])
    rows = owner * length + num_regions + np.concatenate([each.places for each in asked])
    logits = model.language_logits(gather_rows(model(model_inputs(batch)), as_tensor(rows))).numpy()
    word = np.arange(len(rows))
    right, wrong = (np.concatenate([getattr(each, name) for each in asked]) for name in ("right", "wrong"))
    return np.bincount(owner, logits[word, right] - logits[word, wrong], len(asked))


def _with_hidden(ids: Sequence[int], places: Array, vocabulary: Vocabulary) -> Example:
    example = text_example("", [ids], vocabulary, len(ids) + 2)
    assert example.token_ids is not None
    token_ids = example.token_ids.copy()
    token_ids[places] = vocabulary.mask_id
    return replace(example, token_ids=token_ids)
