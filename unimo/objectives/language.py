"""Losses over token logits at gathered positions; masked language modelling and generation share them."""

from __future__ import annotations

import paddle
import paddle.nn.functional as F
from paddle import Tensor


def language_loss(logits: Tensor, labels: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Cross-entropy, mean over all target tokens of the batch: [N, V], [N] int64 -> scalar.

    ``label_smoothing`` e: the target is (1-e) * onehot + e/V, uniform over the whole vocabulary (original release).
    """
    hard = F.cross_entropy(logits, labels)
    if label_smoothing == 0:
        return hard
    # CE with a uniform target is logsumexp - mean(logits): no [N, V] array of soft labels is built
    uniform = paddle.mean(paddle.logsumexp(logits, axis=-1) - paddle.mean(logits, axis=-1))
    return (1 - label_smoothing) * hard + label_smoothing * uniform


def token_log_probabilities(logits: Tensor, labels: Tensor) -> Tensor:
    """log P(label) of each row: [N, V], [N] int64 -> [N]."""
    return -F.cross_entropy(logits, labels, reduction="none").reshape([-1])
