"""The same answer for any number of processes: losses, weights and scores, with everything that shares out work."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.conftest import SmallWorld
from tests.tasks.jobs import ARCH, job, write_corpus, write_job
from tests.training.worker import launch, run_jobs

STEPS = 20
STILL = {**ARCH, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
SPEEDS = {"step", "split", "seconds", "tokens_per_second", "padding_share", "data_wait_share"}
# what a variant changes -> of the plain run of the same task
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "pretraining": ("pretraining", {}),
    "captioning": ("captioning", {}),
    "retrieval": ("retrieval", {}),
    "recompute": ("pretraining", {"distributed": {"recompute": True}}),
    "sharded": ("pretraining", {"distributed": {"sharding_stage": 1, "bucket_megabytes": 1}}),
    "accumulated": ("captioning", {"accumulation": 2}),
    "contrasted": ("pretraining", {"contrastive": {"num_pairs": 5, "counts": {"random": 3}, "dual_pairs": 4}}),
    # rewritten captions, retrieved images and texts; of one pair a process has none
    "rewritten": ("pretraining", {"contrastive": {"num_pairs": 3}, "corpus": True}),
    "one_pair": ("pretraining", {"contrastive": {"num_pairs": 1, "rewrite_kinds": {"relation": 3}}, "corpus": True}),
}


@dataclasses.dataclass(frozen=True)
class Trained:
    """Run folders by variant."""

    folder: Path

    def weights(self, variant: str) -> dict[str, np.ndarray]:
        return load_file(self.folder / variant / "checkpoints" / "latest" / "model.safetensors")

    def events(self, variant: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / variant / "metrics.jsonl").read_text().splitlines()]


def configs(small: SmallWorld, folder: Path, variants: list[str]) -> list[Path]:
    written = []
    for name in variants:
        task, changes = VARIANTS[name]
        accumulation = changes.get("accumulation", 1)
        training = {"num_steps": STEPS, "seed": 3, "log_every": 1, "gradient_accumulation_steps": accumulation}
        values = job(small, task, folder / name, training=training, arch=STILL)
        values |= {key: value for key, value in changes.items() if key == "distributed"}
        if "contrastive" in changes:  # pairs that need nothing of each other, which are shared out
            values["options"]["contrastive"] = dict(changes["contrastive"])
        if changes.get("corpus"):
            corpus = write_corpus(small, small.world.parent / "augmented")
            values["options"]["contrastive"]["augmented"] = str(corpus)
            values["options"] |= {"scenegraph_mask_ratio": 0.5, "shares": {"images": 1, "texts": 1, "pairs": 4}}
        written.append(write_job(folder / f"{name}.yaml", values))
    return written


@pytest.fixture(scope="module")
def alone(small_world: SmallWorld, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("alone")
    run_jobs([str(path) for path in configs(small_world, folder, ["pretraining", "captioning", "retrieval"])])
    run_jobs([str(path) for path in configs(small_world, folder, ["accumulated", "recompute", "contrasted"])])
    run_jobs([str(path) for path in configs(small_world, folder, ["rewritten", "one_pair"])])
    return Trained(folder)


@pytest.fixture(scope="module")
def in_two(small_world: SmallWorld, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("two")
    launch(configs(small_world, folder, list(VARIANTS)), 2, folder / "logs", sharding_stage=1)
    return Trained(folder)


def assert_same(found: Trained, expected: Trained, variant: str, reference: str) -> None:
    """Losses within 1e-5, weights within 1e-4, scores of evaluation exactly equal."""
    ours, theirs = found.weights(variant), expected.weights(reference)
    assert max(float(np.abs(ours[name] - theirs[name]).max()) for name in theirs) < 1e-4
    for one, other in zip(found.events(variant), expected.events(reference), strict=True):
        names = set(one) - SPEEDS
        assert names == set(other) - SPEEDS
        tolerance = 1e-5 if one["split"] == "train" else 0
        if "gradient_norm" in names:  # of any size: 14 at the first steps of pre-training
            names.remove("gradient_norm")
            assert one["gradient_norm"] == pytest.approx(other["gradient_norm"], rel=1e-5)
        assert {name: one[name] for name in names} == pytest.approx({n: other[n] for n in names}, abs=tolerance, rel=0)


@pytest.mark.multiprocess
@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_two_processes_give_the_same_answer_as_one(alone: Trained, in_two: Trained, variant: str) -> None:
    plain = VARIANTS[variant][0] if variant in ("recompute", "sharded") else variant
    assert_same(in_two, alone, variant, plain)


@pytest.mark.multiprocess
@pytest.mark.slow
def test_four_processes_give_the_same_answer_as_one(small_world: SmallWorld, alone: Trained, tmp_path: Path) -> None:
    launch(configs(small_world, tmp_path, ["pretraining", "captioning"]), 4, tmp_path / "logs")
    for variant in ("pretraining", "captioning"):
        assert_same(Trained(tmp_path), alone, variant, variant)


@pytest.mark.slow
def test_recomputing_changes_no_bit(alone: Trained) -> None:
    plain, again = alone.weights("pretraining"), alone.weights("recompute")
    assert all(np.array_equal(plain[name], again[name]) for name in plain)


@pytest.mark.multiprocess
@pytest.mark.slow
def test_the_parts_of_a_shared_out_optimizer_are_one_state(alone: Trained, in_two: Trained) -> None:
    latest = in_two.folder / "sharded" / "checkpoints" / "latest"
    parts = [load_file(latest / f"optimizer-{rank}-of-2.safetensors") for rank in (1, 2)]
    whole = load_file(alone.folder / "pretraining" / "checkpoints" / "latest" / "optimizer.safetensors")
    assert set(parts[0]) | set(parts[1]) == set(whole)
    assert set(parts[0]) & set(parts[1]) == {"num_updates"}
    sizes = [sum(array.size for array in part.values()) for part in parts]
    assert max(sizes) < 0.65 * sum(array.size for array in whole.values())
