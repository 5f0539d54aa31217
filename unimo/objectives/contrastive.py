"""Cross-modal contrastive learning: equation (1) of the paper."""

from __future__ import annotations

from typing import Literal

import paddle
from paddle import Tensor

Denominator = Literal["images", "both", "batch"]

# added to the logit of what is left out of a sum; exp of it is 0 in float32
_EXCLUDED = -1e9


def contrastive_loss(
    scores: Tensor, positives: Tensor, valid: Tensor | None = None, temperature: float = 1.0
) -> Tensor:
    """-log(sum over positives of exp(score / temperature) / sum over all candidates), mean over examples.

    The sums are inside the logarithm: one good positive is enough (paper, equation 1).

    Args:
        scores: [B, K] d(V, W) of each example's K candidates.
        positives: [B, K] bool, True for X+, X^I and X^T; every row has at least one.
        valid: [B, K] bool, False for candidates that are padding.
        temperature: tau.
    """
    logits = scores / temperature
    if valid is not None:
        logits = paddle.where(valid, logits, paddle.full_like(logits, _EXCLUDED))
    positive_logits = paddle.where(positives, logits, paddle.full_like(logits, _EXCLUDED))
    return paddle.mean(paddle.logsumexp(logits, axis=-1) - paddle.logsumexp(positive_logits, axis=-1))


def pairwise_contrastive_loss(
    scores: Tensor, positives: Tensor, denominator: Denominator = "both", temperature: float = 1.0
) -> Tensor:
    """The contrastive loss where the candidates are the other captions (and images) of the batch.

    Args:
        scores: [I, W] of every image against every caption of the batch, each pair encoded jointly.
        positives: [I, W] bool: the caption belongs to the image.
        denominator: `images` sums over the captions of one image (equation 1 read literally; each image keeps a
            free offset), `both` adds the same over the images of one caption, `batch` sums over all pairs.
        temperature: tau.
    """
    if denominator == "images":
        return contrastive_loss(scores, positives, temperature=temperature)
    if denominator == "both":
        by_image = contrastive_loss(scores, positives, temperature=temperature)
        by_caption = contrastive_loss(scores.t(), positives.t(), temperature=temperature)
        return (by_image + by_caption) / 2
    # every positive pair against itself and all negatives of the batch
    logits = scores / temperature
    negatives = paddle.where(positives, paddle.full_like(logits, _EXCLUDED), logits)
    all_negatives = paddle.logsumexp(negatives)
    each = paddle.logaddexp(logits, all_negatives.expand_as(logits)) - logits
    weights = positives.astype("float32")
    return paddle.sum(each * weights) / paddle.sum(weights)
