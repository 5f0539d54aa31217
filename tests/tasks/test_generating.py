"""Texts that tasks write: candidates in order, and draws that belong to an example, not to its batch."""

from __future__ import annotations

from typing import Any

import paddle
import pytest

from tests.conftest import SmallWorld
from unimo.config.job import DataConfig
from unimo.data.batch import Batch
from unimo.generation import DecodingSettings, SamplingSettings
from unimo.modeling import UnimoConfig, UnimoModel
from unimo.tasks import generating
from unimo.tasks.text_generation import TextGeneration, TextGenerationOptions
from unimo.tokenization import UnimoTokenizer
from unimo.training.task import PredictionRequest, TaskContext

SOURCES = [
    "a red circle",
    "a large blue star above a small green square",
    "left",
    "a red circle",
    "a yellow triangle left of a red circle and a blue star",
    "a red circle",
]


def written(small: SmallWorld, tokens_per_batch: int = 2048, **decoding: Any) -> list[dict[str, Any]]:
    """What an untrained network writes for the sources."""
    tokenizer = UnimoTokenizer.from_pretrained(small.tokenizer)
    options = TextGenerationOptions(decoding=DecodingSettings(max_length=6, **decoding))
    task = TextGeneration(TaskContext(DataConfig(tokens_per_batch=tokens_per_batch), tokenizer), options)
    paddle.seed(0)
    sizes: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    model = UnimoModel(UnimoConfig(tokenizer.vocab_size, initializer_range=0.3, **sizes), task.heads())
    model.eval()
    return task.predict(model, PredictionRequest(texts=[(source,) for source in SOURCES]))


@pytest.mark.parametrize("method", ["beam", "sampling"])
def test_candidates(small_world: SmallWorld, method: str) -> None:
    settings: dict[str, Any] = {"method": method, "beam_size": 4, "sampling": SamplingSettings(num_samples=4)}
    plain, every = (written(small_world, num_best=number, **settings) for number in (1, 4))
    for one, best, all_of_them in zip(plain, written(small_world, num_best=3, **settings), every, strict=True):
        assert "candidates" not in one
        assert len(best["candidates"]) == 3 and len(all_of_them["candidates"]) == 4
        assert best["candidates"] == all_of_them["candidates"][:3]
        assert best["candidates"][0]["text"] == best["text"] == one["text"]
        scores = [each["score"] for each in all_of_them["candidates"]]
        assert scores == sorted(scores, reverse=True) and scores[0] < 0
        assert len(set(scores)) > 1


def test_draws_depend_on_the_example_and_not_on_its_batch(small_world: SmallWorld) -> None:
    def drawn(tokens_per_batch: int, seed: int = 1) -> list[list[str]]:
        sampling = SamplingSettings(num_samples=2, seed=seed)
        found = written(small_world, tokens_per_batch, method="sampling", num_best=2, sampling=sampling)
        return [sorted(each["text"] for each in one["candidates"]) for one in found]

    whole = drawn(2048)
    assert drawn(30) == drawn(3) == whole
    assert drawn(2048, seed=2) != whole
    same_source = [tuple(whole[index]) for index in (0, 3, 5)]
    assert len(set(same_source)) == 3


def test_hypotheses_count_in_the_budget(small_world: SmallWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    collate = generating.collate

    def counted(examples: Any, pad_id: int) -> Batch:
        sizes.append(len(examples))
        return collate(examples, pad_id)

    monkeypatch.setattr(generating, "collate", counted)

    def batches(**decoding: Any) -> list[int]:
        sizes.clear()
        written(small_world, 120, beam_size=5, **decoding)
        return list(sizes)

    assert sum(batches()) == len(SOURCES)
    five = batches()
    assert batches(method="sampling", sampling=SamplingSettings(num_samples=5)) == five
    assert len(batches(method="sampling", sampling=SamplingSettings(num_samples=40))) == len(SOURCES)
    assert len(batches(method="greedy")) < len(five) < len(SOURCES)
