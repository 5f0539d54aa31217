"""Equation (1) against a float64 brute force, its gradient against finite differences, and its edge cases."""

from __future__ import annotations

import math

import numpy as np
import paddle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unimo.objectives import contrastive_loss, two_way_loss
from unimo.objectives.contrastive import Denominator, Positives

Array = np.ndarray


def brute_force(
    scores: Array, positives: Array, valid: Array, temperature: float, denominator: str, needed: str = "any"
) -> float:
    """The equation, written as sums, in float64."""
    weights = np.exp(scores.astype(np.float64) / temperature)
    negatives_of_all = weights[valid & ~positives].sum()
    losses = []
    for row in range(len(scores)):
        good = weights[row, valid[row] & positives[row]]
        bad = weights[row, valid[row] & ~positives[row]].sum() if denominator == "pair" else negatives_of_all
        good = good if needed == "each" else good.sum(keepdims=True)
        losses.append(float(np.mean(-np.log(good / (good + bad)))))
    return float(np.mean(losses))


def candidates(seed: int, size: int, width: int) -> tuple[Array, Array, Array]:
    """Random scores, positives (the first candidate always) and padding (never the first)."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(0, 2, (size, width)).astype(np.float32)
    valid = rng.random((size, width)) < 0.8
    positives = (rng.random((size, width)) < 0.4) & valid
    valid[:, 0] = positives[:, 0] = True
    return scores, positives, valid


def loss_of(
    scores: Array,
    positives: Array,
    valid: Array,
    temperature: float = 1.0,
    denominator: Denominator = "pair",
    needed: Positives = "any",
) -> tuple[float, Array]:
    """Value and gradient."""
    tensor = paddle.to_tensor(scores, stop_gradient=False)
    masks = paddle.to_tensor(positives), paddle.to_tensor(valid)
    loss = contrastive_loss(tensor, *masks, temperature, denominator, needed)
    loss.backward()
    return float(loss), tensor.grad.numpy()


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(1, 5),
    st.integers(1, 7),
    st.sampled_from([0.07, 0.5, 1.0]),
    st.sampled_from(["pair", "batch"]),
    st.sampled_from(["any", "each"]),
)
def test_value_and_gradient(
    seed: int, size: int, width: int, temperature: float, denominator: Denominator, needed: Positives
) -> None:
    scores, positives, valid = candidates(seed, size, width)
    how = temperature, denominator, needed
    value, gradient = loss_of(scores, positives, valid, *how)
    assert value == pytest.approx(brute_force(scores, positives, valid, *how), rel=1e-4, abs=1e-5)
    step = 1e-5
    for row, column in np.ndindex(*scores.shape):
        up, down = scores.astype(np.float64), scores.astype(np.float64)
        up[row, column] += step
        down[row, column] -= step
        numeric = brute_force(up, positives, valid, *how)
        numeric = (numeric - brute_force(down, positives, valid, *how)) / (2 * step)
        assert gradient[row, column] == pytest.approx(numeric, rel=1e-3, abs=2e-4)
    assert (gradient[~valid] == 0).all()


@pytest.mark.parametrize("denominator", ["pair", "batch"])
def test_without_negatives_there_is_nothing_to_learn(denominator: Denominator) -> None:
    everything = np.ones((2, 3), bool)
    value, gradient = loss_of(np.asarray([[1, 2, 3], [3, 2, 1]], np.float32), everything, everything, 1.0, denominator)
    assert value == pytest.approx(0, abs=1e-6)
    assert np.abs(gradient).max() < 1e-6


def test_a_duplicate_of_the_positive_among_the_negatives_costs_log_two() -> None:
    positives = np.asarray([[True, False]])
    value, _ = loss_of(np.asarray([[3.0, 3.0]], np.float32), positives, np.ones((1, 2), bool))
    assert value == pytest.approx(math.log(2), rel=1e-6)


def test_one_good_positive_is_enough() -> None:
    positives = np.asarray([[True, True, False]])
    value, _ = loss_of(np.asarray([[20.0, -20.0, 0.0]], np.float32), positives, np.ones((1, 3), bool))
    assert value < 1e-6  # with the sum outside the logarithm the second positive would cost 20


def test_an_offset_of_an_image_is_free_in_the_equation_and_not_over_the_batch() -> None:
    scores, positives, valid = candidates(3, 4, 5)
    moved = scores + np.arange(4, dtype=np.float32)[:, None]
    assert loss_of(moved, positives, valid)[0] == pytest.approx(loss_of(scores, positives, valid)[0], abs=1e-4)
    over_batch = [loss_of(each, positives, valid, denominator="batch")[0] for each in (scores, moved)]
    assert over_batch[0] != pytest.approx(over_batch[1], abs=1e-2)


def test_two_way_loss_is_the_mean_of_both_directions() -> None:
    scores = np.random.default_rng(0).normal(size=(4, 4))
    by_row = -np.log(np.diag(np.exp(scores)) / np.exp(scores).sum(axis=1)).mean()
    by_column = -np.log(np.diag(np.exp(scores)) / np.exp(scores).sum(axis=0)).mean()
    found = float(two_way_loss(paddle.to_tensor(scores, "float32")))
    assert found == pytest.approx((by_row + by_column) / 2, rel=1e-5)


def test_two_way_loss_leaves_out_what_is_not_known_to_be_wrong() -> None:
    scores = np.random.default_rng(0).normal(size=(3, 3))
    valid = np.asarray([[True, True, False], [True, True, True], [True, True, True]])
    kept = np.where(valid, np.exp(scores), 0.0)
    by_row, by_column = (-np.log(np.diag(np.exp(scores)) / kept.sum(axis=axis)).mean() for axis in (1, 0))
    found = float(two_way_loss(paddle.to_tensor(scores, "float32"), paddle.to_tensor(valid)))
    assert found == pytest.approx((by_row + by_column) / 2, rel=1e-5)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("needed", ["any", "each"])
def test_half_precision_scores_are_summed_in_full_precision(dtype: str, needed: Positives) -> None:
    scores, positives, valid = candidates(3, 4, 6)
    halved = paddle.to_tensor(scores).astype(dtype)
    found = contrastive_loss(halved, paddle.to_tensor(positives), paddle.to_tensor(valid), needed=needed)
    assert found.dtype == paddle.float32
    assert float(found) == loss_of(halved.astype("float32").numpy(), positives, valid, needed=needed)[0]
