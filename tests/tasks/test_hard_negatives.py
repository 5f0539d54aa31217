"""Accuracies over a right caption and its wrong ones, and the verb that prints them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import SmallWorld
from tests.tasks.jobs import job, write_job
from unimo.cli import main
from unimo.tasks.hard_negatives import CHANCE, accuracies
from unimo.worlds.shapes.negatives import NUM_WRONG


def test_accuracies_by_kind() -> None:
    scores = np.zeros((4, 1 + NUM_WRONG))
    scores[:, 0] = 1.0
    scores[1, 1] = 2.0  # a wrong object is preferred
    scores[2, -1] = 1.0  # a tie with a wrong relation
    found = accuracies(scores)
    assert found["accuracy"] == 0.5
    assert found["pairwise"] == pytest.approx({"object": 11 / 12, "attribute": 1.0, "relation": 11 / 12})
    assert found["accuracy_by_kind"] == {"object": 0.75, "attribute": 1.0, "relation": 0.75}
    assert accuracies(scores[:0])["accuracy"] is None


def test_random_scores_are_at_chance() -> None:
    scores = np.random.default_rng(0).random((20000, 1 + NUM_WRONG))
    assert accuracies(scores)["accuracy"] == pytest.approx(CHANCE, abs=0.01)


def test_the_verb_scores_a_checkpoint(small_world: SmallWorld, tmp_path: Path) -> None:
    values = job(small_world, "pretraining", tmp_path / "run")
    values["data"]["evaluate"] = {}
    assert main(["train", "--config", str(write_job(tmp_path / "job.yaml", values))]) == 0
    output = tmp_path / "negatives.json"
    places = ["--world", str(small_world.world), "--regions", str(small_world.regions)]
    checkpoint = ["--checkpoint", str(tmp_path / "run" / "checkpoints" / "best")]
    assert main(["evaluate-negatives", *checkpoint, *places, "--json", str(output)]) == 0
    found = json.loads(output.read_text())
    assert found["count"] == 36
    for scorer in ("matching_head", "likelihood"):
        assert 0 <= found[scorer]["accuracy"] <= 1
        assert set(found[scorer]["pairwise"]) == {"object", "attribute", "relation"}
        assert found[scorer]["shuffled"]["accuracy"] < 0.5
