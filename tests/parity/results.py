"""What the checks print and count."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

Array = np.ndarray


class Results:
    """Prints one line a check, and counts."""

    def __init__(self) -> None:
        self.passed, self.failed = 0, 0

    def __call__(self, name: str, good: bool, what: str = "") -> None:
        """One check, and what was found."""
        self.passed += good
        self.failed += not good
        print(f"{'ok  ' if good else 'FAIL'} {name}{': ' if what else ''}{what}", flush=True)

    def within(self, name: str, error: float, bound: float) -> None:
        """``error`` must not exceed ``bound``; what is not a number fails."""
        self(name, bool(error <= bound), f"{error:.2g} (at most {bound:.2g})")

    def equal(self, name: str, ours: object, golden: object) -> None:
        """Both must be the same; what differs is shown, shortened."""
        good = bool(ours == golden)
        self(name, good, "identical" if good else f"{str(ours)[:200]!r} in place of {str(golden)[:200]!r}")

    @contextmanager
    def guard(self, name: str) -> Iterator[None]:
        """What the block raises is one failed check under ``name``, and the checks after it go on.

        Everything is caught: the goldens are a stranger's, and one broken file must not hide what the others show.
        """
        try:
            yield
        except Exception as error:
            self(name, False, f"{type(error).__name__}: {error}")


def largest(ours: Any, golden: Array, rows: Array | None = None) -> float:
    """Largest absolute difference of two arrays of one size, of ``rows`` only where given."""
    ours = np.asarray(ours.numpy() if hasattr(ours, "numpy") else ours, np.float64)
    difference = np.abs(ours.reshape(golden.shape) - golden)
    return float((difference if rows is None else difference[rows]).max(initial=0.0))


def relative(ours: float, golden: float) -> float:
    """Difference as a share of the golden; of a golden 0, the difference itself."""
    return abs(ours - golden) / (abs(golden) or 1.0)
