"""Compiled loops for CPU in place of chains of Paddle's operations: less memory traffic between the matrix products.

Whoever finds that they :func:`can_work_on` a tensor calls ``kernels.functions``, which is imported only then.
"""

from __future__ import annotations

import functools
import warnings
from typing import TYPE_CHECKING

import paddle
from paddle import Tensor

from unimo.runtime.settings import setting_states

if TYPE_CHECKING:
    from unimo.kernels import functions as functions

SETTING = "compiled_loops"


def can_work_on(tensor: Tensor) -> bool:
    """Whether the operations of ``kernels.functions`` can take the tensor; else all goes by Paddle's own.

    They take float32 on CPU that is computed at once; not in a static program, which is exported.
    """
    at_once = paddle.in_dynamic_mode() and tensor.dtype == paddle.float32 and tensor.place.is_cpu_place()
    return at_once and _are_there()


@functools.cache
def _are_there() -> bool:
    """Whether the setting is on, the compiler works (it is told where not), and NUMBA_DISABLE_JIT is not set."""
    if setting_states()[SETTING] != "applied":
        return False
    try:
        import numba
    except (ImportError, OSError) as error:
        warnings.warn(f"{SETTING}: numba cannot be used ({error}); all goes by Paddle's operations", stacklevel=3)
        return False
    if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
        return False
    import unimo.kernels.functions  # noqa: F401

    return True
