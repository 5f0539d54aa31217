"""Arrays as tensors, without what Paddle 3.3.1 leaks.

Every call of ``paddle.to_tensor`` and ``paddle.from_dlpack`` leaves behind a list that is never freed.
"""

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


def in_full_precision(tensor: Tensor) -> Tensor:
    """float16 and bfloat16 as float32, in which losses are summed; others as they are."""
    return tensor.astype("float32") if tensor.dtype in (paddle.float16, paddle.bfloat16) else tensor
