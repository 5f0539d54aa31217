"""Losses over masked regions (PAPER 3.2)."""

from __future__ import annotations

import paddle
from paddle import Tensor

from unimo.modeling.tensors import in_full_precision


def region_regression_loss(predicted: Tensor, targets: Tensor) -> Tensor:
    """Squared distance of feature vectors, mean over regions and their F numbers: [N, F], [N, F] -> scalar.

    The paper sums over F; the mean keeps the loss's scale independent of the detector (2,048 or a few hundred
    numbers). The weight of this loss is a config field.
    """
    return paddle.mean((in_full_precision(predicted) - targets) ** 2)


def region_classification_loss(logits: Tensor, class_probabilities: Tensor) -> Tensor:
    """Cross-entropy against the detector's class distribution, mean over regions: [N, C], [N, C] -> scalar.

    `image_use_soft_label` of the released configs; the distributions are normalised here since half-precision
    storage leaves their sums a little off 1.
    """
    logits = in_full_precision(logits)
    targets = class_probabilities / paddle.clip(paddle.sum(class_probabilities, axis=-1, keepdim=True), min=1e-6)
    # sum(targets) = 1, so the cross-entropy is logsumexp - <targets, logits>
    return paddle.mean(paddle.logsumexp(logits, axis=-1) - paddle.sum(targets * logits, axis=-1))
