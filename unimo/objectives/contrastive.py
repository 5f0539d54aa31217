"""Cross-modal contrastive learning: equation (1) of the paper."""

from __future__ import annotations

from typing import Literal

import paddle
from paddle import Tensor

from unimo.modeling.tensors import in_full_precision

Denominator = Literal["pair", "batch"]
Positives = Literal["any", "each"]

# added to the logit of what is left out of a sum; exp of it is 0 in float32
_EXCLUDED = -1e9


def contrastive_loss(
    scores: Tensor,
    positives: Tensor,
    valid: Tensor | None = None,
    temperature: float = 1.0,
    denominator: Denominator = "pair",
    needed: Positives = "any",
) -> Tensor:
    """-log(sum over positives of exp(score / temperature) / sum over candidates), mean over pairs.

    The sums are inside the logarithm: one good positive is enough (paper, equation 1). With ``needed="each"`` every
    positive has to win against the negatives alone, and the mean over positives is taken outside (ours).

    Args:
        scores: [P, K] d(V, W) of each pair's K candidates.
        positives: [P, K] bool, True for X+, X^I and X^T; every row has at least one.
        valid: [P, K] bool, False for candidates that are padding.
        temperature: tau.
        denominator: `pair` sums over the pair's own candidates (the equation); `batch` over its positives and the
            negatives of all pairs, so that no image keeps an offset of its own (ours).
        needed: `any` is the equation; `each` asks every positive to win.
    """
    logits = in_full_precision(scores) / temperature
    if valid is not None:
        logits = paddle.where(valid, logits, paddle.full_like(logits, _EXCLUDED))
    excluded = paddle.full_like(logits, _EXCLUDED)
    negatives = paddle.where(positives, excluded, logits)
    against = paddle.logsumexp(negatives, axis=-1) if denominator == "pair" else paddle.logsumexp(negatives)
    if needed == "each":
        against = (against.unsqueeze(-1) if denominator == "pair" else against).expand_as(logits)
        share = positives.astype(logits.dtype)
        share = share / share.sum(axis=-1, keepdim=True)
        return paddle.mean(paddle.sum(share * (paddle.logaddexp(logits, against) - logits), axis=-1))
    numerator = paddle.logsumexp(paddle.where(positives, logits, excluded), axis=-1)
    return paddle.mean(paddle.logaddexp(numerator, against.expand_as(numerator)) - numerator)


def two_way_loss(scores: Tensor, valid: Tensor | None = None) -> Tensor:
    """Each text finds its image among all, and each image its text: [P, P] scores, true pairs on the diagonal.

    ``valid`` [P, P] bool: False where neither is the other's, nor known not to be.

    The mean of both cross-entropies; for images and texts that were encoded alone.
    """
    own = paddle.eye(scores.shape[0]) > 0
    turned = None if valid is None else valid.t()
    return (contrastive_loss(scores, own, valid) + contrastive_loss(scores.t(), own, turned)) / 2
