"""Losses over one label an example."""

from __future__ import annotations

import paddle
import paddle.nn.functional as F
from paddle import Tensor


def classification_loss(logits: Tensor, labels: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Softmax cross-entropy, mean over the batch: [B, num_labels], [B] int64 -> scalar."""
    return F.cross_entropy(logits, labels, label_smoothing=label_smoothing)


def regression_loss(predictions: Tensor, labels: Tensor) -> Tensor:
    """Mean squared error: [B, 1] or [B], [B] float32 -> scalar."""
    return paddle.mean((predictions.reshape([-1]) - labels.astype("float32")) ** 2)
