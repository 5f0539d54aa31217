"""Numbers too small for a normal float are taken as 0 on an x86-64 CPU.

A network that has learned is sure of much, and what is left of the rest grows ever smaller; a processor takes some
hundred cycles for each product with such a number. Losses and gradients of a tiny model took 2.2 and 3.5 times as long
at the end of two trainings (tests/benchmarks/RESULTS.md; which operations they come from was not traced). What is lost
lies below 1.2e-38. Whoever tests for the smallest floats (hypothesis does) is in for a surprise, which is why programs
flush and an import does not.
"""

from __future__ import annotations

import ctypes
import platform
import warnings

FLUSH_BITS = 0x8040  # of MXCSR: results that are denormal become 0, and operands count as 0
_SIZE, _MXCSR = 32, 28  # bytes of glibc's fenv_t on x86-64, and where it keeps MXCSR


def can_flush() -> bool:
    """Whether this is an x86-64 processor under glibc, whose floating-point environment is known here."""
    return platform.machine() == "x86_64" and platform.libc_ver()[0] == "glibc"


def flush_denormals() -> None:
    """From now on this thread flushes denormal numbers, and so does every thread that it starts.

    Threads that run already (Paddle's, if it was used before) go on as they were.
    """
    library = ctypes.CDLL("libm.so.6")
    environment = (ctypes.c_uint8 * _SIZE)()
    library.fegetenv(environment)
    ctypes.c_uint32.from_buffer(environment, _MXCSR).value |= FLUSH_BITS
    library.fesetenv(environment)
    # numpy looks at the limits of a float's range, and warns that the smallest denormal number is zero, as it now is
    warnings.filterwarnings("ignore", message="The value of the smallest subnormal", category=UserWarning)
