"""Dropout whose mask costs a fraction of Paddle's on CPU.

Paddle draws one number of a slow generator for each element, one after another: 18 ms for the attention weights of
8 x 128 positions (1.6 million), which is as long as a matrix product of the layer. The compiled loop computes an
element's random bits from its number and a seed of Paddle's generator: 2 ms, and ``paddle.seed`` still fixes them all.
Where the loops cannot be used it is Paddle's own, which drops others.
"""

from __future__ import annotations

import paddle.nn.functional as F
from paddle import Tensor, nn

from unimo import kernels


def dropout(values: Tensor, probability: float, training: bool) -> Tensor:
    """Set a share ``probability`` of the values to 0 and scale the others up, in training only; any shape."""
    if not training or probability == 0.0:
        return values
    if kernels.can_work_on(values):
        return kernels.functions.dropout(values, probability)
    return F.dropout(values, probability)


class Dropout(nn.Layer):
    """:func:`dropout` as a layer."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, values: Tensor) -> Tensor:
        """Any shape."""
        return dropout(values, self.probability, self.training)
