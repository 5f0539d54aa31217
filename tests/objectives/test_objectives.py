"""Losses against numbers worked out by hand or in numpy."""

from __future__ import annotations

import math

import numpy as np
import paddle
import pytest

from unimo.objectives import (
    circle_loss,
    language_loss,
    region_classification_loss,
    regression_loss,
    softmax_loss,
    token_log_probabilities,
)


def tensor(values: object) -> paddle.Tensor:
    return paddle.to_tensor(np.asarray(values, np.float32))


def test_language_loss_with_smoothing_equals_soft_labels() -> None:
    rng = np.random.default_rng(0)
    logits, labels = rng.standard_normal((5, 7)), rng.integers(7, size=5)
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    soft = 0.9 * np.eye(7)[labels] + 0.1 / 7
    expected = -(soft * logs).sum(axis=1).mean()
    assert float(language_loss(tensor(logits), paddle.to_tensor(labels), 0.1)) == pytest.approx(expected, rel=1e-5)


def test_token_log_probabilities() -> None:
    logits = tensor([[0.0, math.log(3.0)], [0.0, 0.0]])
    found = token_log_probabilities(logits, paddle.to_tensor([1, 0])).numpy()
    np.testing.assert_allclose(found, np.log([0.75, 0.5]), rtol=1e-6)


def test_circle_loss_in_numpy() -> None:
    rng = np.random.default_rng(1)
    positive, negatives, margin, scale = rng.random((3, 1)), rng.random((3, 4)), 0.25, 4.0
    weight_p, weight_n = np.maximum(1 + margin - positive, 0), np.maximum(negatives + margin, 0)
    inner = np.exp(scale * weight_n * (negatives - margin)).sum(axis=1, keepdims=True)
    expected = np.log(1 + inner * np.exp(-scale * weight_p * (positive - (1 - margin)))).mean()
    found = circle_loss(paddle.to_tensor(positive), paddle.to_tensor(negatives), margin, scale)
    assert float(found) == pytest.approx(expected, rel=1e-9)


def test_softmax_loss_is_the_cross_entropy_of_the_positive() -> None:
    rng = np.random.default_rng(1)
    positive, negatives = rng.normal(size=(3, 1)) * 5, rng.normal(size=(3, 4)) * 5
    scores = np.concatenate([positive, negatives], axis=1)
    expected = (np.log(np.exp(scores).sum(axis=1)) - positive[:, 0]).mean()
    found = softmax_loss(paddle.to_tensor(positive), paddle.to_tensor(negatives))
    assert float(found) == pytest.approx(expected, rel=1e-9)


def test_region_classification_is_lowest_at_the_target() -> None:
    target = tensor([[0.7, 0.2, 0.1]])
    at_target = float(region_classification_loss(paddle.log(target), target))
    assert at_target == pytest.approx(-(0.7 * math.log(0.7) + 0.2 * math.log(0.2) + 0.1 * math.log(0.1)), rel=1e-5)
    assert float(region_classification_loss(tensor([[0.0, 0.0, 0.0]]), target)) > at_target


def test_regression_loss() -> None:
    assert float(regression_loss(tensor([[1.0], [3.0]]), tensor([0.0, 1.0]))) == pytest.approx(2.5)
