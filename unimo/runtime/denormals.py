"""Numbers too small for a normal float are taken as 0 while a network computes on an x86-64 CPU.

Attention that has learned to look at one place leaves weights of 1e-40 everywhere else, and a processor takes some
hundred cycles for each product with such a number: losses and gradients of a tiny model took 2.2 to 3.7 times as long
at the end of two trainings (tests/benchmarks/RESULTS.md). What is lost lies below 1.2e-38.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import platform
from collections.abc import Iterator

FLUSH_BITS = 0x8040  # of MXCSR: results that are denormal become 0, and operands count as 0
_SIZE, _MXCSR = 32, 28  # bytes of glibc's fenv_t on x86-64, and where it keeps MXCSR


@functools.cache
def _library() -> ctypes.CDLL | None:
    """The mathematics library whose environment is known; None elsewhere, where nothing is done."""
    if platform.machine() != "x86_64" or platform.libc_ver()[0] != "glibc":
        return None
    try:
        return ctypes.CDLL("libm.so.6")
    except OSError:
        return None


@contextlib.contextmanager
def flushed_denormals() -> Iterator[None]:
    """Within it, this thread and MKL's flush denormal numbers; afterwards all is as before.

    Threads of Paddle's own operations that were started before do not.
    """
    library = _library()
    if library is None:
        yield
        return
    before, within = (ctypes.c_uint8 * _SIZE)(), (ctypes.c_uint8 * _SIZE)()
    library.fegetenv(before)
    library.fegetenv(within)
    control = ctypes.c_uint32.from_buffer(within, _MXCSR)
    control.value |= FLUSH_BITS
    library.fesetenv(within)
    try:
        yield
    finally:
        library.fesetenv(before)
