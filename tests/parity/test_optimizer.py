"""AdamW, clipping and schedules against seven toy runs of the original optimizer: 24 steps each, 1e-6 apart."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import paddle
import pytest
from paddle import nn

from unimo.config.job import OptimizerConfig
from unimo.training.optimizer import AdamW
from unimo.training.schedules import learning_rate

NUM_RUNS = 7


@pytest.mark.parametrize("number", range(NUM_RUNS))
def test_toy_run(goldens: Path, number: int) -> None:
    run = json.loads((goldens / "optimizer.json").read_text())[number]
    given = run["args"]
    boundaries = tuple(given["boundaries"] or (24, 32))
    config = OptimizerConfig(
        learning_rate=given["lr"],
        epsilon=given["epsilon"],
        weight_decay=given["weight_decay"],
        schedule=given["scheduler"],
        warmup_steps=given["warmup_steps"],
        warmup_ratio=0.0,
        decay_epochs=boundaries,
    )
    model = nn.Linear(3, 2)
    model.weight.set_value(np.asarray(run["W0"], np.float32))
    model.bias.set_value(np.asarray(run["B0"], np.float32))
    optimizer = AdamW(model, config)
    for step, inputs in enumerate(run["X"]):
        loss = paddle.mean(model(paddle.to_tensor(inputs, "float32")) ** 2) * given["loss_scale"]
        loss.backward()
        rate = learning_rate(config, step, given["num_train_steps"], steps_per_epoch=1)
        optimizer.step(rate)
        assert rate == pytest.approx(run["lr"][step], abs=1e-8)
        assert float(loss) == pytest.approx(run["loss"][step], rel=1e-5, abs=1e-6)
        np.testing.assert_allclose(model.weight.numpy(), run["w"][step], atol=1e-6)
        np.testing.assert_allclose(model.bias.numpy(), run["b"][step], atol=1e-6)
