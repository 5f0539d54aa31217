"""float16 as the training loop wires it, on CPU: autocast around the forward alone, overflows, growth, resume.

The half-precision part of the backward pass is simulated by rounding the gradient of every loss to float16, in which a
scale of 65,536 overflows.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest
from paddle.autograd import PyLayer
from safetensors.numpy import load_file

from tests.conftest import SmallWorld
from tests.tasks.jobs import job, write_job
from unimo.cli.jobs import load_job
from unimo.config.job import PrecisionConfig
from unimo.tasks.assembly import assemble
from unimo.training.trainer import Trainer

STEPS = 9


class HalfGradient(PyLayer):
    """The identity, through whose backward pass gradients go in float16."""

    @staticmethod
    def forward(context: Any, value: paddle.Tensor) -> paddle.Tensor:
        return value * 1

    @staticmethod
    def backward(context: Any, gradient: paddle.Tensor) -> paddle.Tensor:
        return gradient.astype("float16").astype("float32")


@pytest.fixture
def casts(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """A CPU that lets float16 through: what was computed within autocast, and what outside of it, is counted."""
    counts = {"depth": 0, "forwards": 0, "backwards within": 0}

    @contextlib.contextmanager
    def counted(precision: PrecisionConfig) -> Iterator[None]:
        counts["depth"] += precision.compute == "float16"
        try:
            yield
        finally:
            counts["depth"] -= precision.compute == "float16"

    backward = paddle.Tensor.backward

    def watched(tensor: paddle.Tensor, *arguments: Any) -> None:
        counts["backwards within"] += counts["depth"] > 0
        backward(tensor, *arguments)

    monkeypatch.setattr("unimo.training.step.autocast", counted)
    monkeypatch.setattr("unimo.training.trainer.check_possible", lambda *_: None)
    monkeypatch.setattr(paddle.Tensor, "backward", watched)
    return counts


def train(small: SmallWorld, folder: Path, casts: dict[str, int], compute: str = "float16", **flags: Any) -> Path:
    """A run whose scale starts at 2 ** 17 and grows after every 3 good steps; returns its last checkpoint."""
    training = {"num_steps": STEPS, "seed": 3, "log_every": 1, "save_every": 4, "keep_checkpoints": 9}
    precision = {"compute": compute, "initial_loss_scale": 131072.0, "growth_interval": 3}
    values = job(small, "text_classification", folder, training=training, precision=precision)
    values["data"]["evaluate"] = {}
    given, options = load_job([write_job(folder.with_suffix(".yaml"), values)], [])
    assembly = assemble(given, options)
    plain = assembly.task.losses

    def halved(*arguments: Any) -> Any:
        casts["forwards"] += casts["depth"] == 1
        losses, report = plain(*arguments)
        return {name: HalfGradient.apply(loss) for name, loss in losses.items()}, report

    if compute == "float16":
        assembly.task.losses = halved  # type: ignore[method-assign]
    Trainer(given, assembly.task, assembly.model).train({}, **flags)
    return folder / "checkpoints" / f"step-{STEPS:08d}"


def logged_scales(run: Path) -> list[float]:
    return [json.loads(line)["loss_scale"] for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_overflows_are_skipped_and_the_scale_falls_and_grows(
    small_world: SmallWorld, tmp_path: Path, casts: dict[str, int]
) -> None:
    last = train(small_world, tmp_path / "run", casts)
    # two overflows, three good steps, a growth that overflows again, three good steps
    assert logged_scales(tmp_path / "run") == [65536, 32768, 32768, 32768, 65536, 32768, 32768, 32768, 65536]
    state = json.loads((last / "state.json").read_text())
    assert state["scaler"] == {"scale": 65536, "good_steps": 0, "overflows": 3}
    assert state["skipped_steps"] == 3
    assert load_file(last / "optimizer.safetensors")["num_updates"].tolist() == [STEPS - 3]
    assert (casts["forwards"], casts["backwards within"]) == (STEPS, 0)


def test_a_resumed_run_keeps_its_scale(small_world: SmallWorld, tmp_path: Path, casts: dict[str, int]) -> None:
    last = train(small_world, tmp_path / "run", casts)
    broken = tmp_path / "broken"
    shutil.copytree(tmp_path / "run", broken, symlinks=True)
    for step in (8, STEPS):
        shutil.rmtree(broken / "checkpoints" / f"step-{step:08d}")
    again = train(small_world, broken, casts, resume=True)  # from step 4, with 2 of 3 good steps made
    assert logged_scales(broken) == logged_scales(tmp_path / "run")
    for name in ("model.safetensors", "optimizer.safetensors"):
        assert (again / name).read_bytes() == (last / name).read_bytes()


def test_the_scale_changes_no_update(
    small_world: SmallWorld, tmp_path: Path, casts: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HalfGradient, "backward", staticmethod(lambda context, gradient: gradient * 1))
    scaled = load_file(train(small_world, tmp_path / "scaled", casts) / "model.safetensors")
    plain = load_file(train(small_world, tmp_path / "plain", casts, compute="float32") / "model.safetensors")
    assert max(np.abs(scaled[name] - plain[name]).max() for name in plain) < 1e-5
