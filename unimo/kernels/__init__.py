"""Compiled loops for CPU in place of chains of Paddle's operations: less memory traffic between the matrix products."""

from __future__ import annotations

import functools
import warnings
from types import ModuleType

import paddle
from paddle import Tensor

from unimo.runtime.settings import setting_states

SETTING = "compiled_loops"


def compiled_for(tensor: Tensor) -> ModuleType | None:
    """:mod:`unimo.kernels.functions`, where it can work on the tensor; None: by Paddle's own operations.

    It can on float32 on CPU that is computed at once; not in a static program, which is exported.
    """
    if not paddle.in_dynamic_mode() or tensor.dtype != paddle.float32 or not tensor.place.is_cpu_place():
        return None
    return _functions()


@functools.cache
def _functions() -> ModuleType | None:
    if setting_states()[SETTING] != "applied":
        return None
    try:
        from unimo.kernels import functions
    except ImportError as error:
        warnings.warn(
            f"{SETTING}: numba cannot be used ({error}), so that all goes by Paddle's operations", stacklevel=2
        )
        return None
    return functions
