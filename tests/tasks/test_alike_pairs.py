"""Contrastive pairs of a pre-training step that are alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from tests.conftest import SmallWorld
from unimo.config.job import DataConfig
from unimo.data.images import ImageSource
from unimo.tasks.contrastive_learning import CandidateSampler, ContrastiveOptions
from unimo.tasks.pretraining import Pretraining, PretrainingOptions
from unimo.tokenization import UnimoTokenizer
from unimo.training.task import TaskContext


def shared_words(small: SmallWorld, monkeypatch: pytest.MonkeyPatch, pool: int) -> float:
    """Mean number of words that the other captions of a step's contrastive pairs share with the first one."""
    context = TaskContext(
        DataConfig(regions=str(small.regions)),
        UnimoTokenizer.from_pretrained(small.tokenizer),
        ImageSource(small.regions, max_regions=6),
    )
    files = {
        name: (str(small.world / f"{file}_train.jsonl"),)
        for name, file in (("pairs", "captions"), ("texts", "texts"), ("images", "images"))
    }
    options = PretrainingOptions(**files, contrastive=ContrastiveOptions(num_pairs=4, alike_pool=pool, in_batch=True))
    (stream,) = [each for each in Pretraining(context, options).streams() if each.name == "pairs"]
    shares: list[int] = []
    drawn = CandidateSampler.batches

    def noted(self: CandidateSampler, chosen: Sequence[Any], rng: np.random.Generator) -> Any:
        first, *others = chosen[:4]
        assert len({record.image_id for record, _ in chosen[:4]}) == 4
        shares.extend(len({*first[1].split()} & {*caption.split()}) for _, caption in others)
        return drawn(self, chosen, rng)

    monkeypatch.setattr(CandidateSampler, "batches", noted)
    assert stream.make_joint is not None
    for start in range(0, 100, 10):
        batches = stream.make_joint(list(range(start * 3, start * 3 + 30, 5)), 0, 1)
        assert batches["contrastive"].candidates.positives[:, 0].sum() == 4
    monkeypatch.undo()
    return float(np.mean(shares))


def test_a_pool_brings_pairs_that_are_alike(small_world: SmallWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shared_words(small_world, monkeypatch, 1) + 1 < shared_words(small_world, monkeypatch, 20)
