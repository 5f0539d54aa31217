"""Candidates of contrastive learning: which captions are wrong, and that parts are parts of the whole."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any, Literal, cast

import numpy as np
import paddle
import pytest

from unimo.config.architecture import UnimoConfig
from unimo.config.job import DataConfig
from unimo.data.examples import RegionInput, Vocabulary
from unimo.data.records import CaptionRecord
from unimo.modeling import UnimoModel
from unimo.tasks import contrastive_learning
from unimo.tasks.contrastive_learning import (
    CandidateCounts,
    CandidateSampler,
    ContrastiveOptions,
    candidates_loss,
    draw_kinds,
)
from unimo.training.task import TaskContext, model_inputs

RECORDS = [
    CaptionRecord("1", "a", ("one", "two"), ("b",)),
    CaptionRecord("2", "b", ("three",)),
    CaptionRecord("3", "c", ("two", "four")),
    CaptionRecord("4", "d", ("five",), ("a", "far away")),
    CaptionRecord("5", "e", ("six",)),
]
WORDS = ["one", "two", "three", "four", "five", "six"]


def sampler(records: list[CaptionRecord], **options: Any) -> CandidateSampler:
    images = {
        record.image_id: RegionInput(np.full((2, 4), n, np.float32), np.zeros((2, 5), np.float32), np.zeros((1, 4)))
        for n, record in enumerate(records)
    }
    tokenizer = SimpleNamespace(encode_batch=lambda texts: [[4 + WORDS.index(text)] for text in texts])
    given = {"require_images": lambda: images, "tokenizer": tokenizer, "vocabulary": Vocabulary(20, 0, 1, 2, 19)}
    context = cast(TaskContext, SimpleNamespace(**given, data=DataConfig()))
    return CandidateSampler(context, ContrastiveOptions(**options), records)


def random_texts(records: list[CaptionRecord], number: int, count: int) -> list[str]:
    made = sampler(records, counts=CandidateCounts(random=count))
    return made._random_texts(records[number], count, np.random.default_rng(0))


def test_random_captions_are_none_that_is_true_of_the_image() -> None:
    assert set(random_texts(RECORDS, 0, 40)) == {"four", "six"}  # not its own words, b's, nor d's, true of a
    assert set(random_texts(RECORDS, 1, 40)) == {"two", "four", "five", "six"}  # a's first caption is true of b
    assert set(random_texts(RECORDS, 3, 40)) == {"three", "two", "four", "six"}


def test_where_nothing_is_wrong_nothing_is_drawn() -> None:
    assert random_texts(RECORDS[:1], 0, 3) == []
    assert random_texts([RECORDS[0], CaptionRecord("6", "f", ("two",)), CaptionRecord("7", "g", ())], 0, 3) == []


@pytest.mark.parametrize("score", ["match", "cosine"])
def test_the_loss_is_the_equation_over_the_heads_scores(score: Literal["match", "cosine"]) -> None:
    paddle.seed(0)
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "image_embedding_size": 4}
    heads = {"text_pooler": 0, "image_pooler": 0, score: 0}
    model = UnimoModel(UnimoConfig(vocab_size=20, initializer_range=0.5, **sizes), heads)
    model.eval()
    made = sampler(RECORDS, num_pairs=3, score=score, counts=CandidateCounts(positives=1, random=2))
    chosen = [(record, record.captions[0]) for record in RECORDS]
    batch = made.contrastive(chosen, np.random.default_rng(0))["contrastive"]
    loss, accuracy = candidates_loss(model, batch, made.options)
    index, inputs = batch.candidates, model_inputs(batch)
    assert index is not None
    hidden = model(inputs)
    texts, pictures = model.pool_text(hidden, inputs).numpy(), model.pool_image(hidden, inputs).numpy()
    if score == "cosine":
        texts, pictures = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (texts, pictures))
        scores = (texts[index.texts] * pictures[index.images]).sum(axis=2) / 0.07
    else:
        head = model.heads["match"].dense
        scores = ((texts[index.texts] * pictures[index.images]) @ head.weight.numpy() + head.bias.numpy())[..., 0]
    weights = np.exp(scores.astype(np.float64)) * index.valid
    expected = -np.log((weights * index.positives).sum(axis=1) / weights.sum(axis=1)).mean()
    assert float(loss) == pytest.approx(expected, rel=1e-4)
    assert accuracy == np.mean(scores[:, 0] > np.where(index.negatives, scores, -np.inf).max(axis=1))


def test_kinds_of_rewriting_are_drawn_by_weight_as_long_as_there_are_any() -> None:
    texts = {kind: [f"{kind} {n}" for n in range(50)] for kind in ("object", "relation", "exchange")}
    texts["attribute"] = ["attribute 0"]
    rng, found = np.random.default_rng(0), Counter[str]()
    for _ in range(400):
        drawn = draw_kinds(texts, 5, rng, {"relation": 3, "exchange": 0})
        assert len(set(drawn)) == 5
        found.update(text.split()[0] for text in drawn)
    assert "exchange" not in found and found["attribute"] <= 400
    assert 2.6 < found["relation"] / found["object"] < 3.4
    assert len(draw_kinds({"attribute": ["a"], "exchange": ["b"]}, 5, rng, {"exchange": 0})) == 1


def test_a_temperature_beside_a_learned_one_is_refused() -> None:
    with pytest.raises(ValueError, match="temperature"):
        ContrastiveOptions(score="cosine", temperature=0.5)


def test_the_parts_of_all_processes_are_the_whole() -> None:
    made = sampler(RECORDS, num_pairs=4, counts=CandidateCounts(positives=1, random=2))
    chosen = [(record, caption) for record in RECORDS for caption in record.captions]

    def rows(number: int, count: int) -> list[list[tuple[int, bool]]]:
        """Every pair's candidates: the first token after [CLS], and whether it is right."""
        found = made.contrastive(chosen, np.random.default_rng(3), number, count)
        if not found:
            return []
        batch = found["contrastive"]
        index, starts = batch.candidates, batch.text_starts
        assert index is not None and starts is not None and batch.input_ids is not None
        num_regions = batch.segment_ids.shape[1] - batch.input_ids.shape[1]
        row, place = np.divmod(starts, batch.segment_ids.shape[1])
        words = batch.input_ids[row, place - num_regions + 1]
        return [
            [(int(words[text]), bool(right)) for text, right, valid in zip(*each, strict=True) if valid]
            for each in zip(index.texts, index.positives, index.valid, strict=True)
        ]

    whole = rows(0, 1)
    assert len(whole) == 4 and whole[0][0] == (4, True)
    for count in (2, 3, 5):
        parts = [rows(number, count) for number in range(count)]
        assert [parts[place % count][place // count] for place in range(4)] == whole


def test_a_negative_that_differs_beyond_the_cut_is_none() -> None:
    made = sampler(RECORDS)
    made.context = cast(TaskContext, SimpleNamespace(**{**vars(made.context), "data": DataConfig(max_text_length=4)}))
    made.context.tokenizer.encode_batch = lambda texts: [[4, 5, 6], [4, 5, 7], [4, 8, 6]]  # type: ignore[method-assign]
    drawn = contrastive_learning._Drawn(RECORDS[0], "one", (), ("two", "three"), (), ())
    assert made._candidates(drawn).negatives == [[4, 8, 6]]
