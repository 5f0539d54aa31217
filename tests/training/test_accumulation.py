"""Micro-batches of a step against the same records in one large batch: the same losses and gradients."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.conftest import SmallWorld
from tests.tasks.jobs import ARCH, job, write_job
from unimo.cli.jobs import load_job
from unimo.tasks.assembly import assemble
from unimo.training.distributed import ProcessGroup
from unimo.training.mixture import Draw
from unimo.training.optimizer import AdamW
from unimo.training.reporting import Window
from unimo.training.step import Stepper

STILL = {**ARCH, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
MICRO_BATCHES = ([0], [1, 2, 3, 4, 5, 6], [7, 8])  # of unequal size, and so of unequal numbers of targets


class Kept(AdamW):
    """Keeps the gradients of its last step."""

    def step(self, rate: float, loss_scale: float = 1.0) -> float:
        self.gradients = {each.name: np.array(each.grad) for each in self.parameters if each.grad is not None}
        return super().step(rate, loss_scale)


@pytest.mark.parametrize(
    ("task_name", "stream_name"),
    [
        ("captioning", "main"),
        ("text_classification", "main"),
        ("pretraining", "texts"),
        ("pretraining", "images"),
        ("pretraining", "pairs"),
    ],
)
def test_micro_batches_equal_one_large_batch(
    small_world: SmallWorld, tmp_path: Path, task_name: str, stream_name: str
) -> None:
    config = write_job(tmp_path / "job.yaml", job(small_world, task_name, tmp_path / "run", arch=STILL))
    given, options = load_job([config], [])
    found = {}
    for name, parts in (("micro", MICRO_BATCHES), ("large", ([each for part in MICRO_BATCHES for each in part],))):
        assembly = assemble(given, options)
        stream = next(each for each in assembly.task.streams() if stream_name in (each.name, "main"))
        draws = [Draw(stream.name, stream.make_batch(indices, 0, 0)) for indices in parts]
        optimizer, window = Kept(assembly.model, given.optimizer), Window()
        stepper = Stepper(given, assembly.task, assembly.model, optimizer, ProcessGroup())
        assert stepper.step(0, draws, 1e-3, window)
        found[name] = (window.summary(ProcessGroup()), optimizer.gradients)
    (losses, gradients), (expected_losses, expected) = found["micro"], found["large"]
    logged = [name for name in expected_losses if name.startswith("loss") or name == "gradient_norm"]
    assert len(logged) >= 2 and set(logged) <= set(losses)
    assert [losses[name] for name in logged] == pytest.approx([expected_losses[name] for name in logged], abs=1e-5)
    assert set(gradients) == set(expected)
    assert max(np.abs(gradients[name] - expected[name]).max() for name in expected) < 1e-5
