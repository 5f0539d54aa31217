"""Circle loss, with which the original fine-tunes image-text retrieval."""

from __future__ import annotations

import paddle
import paddle.nn.functional as F
from paddle import Tensor

from unimo.objectives.contrastive import contrastive_loss


def softmax_loss(positive: Tensor, negatives: Tensor) -> Tensor:
    """Mean over the batch of -log of the positive's softmax share: the contrastive loss of one positive, in float64.

    Args:
        positive: [B, 1] score of each true pair.
        negatives: [B, N] scores.
    """
    scores = paddle.concat([positive, negatives], axis=1).astype("float64")
    return contrastive_loss(scores, paddle.arange(scores.shape[1]).expand_as(scores) == 0)


def circle_loss(positive: Tensor, negatives: Tensor, margin: float = 0.2, scale: float = 1.0) -> Tensor:
    """Mean over the batch of log(1 + sum_n exp(s an (sn - m)) exp(-s ap (sp - (1 - m)))), in float64.

    Args:
        positive: [B, 1] score sp of each true pair.
        negatives: [B, N] scores sn.
        margin: m.
        scale: s.
    """
    sp, sn = positive.astype("float64"), negatives.astype("float64")
    weight_positive = F.relu(1 + margin - sp).detach()
    weight_negative = F.relu(sn + margin).detach()
    positive_logit = -scale * weight_positive * (sp - (1 - margin))
    negative_logits = scale * weight_negative * (sn - margin)
    return paddle.mean(F.softplus(paddle.logsumexp(negative_logits, axis=-1, keepdim=True) + positive_logit))
