"""Arrays as tensors, without what Paddle 3.3.1 leaks: ``paddle.to_tensor`` never frees a list at every call."""

from __future__ import annotations

import numpy as np
import paddle
from paddle import Tensor


def as_tensor(array: np.ndarray | None) -> Tensor:
    """A copy of an array on the current device, of the same shape and type, without gradient; None is a mistake."""
    assert array is not None
    if array.ndim == 0:
        return paddle.to_tensor(array)
    tensor = paddle.empty(array.shape, dtype=str(array.dtype))
    tensor.get_tensor().set(np.ascontiguousarray(array), paddle.framework._current_expected_place())
    return tensor
