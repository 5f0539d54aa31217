"""Texts that tasks write: candidates in order, and draws that belong to an example, not to its batch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest

from tests.conftest import SmallWorld
from tests.tasks.jobs import job, write_job
from unimo.cli.jobs import load_job
from unimo.config.job import DataConfig
from unimo.data.batch import Batch
from unimo.generation import DecodingSettings, SamplingSettings
from unimo.modeling import UnimoConfig, UnimoModel
from unimo.regions import FeatureSpec, Regions, RegionStoreWriter
from unimo.tasks import generating
from unimo.tasks.assembly import assemble
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


def conversations(small: SmallWorld, folder: Path) -> dict[str, Any]:
    """A job on answers in conversations of one to four questions about a story each, half of them short."""
    stories = []
    for number in range(6):
        texts = [("is it a red circle?", "yes it is"), ("a star?", "no")][: 1 + number % 2] * (1 + number // 3)
        turns = [[{"turn_id": n, "input_text": pair[side]} for n, pair in enumerate(texts, 1)] for side in (0, 1)]
        story = "a red circle" if number % 2 else "a large red circle above a small blue star"
        stories.append({"id": str(number), "story": story, "questions": turns[0], "answers": turns[1]})
    (folder / "stories.json").write_text(json.dumps({"data": stories}))
    values = job(small, "text_classification", folder / "run") | {"task": "text_generation"}
    values["data"] |= {"train": str(folder / "stories.json"), "evaluate": {}}
    return values | {"options": {"num_turns": 4}}


def tagged_captions(small: SmallWorld, folder: Path) -> dict[str, Any]:
    """A job on captions of images with 1 to 8 regions, with three tags for every third image and one for the others."""
    values = job(small, "captioning", folder / "run")
    lines = [json.loads(line) for line in Path(values["data"]["train"]).read_text().splitlines()]
    tags = [{"image_id": each["image_id"], "tags": ["red"] * (1 if n % 3 else 3)} for n, each in enumerate(lines)]
    (folder / "tags.jsonl").write_text("".join(json.dumps(each) + "\n" for each in tags))
    rng = np.random.default_rng(1)
    with RegionStoreWriter(folder / "regions", FeatureSpec("drawn", "1", 5, num_classes=0)) as writer:
        for line in lines:
            count = int(rng.integers(1, 9))
            corners = rng.uniform(0, 50, (count, 4)).astype(np.float32) + np.asarray([0, 0, 50, 50], np.float32)
            features = rng.normal(size=(count, 5)).astype(np.float32)
            writer.add(line["image_id"], Regions(features, corners, 100, 100, np.zeros((count, 0), np.float32)))
    values["data"] |= {"evaluate": {}, "regions": str(folder / "regions")}
    return values | {"options": {"object_tags": str(folder / "tags.jsonl")}}


@pytest.mark.parametrize("make", [conversations, tagged_captions])
def test_rows_that_are_shared_change_no_loss(small_world: SmallWorld, tmp_path: Path, make: Any) -> None:
    values = make(small_world, tmp_path)
    values["arch"] |= {"initializer_range": 0.3}
    losses, rows = [], []
    for pack in (False, True):
        values["data"] |= {"pack": pack}
        assembly = assemble(*load_job([write_job(tmp_path / "job.yaml", values)], []))
        (stream,) = assembly.task.streams()
        batches = stream.make_batch(np.random.default_rng(0).permutation(len(stream.lengths))[:9].tolist(), 0, 0)
        assembly.model.eval()
        paddle.seed(0)
        losses.append(sum(map(float, assembly.task.losses(assembly.model, batches)[0].values())))
        rows.append(len(batches["main"].segment_ids))
    assert losses[0] == pytest.approx(losses[1], abs=1e-5) and losses[0] > 0.1
    assert rows[1] < rows[0]
