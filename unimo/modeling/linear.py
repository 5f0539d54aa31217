"""A fully connected layer whose bias gradient is a matrix product.

Paddle's CPU kernel sums the rows of the output gradient for the bias one after another, which costs a quarter of a
tiny model's training step (94.6 -> 75.2 ms at 64 x 26 positions of width 128, 2 cores); ones @ gradient is
the same sum.
"""

from __future__ import annotations

import math
from typing import Protocol

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn
from paddle.autograd import PyLayer

from unimo import kernels


class _LinearWithFastBias(PyLayer):
    """y = x W + b with hand-written gradients."""

    @staticmethod
    def forward(ctx, inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        ctx.save_for_backward(inputs, weight)
        return F.linear(inputs, weight, bias)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # type: ignore[no-untyped-def]
        inputs, weight = ctx.saved_tensor()
        rows = gradient.reshape([-1, gradient.shape[-1]])
        weight_gradient = paddle.matmul(inputs.reshape([-1, inputs.shape[-1]]), rows, transpose_x=True)
        bias_gradient = paddle.matmul(paddle.ones([1, rows.shape[0]], rows.dtype), rows).reshape([-1])
        return paddle.matmul(gradient, weight, transpose_y=True), weight_gradient, bias_gradient


class WeightCopy(Protocol):
    """A copy of a weight, which [..., in] -> [..., out] goes through."""

    num_copied: int
    """The numbers that it takes more memory for."""

    def __call__(self, rows: Tensor) -> Tensor:
        """[..., in] -> [..., out], without bias or gradient."""


class Linear(nn.Linear):
    """Paddle's Linear, [..., in] -> [..., out], with the faster bias gradient where it helps: training on CPU.

    Where ``copies`` holds one of its weight, that products of few rows go through faster, it reads that (decoding).
    """

    def __init__(self, in_size: int, out_size: int, weight_attr: paddle.ParamAttr | None = None) -> None:
        super().__init__(in_size, out_size, weight_attr=weight_attr)
        self.copies: list[WeightCopy] = []

    def forward(self, inputs: Tensor) -> Tensor:
        """[..., in] -> [..., out]."""
        if self.copies and reads_copies(inputs):
            return self.copies[0](inputs) + self.bias
        differentiated = paddle.in_dynamic_mode() and paddle.is_grad_enabled() and not self.weight.stop_gradient
        if differentiated and not inputs.stop_gradient and inputs.place.is_cpu_place():
            return _LinearWithFastBias.apply(inputs, self.weight, self.bias)
        return F.linear(inputs, self.weight, self.bias)

    def product(self, inputs: Tensor) -> Tensor:
        """[..., in] -> [..., out] without the bias, for what adds it along with something else."""
        if self.copies and reads_copies(inputs):
            return self.copies[0](inputs)
        return paddle.matmul(inputs, self.weight)


MOST_ROWS = 128  # 320 rows take 1.2 times as long through a packed weight
LINE, PAGE = 16, 1024  # numbers of a cache line, and of a page of memory


def reads_copies(inputs: Tensor) -> bool:
    """Whether the rows [..., in] are few, and weights are only read: neither trained nor traced."""
    if not paddle.in_dynamic_mode() or paddle.is_grad_enabled():
        return False
    return math.prod(inputs.shape[:-1]) <= MOST_ROWS


def for_few_rows(weight: Tensor, transposed: bool = False) -> WeightCopy:
    """A weight [in, out], or [out, in], as products of few rows go through it fastest here: packed or padded."""
    found = kernels.functions.packed(weight, transposed) if kernels.can_work_on(weight) else None
    return found or PaddedWeight(weight.t() if transposed else weight)


class PaddedWeight:
    """A weight [in, out] whose rows begin at cache lines, and are not whole pages apart.

    Rows a page apart share the same few places of the cache. MKL multiplies 20 rows with 768 x 3072 in 4.2 ms and with
    768 x 3088 in 2.4, with 768 x 50,265 in 65 and with 768 x 50,272 in 35 (with 50,265 x 768 transposed in 51; Zen 4).
    A weight that needs no padding is not copied.
    """

    def __init__(self, weight: Tensor) -> None:
        in_size, self.out_size = weight.shape
        size = -(-self.out_size // LINE) * LINE
        if size % PAGE == 0:
            size += LINE
        self.weight, self.num_copied = weight, 0 if size == self.out_size else in_size * size
        if self.num_copied:
            self.weight = paddle.concat([weight, paddle.zeros([in_size, size - self.out_size], weight.dtype)], axis=1)

    def __call__(self, rows: Tensor) -> Tensor:
        """[..., in] -> [..., out]."""
        product = paddle.matmul(rows, self.weight)
        return product if product.shape[-1] == self.out_size else product[..., : self.out_size]
