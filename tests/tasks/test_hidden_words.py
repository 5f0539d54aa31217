"""Margins of hidden words against a forward of each question alone."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import paddle
import pytest

from unimo.config.architecture import UnimoConfig
from unimo.config.job import DataConfig
from unimo.data.batch import collate
from unimo.data.examples import RegionInput, Vocabulary, text_example, with_regions
from unimo.modeling import UnimoModel
from unimo.tasks.hidden_words import hidden_words, word_margins
from unimo.training.task import TaskContext, model_inputs
from unimo.worlds.shapes.negatives import COUNTS, HardNegatives, WrongCaption

WORDS = ["a", "red", "blue", "circle", "star", "is", "left", "right", "of", "above"]
VOCABULARY = Vocabulary(len(WORDS) + 5, 0, 1, 2, len(WORDS) + 4)
RIGHT = "a red circle is left of a blue star"
WRONG = [
    ("object", "a red star is left of a blue star"),
    ("object", "a red circle is left of a blue circle"),
    ("object", "a red star is left of a blue star"),
    ("attribute", "a blue circle is left of a red star"),  # two words, far apart
    ("attribute", "a blue circle is left of a blue star"),
    ("attribute", "a circle is left of a blue star"),  # shorter: not compared
    ("attribute", "a red circle is left of a red star"),
    ("relation", "a red circle is right of a blue star"),
    ("relation", "a red circle is above a blue star"),  # shorter
    ("relation", "a red circle is above a blue star"),
]


def ids_of(text: str) -> list[int]:
    return [4 + WORDS.index(word) for word in text.split()]


@pytest.fixture
def model() -> UnimoModel:
    paddle.seed(0)
    sizes = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "image_embedding_size": 4}
    made = UnimoModel(UnimoConfig(vocab_size=VOCABULARY.size, initializer_range=0.5, **sizes), {"masked_language": 0})
    made.eval()
    return made


@pytest.fixture
def context() -> TaskContext:
    """Images of two and of four regions, so that rows are padded."""
    rng = np.random.default_rng(0)
    images = {
        name: RegionInput(rng.random((n, 4), np.float32), rng.random((n, 5), np.float32), np.zeros((n - 1, 4)))
        for name, n in (("one", 2), ("two", 4))
    }
    tokenizer = SimpleNamespace(encode_batch=lambda texts: [ids_of(text) for text in texts])
    given = {"require_images": lambda: images, "tokenizer": tokenizer, "vocabulary": VOCABULARY}
    return cast(TaskContext, SimpleNamespace(**given, data=DataConfig(tokens_per_batch=64)))


def items() -> list[HardNegatives]:
    wrong = tuple(WrongCaption(kind, text) for kind, text in WRONG)
    assert [each.kind for each in wrong] == [kind for kind, count in COUNTS.items() for _ in range(count)]
    return [HardNegatives(name, RIGHT, wrong, unseen=False) for name in ("one", "two")]


def one_by_one(model: UnimoModel, images: Any, item: HardNegatives, wrong: str) -> float:
    right, other = ids_of(item.caption), ids_of(wrong)
    if len(right) != len(other):
        return np.nan
    places = [place for place, pair in enumerate(zip(right, other, strict=True)) if pair[0] != pair[1]]
    hidden = [VOCABULARY.mask_id if place in places else id_ for place, id_ in enumerate(right)]
    regions = images[item.image_id]
    batch = collate([with_regions(text_example("", [hidden], VOCABULARY, 99), regions)], VOCABULARY.pad_id)
    logits = model.language_logits(model(model_inputs(batch))[0]).numpy().astype(np.float64)
    log_probabilities = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    text = log_probabilities[len(regions.features) + 1 :]
    return float(sum(text[place, right[place]] - text[place, other[place]] for place in places))


def test_margins_are_those_of_each_question_alone(model: UnimoModel, context: TaskContext) -> None:
    expected = [[one_by_one(model, context.require_images(), item, text) for _, text in WRONG] for item in items()]
    found = word_margins(context, model, items())
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.ptp(np.asarray(expected)[:, 0]) > 1e-3  # the image matters


def test_shares_are_of_what_can_be_compared(model: UnimoModel, context: TaskContext) -> None:
    margins, found = word_margins(context, model, items()), hidden_words(context, model, items())
    assert found["compared"] == pytest.approx({"object": 1.0, "attribute": 0.75, "relation": 1 / 3})
    assert found["pairwise"]["relation"] == np.mean(margins[:, 7] > 0)
    assert found["pairwise"]["attribute"] == np.mean(margins[:, [3, 4, 6]] > 0)
    exchanged = [replace(item, image_id=image) for item, image in zip(items(), ("two", "one"), strict=True)]
    assert found["shuffled"]["pairwise"]["object"] == np.mean(word_margins(context, model, exchanged)[:, :3] > 0)
