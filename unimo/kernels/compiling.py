"""Functions compiled by numba and kept on disk, where a damaged file or a full disk is told and done without."""

from __future__ import annotations

import functools
import pickle
import warnings
from typing import Any

from numba import njit
from numba.core.caching import FunctionCache
from numba.core.errors import NumbaError

# sums may be taken in any order, which lets them use vectors; not a number and infinite stay what they are
FAST_MATH = {"reassoc", "contract", "arcp", "nsz"}


class _Cache(FunctionCache):
    """numba's files of one function; what cannot be read is thrown away, and what cannot be written is not kept."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except (EOFError, pickle.UnpicklingError, OSError, ValueError, KeyError, AttributeError) as error:
            _tell(f"what was kept of them cannot be read ({_reason(error)})")
        try:
            self.flush()
        except OSError:
            self.disable()
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except OSError as error:
            _tell(f"they cannot be kept ({_reason(error)})")
            self.disable()


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


@functools.cache  # once a process
def _tell(reason: str) -> None:
    warnings.warn(f"unimo.kernels: loops are compiled anew, {reason}; NUMBA_CACHE_DIR names a folder", stacklevel=3)


def compiled(function: Any) -> Any:
    """The function as machine code, made at its first call, without the interpreter's lock, and kept on disk."""
    made: Any = njit(fastmath=FAST_MATH, error_model="numpy", nogil=True)(function)
    try:
        made._cache = _Cache(function)  # what `cache=True` does with a FunctionCache
    except (RuntimeError, NumbaError):
        _tell("in every process, since no folder to keep them in can be written to")
    return made


inlined = njit(inline="always", fastmath=FAST_MATH, error_model="numpy")
"""A function that compiled ones take in, in place of calling it."""
