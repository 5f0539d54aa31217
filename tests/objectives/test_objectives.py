"""Losses against numbers worked out by hand or in numpy."""

from __future__ import annotations

import math

import numpy as np
import paddle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unimo.objectives import (
    circle_loss,
    contrastive_loss,
    language_loss,
    pairwise_contrastive_loss,
    region_classification_loss,
    regression_loss,
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


def test_contrastive_loss_sums_inside_the_logarithm() -> None:
    scores = tensor([[2.0, 1.0, 0.0, 5.0]])
    positives = paddle.to_tensor([[True, True, False, False]])
    valid = paddle.to_tensor([[True, True, True, False]])
    exp = np.exp([2.0, 1.0, 0.0])
    expected = -math.log(exp[:2].sum() / exp.sum())
    assert float(contrastive_loss(scores, positives, valid)) == pytest.approx(expected, rel=1e-5)


def test_temperature_sharpens() -> None:
    scores, positives = tensor([[1.0, 0.0]]), paddle.to_tensor([[True, False]])
    assert float(contrastive_loss(scores, positives, temperature=0.1)) == pytest.approx(
        math.log(1 + math.exp(-10)), abs=1e-6
    )


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 5), st.integers(0, 1000), st.floats(-3, 3))
def test_a_free_offset_of_each_image_is_seen_only_by_the_caption_side(size: int, seed: int, offset: float) -> None:
    scores = np.random.default_rng(seed).standard_normal((size, size)).astype(np.float32)
    moved = scores + offset * np.arange(size, dtype=np.float32)[:, None]
    positives = paddle.to_tensor(np.eye(size, dtype=bool))
    one_way = [float(pairwise_contrastive_loss(tensor(s), positives, "images")) for s in (scores, moved)]
    assert one_way[0] == pytest.approx(one_way[1], abs=1e-4)
    both = [float(pairwise_contrastive_loss(tensor(s), positives, "both")) for s in (scores, moved)]
    if abs(offset) > 0.5:
        assert both[0] != pytest.approx(both[1], abs=1e-4)


def test_the_batch_denominator_holds_all_negatives() -> None:
    scores = np.asarray([[1.0, 0.5], [0.0, 2.0]], np.float32)
    positives = paddle.to_tensor(np.eye(2, dtype=bool))
    negatives = np.exp([0.5, 0.0]).sum()
    expected = np.mean([-math.log(math.exp(p) / (math.exp(p) + negatives)) for p in (1.0, 2.0)])
    assert float(pairwise_contrastive_loss(tensor(scores), positives, "batch")) == pytest.approx(expected, rel=1e-5)


def test_circle_loss_in_numpy() -> None:
    rng = np.random.default_rng(1)
    positive, negatives, margin, scale = rng.random((3, 1)), rng.random((3, 4)), 0.25, 4.0
    weight_p, weight_n = np.maximum(1 + margin - positive, 0), np.maximum(negatives + margin, 0)
    inner = np.exp(scale * weight_n * (negatives - margin)).sum(axis=1, keepdims=True)
    expected = np.log(1 + inner * np.exp(-scale * weight_p * (positive - (1 - margin)))).mean()
    found = circle_loss(paddle.to_tensor(positive), paddle.to_tensor(negatives), margin, scale)
    assert float(found) == pytest.approx(expected, rel=1e-9)


def test_region_classification_is_lowest_at_the_target() -> None:
    target = tensor([[0.7, 0.2, 0.1]])
    at_target = float(region_classification_loss(paddle.log(target), target))
    assert at_target == pytest.approx(-(0.7 * math.log(0.7) + 0.2 * math.log(0.2) + 0.1 * math.log(0.1)), rel=1e-5)
    assert float(region_classification_loss(tensor([[0.0, 0.0, 0.0]]), target)) > at_target


def test_regression_loss() -> None:
    assert float(regression_loss(tensor([[1.0], [3.0]]), tensor([0.0, 1.0]))) == pytest.approx(2.5)
