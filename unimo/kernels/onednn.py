"""Products of few rows with a weight that was packed for them, by oneDNN, which comes with Paddle.

A decoding step multiplies 20 rows with every weight of the network, and waits for memory. oneDNN's kernels for AVX-512
read a weight in the order they need it; those for less than AVX-512 pack nothing. Spoken to by its C interface (v3).
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import math
import threading
import weakref
from collections.abc import Iterator
from ctypes import byref, c_int, c_int64, c_size_t, c_void_p
from pathlib import Path
from typing import Any

import paddle
from paddle import Tensor

from unimo.kernels.sharing import addresses, empty, num_threads

LIBRARY = "libdnnl.so.3"
USUAL_ROWS = 20  # that the layout is chosen for: 4 examples, beam 5

# of dnnl_types.h and dnnl_common_types.h
CPU, IN_ORDER, F32, ANY_LAYOUT, ROW_MAJOR = 1, 1, 3, 1, 3
SOURCE, TARGET, WEIGHTS = 1, 17, 33  # arguments of a primitive
QUERY_NAME, QUERY_WEIGHTS = 8, 131
MOST_DIMENSIONS = 12


class _Argument(ctypes.Structure):
    _fields_ = (("number", c_int), ("memory", c_void_p))


class _Library:
    """oneDNN with one engine and one stream."""

    def __init__(self, path: Path) -> None:
        self.library = ctypes.CDLL(str(path))
        self.library.dnnl_primitive_desc_query_md.restype = c_void_p
        self.library.dnnl_memory_desc_get_size.restype = c_size_t
        self.lock = threading.Lock()
        self.engine = self.make("engine_create", CPU, c_size_t(0))
        self.stream = self.make("stream_create", self.engine, IN_ORDER)

    def call(self, name: str, *arguments: Any) -> None:
        """Call a function that returns a status."""
        status = getattr(self.library, f"dnnl_{name}")(*arguments)
        if status != 0:
            raise RuntimeError(f"oneDNN: {name} failed with status {status}")

    def make(self, name: str, *arguments: Any) -> c_void_p:
        """What a function that creates something created."""
        made = c_void_p()
        self.call(name, byref(made), *arguments)
        return made

    def matrix(self, num_rows: int, num_columns: int, layout: int = ROW_MAJOR) -> c_void_p:
        """Description of a matrix of float32."""
        sizes = (c_int64 * MOST_DIMENSIONS)(num_rows, num_columns)
        return self.make("memory_desc_create_with_tag", 2, sizes, F32, layout)

    def transposed(self, num_rows: int, num_columns: int) -> c_void_p:
        """Description of a matrix of float32 whose columns lie one after another."""
        sizes, strides = (c_int64 * MOST_DIMENSIONS)(num_rows, num_columns), (c_int64 * MOST_DIMENSIONS)(1, num_rows)
        return self.make("memory_desc_create_with_strides", 2, sizes, F32, strides)

    def memory(self, description: c_void_p, address: int) -> c_void_p:
        """A matrix at an address."""
        return self.make("memory_create", description, self.engine, c_void_p(address))

    def run(self, primitive: c_void_p, arguments: dict[int, c_void_p]) -> None:
        """Run to the end."""
        given = (_Argument * len(arguments))(*(_Argument(number, each.value) for number, each in arguments.items()))
        self.call("primitive_execute", primitive, self.stream, len(arguments), given)
        self.call("stream_wait", self.stream)


@functools.cache
def _onednn() -> _Library | None:
    """The library, or None where Paddle brings none of this version."""
    path = Path(paddle.__file__).parent / "libs" / LIBRARY
    if not path.is_file():
        return None
    return _Library(path)


@contextlib.contextmanager
def _all_threads() -> Iterator[None]:
    """Let this thread's OpenMP, which the library asks, take as many threads as Paddle's products, not one."""
    openmp = _openmp() if num_threads() > 1 else None
    if openmp is None:
        yield
        return
    before = openmp.omp_get_max_threads()
    openmp.omp_set_num_threads(num_threads())
    try:
        yield
    finally:
        openmp.omp_set_num_threads(before)


@functools.cache
def _openmp() -> ctypes.CDLL | None:
    path = Path(paddle.__file__).parent / "libs" / "libiomp5.so"
    return ctypes.CDLL(str(path)) if path.is_file() else None


@functools.cache
def _layout(in_size: int, out_size: int) -> c_void_p | None:
    """How a weight is to be packed; None where it is not worth packing."""
    one = _onednn()
    if one is None:
        return None
    product = _product(in_size, out_size, USUAL_ROWS, None)
    name = ctypes.c_char_p()
    one.call("primitive_desc_query", product, QUERY_NAME, 0, byref(name))
    if b"avx512" not in (name.value or b""):
        return None
    return c_void_p(one.library.dnnl_primitive_desc_query_md(product, QUERY_WEIGHTS, 0))


def _product(in_size: int, out_size: int, num_rows: int, layout: c_void_p | None) -> c_void_p:
    """Description of [num_rows, in] times [in, out]; without a layout the library chooses one."""
    one = _onednn()
    assert one is not None
    weight = layout or one.matrix(in_size, out_size, ANY_LAYOUT)
    source, target = one.matrix(num_rows, in_size), one.matrix(num_rows, out_size)
    product = one.make("matmul_primitive_desc_create", one.engine, source, weight, None, target, None)
    for description in (source, target) if layout else (source, target, weight):
        one.call("memory_desc_destroy", description)
    return product


@functools.cache
def _primitive(in_size: int, out_size: int, num_rows: int) -> tuple[c_void_p, c_void_p, c_void_p]:
    """The product of so many rows with a packed weight, and memory for what goes in and comes out."""
    one = _onednn()
    assert one is not None
    description = _product(in_size, out_size, num_rows, _layout(in_size, out_size))
    source, target = one.matrix(num_rows, in_size), one.matrix(num_rows, out_size)
    made = one.make("primitive_create", description), one.memory(source, 0), one.memory(target, 0)
    one.call("primitive_desc_destroy", description)
    for each in (source, target):
        one.call("memory_desc_destroy", each)
    return made


class PackedWeight:
    """A copy of a weight [in, out] that rows [..., in] are multiplied with: see :func:`packed`."""

    def __init__(self, weight: Tensor, transposed: bool) -> None:
        """``weight`` float32 on CPU, of a size that :func:`packed` found worth packing."""
        one, (self.in_size, self.out_size) = _onednn(), _sizes(weight, transposed)
        layout = _layout(self.in_size, self.out_size)
        assert one is not None and layout is not None
        weight = weight.contiguous()
        self.num_copied = one.library.dnnl_memory_desc_get_size(layout) // 4
        self._numbers = empty([self.num_copied])
        self._memory = one.memory(layout, self._numbers.data_ptr())
        weakref.finalize(self, one.library.dnnl_memory_destroy, self._memory)
        plain = (one.transposed if transposed else one.matrix)(self.in_size, self.out_size)
        reorder = one.make("reorder_primitive_desc_create", plain, one.engine, layout, one.engine, None)
        source, primitive = one.memory(plain, weight.data_ptr()), one.make("primitive_create", reorder)
        with one.lock:
            one.run(primitive, {SOURCE: source, TARGET: self._memory})
        one.call("memory_destroy", source)
        one.call("primitive_destroy", primitive)
        one.call("primitive_desc_destroy", reorder)
        one.call("memory_desc_destroy", plain)

    def __call__(self, rows: Tensor) -> Tensor:
        """[..., in] -> [..., out], without gradient."""
        one = _onednn()
        assert one is not None and rows.shape[-1] == self.in_size
        *outer, _ = rows.shape
        rows, out = rows.contiguous(), empty([*outer, self.out_size])
        from_rows, to_out = addresses(rows, out)
        with one.lock, _all_threads():  # the primitive's memories are every thread's
            primitive, source, target = _primitive(self.in_size, self.out_size, math.prod(outer))
            one.call("memory_set_data_handle", source, c_void_p(from_rows))
            one.call("memory_set_data_handle", target, c_void_p(to_out))
            one.run(primitive, {SOURCE: source, WEIGHTS: self._memory, TARGET: target})
        return out


def packed(weight: Tensor, transposed: bool = False) -> PackedWeight | None:
    """A copy of a weight [in, out], or [out, in], packed; None where this machine's kernels take it as it is."""
    return None if _layout(*_sizes(weight, transposed)) is None else PackedWeight(weight, transposed)


def _sizes(weight: Tensor, transposed: bool) -> tuple[int, int]:
    """What goes in and what comes out."""
    first, second = weight.shape
    return (second, first) if transposed else (first, second)
