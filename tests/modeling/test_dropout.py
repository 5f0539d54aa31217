"""Dropout: the wanted share, unbiased, fixed by Paddle's seed, its gradient the mask, nothing outside training."""

from __future__ import annotations

import numpy as np
import paddle
import pytest

from unimo.modeling.dropout import Dropout, dropout

SHAPE = [64, 50, 32]


@pytest.mark.parametrize("probability", [0.1, 0.5])
def test_share_and_mean(probability: float) -> None:
    paddle.seed(1)
    found = dropout(paddle.ones(SHAPE), probability, training=True).numpy()
    assert abs((found == 0).mean() - probability) < 4 * (probability * (1 - probability) / found.size) ** 0.5
    assert np.unique(found).size == 2
    np.testing.assert_allclose(found.max(), 1 / (1 - probability), rtol=1e-4)
    # rows and columns are dropped alike: no pattern
    assert (found == 0).mean(axis=(1, 2)).std() < 2 * (probability * (1 - probability) / 1600) ** 0.5


def test_seed_fixes_every_mask_and_calls_differ() -> None:
    values = paddle.ones(SHAPE)
    paddle.seed(5)
    first, second = dropout(values, 0.1, True).numpy(), dropout(values, 0.1, True).numpy()
    paddle.seed(5)
    assert (dropout(values, 0.1, True).numpy() == first).all()
    state = paddle.get_rng_state()
    assert (dropout(values, 0.1, True).numpy() == second).all()
    paddle.set_rng_state(state)
    assert (dropout(values, 0.1, True).numpy() == second).all()
    assert (first != second).any()


def test_gradient_is_the_mask() -> None:
    values = paddle.rand(SHAPE) + 1.0
    values.stop_gradient = False
    kept = dropout(values, 0.3, True)
    kept.sum().backward()
    np.testing.assert_allclose(values.grad.numpy(), (kept / values).numpy(), rtol=1e-6)


def test_nothing_is_dropped_in_evaluation_or_at_probability_0() -> None:
    values, layer = paddle.rand(SHAPE), Dropout(0.5)
    layer.eval()
    assert layer(values) is values
    assert dropout(values, 0.0, True) is values
    layer.train()
    assert (layer(values).numpy() == 0).any()
