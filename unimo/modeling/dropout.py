"""Dropout whose mask costs a fraction of Paddle's on CPU.

Paddle draws one number of a slow generator for each element, one after another: 18 ms for the attention weights of
8 x 128 positions (1.6 million), which is as long as a matrix product of the layer. Here 16 random bits decide an
element, taken from numpy's SFC64, which is seeded from Paddle's generator: 5 ms, and ``paddle.seed`` still fixes
every mask. The share that is dropped is the wanted one to 1/65536, and the scale is that of the share.
"""

from __future__ import annotations

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

from unimo.modeling.tensors import wrap_array

LEVELS = 1 << 16
SMALLEST = 4096  # elements below which a call of numpy costs more than it saves


def dropout(values: Tensor, probability: float, training: bool) -> Tensor:
    """Set a share ``probability`` of the values to 0 and scale the others up, in training only; any shape."""
    if not training or probability == 0.0:
        return values
    on_cpu = paddle.in_dynamic_mode() and values.place.is_cpu_place() and values.dtype == paddle.float32
    if not on_cpu or values.size < SMALLEST:
        return F.dropout(values, probability)
    return values * wrap_array(_mask(values.shape, probability))


def _mask(shape: list[int], probability: float) -> np.ndarray:
    """float32: 0 where dropped, else 1 over the share that is kept."""
    seed = int(paddle.randint(0, 2**31 - 1, [1]).item())
    size, threshold = int(np.prod(shape)), round(probability * LEVELS)
    bits = np.random.SFC64(seed).random_raw(-(-size // 4)).view(np.uint16)[:size]
    scale = np.float32(LEVELS / (LEVELS - threshold))
    return np.multiply(bits >= threshold, scale, dtype=np.float32).reshape(shape)


class Dropout(nn.Layer):
    """:func:`dropout` as a layer."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, values: Tensor) -> Tensor:
        """Any shape."""
        return dropout(values, self.probability, self.training)
