"""Rows shared out among threads, as many as Paddle's matrix products take."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import paddle
from paddle import Tensor

from unimo.runtime.settings import usable_cores

_CPU = paddle.CPUPlace()

FEWEST_NUMBERS = 1 << 15
"""Of a thread's part: less is done sooner than a thread is woken."""


@functools.cache
def num_threads() -> int:
    """The threads that Paddle's matrix library was told to take; without a word it takes one."""
    given = os.environ.get("MKL_NUM_THREADS") or os.environ.get("OMP_NUM_THREADS") or "1"
    return min(int(given), usable_cores()) if given.isdecimal() and int(given) else 1


@functools.cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(num_threads() - 1, "unimo-rows")


os.register_at_fork(after_in_child=_threads.cache_clear)  # a child has none of its parent's threads


def num_parts(num_rows: int, size: int) -> int:
    """The parts that ``num_rows`` rows of ``size`` numbers are worked on in."""
    return max(1, min(num_threads(), num_rows, num_rows * size // FEWEST_NUMBERS))


def over_rows(loop: Callable[..., None], num_rows: int, size: int, *arguments: Any) -> None:
    """Run a loop of :mod:`unimo.kernels.loops` over all rows of ``size`` numbers, in :func:`num_parts` threads."""
    parts = num_parts(num_rows, size)
    if parts == 1:
        loop(*arguments, 0, 0, num_rows)
        return
    bounds, others = [part * num_rows // parts for part in range(parts + 1)], []
    try:
        for part in range(1, parts):
            others.append(_threads().submit(loop, *arguments, part, bounds[part], bounds[part + 1]))
        loop(*arguments, 0, bounds[0], bounds[1])
    finally:
        wait(others)  # also where this one is interrupted: they write to memory that is freed afterwards
    for other in others:
        other.result()


def empty(shape: Sequence[int]) -> Tensor:
    """A float32 tensor on CPU, as `paddle.empty` makes it, whose checks take longer than a small loop."""
    return paddle._C_ops.empty(shape, paddle.float32, _CPU)


def addresses(*tensors: Tensor) -> tuple[int, ...]:
    """Where the tensors' numbers lie; contiguous, on CPU, of float32, and alive until the loop has ended."""
    for tensor in tensors:
        assert tensor.dtype == paddle.float32 and tensor.is_contiguous(), tensor.shape
    return tuple(tensor.data_ptr() for tensor in tensors)
