"""The compiled loops as operations of Paddle, with their gradients, of which there are no second ones.

Sizes are checked here, since the loops check nothing. Inputs that are not contiguous are made so, in place.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import paddle
from paddle import Tensor
from paddle.autograd import PyLayer
from paddle.autograd.py_layer import once_differentiable

from unimo.kernels import loops
from unimo.kernels.onednn import packed as packed
from unimo.kernels.sharing import addresses, empty, num_parts, over_rows

RANGE = 1 << 32  # of the random numbers that decide on an element


@dataclass(frozen=True)
class Drop:
    """One draw of dropout: which elements are dropped follows from it, so that no mask is kept."""

    seed: np.uint32
    other_seed: np.uint32
    threshold: np.uint32
    scale: np.float32

    @classmethod
    def draw(cls, probability: float) -> Drop:
        """A new one, seeded by Paddle's generator; the share that is dropped is exact to 2^-32."""
        if probability == 0.0:
            return NOTHING
        first, second = paddle.randint(0, 2**31 - 1, [2]).tolist()
        threshold = min(round(probability * RANGE), RANGE - 1)
        scale = 0.0 if probability == 1.0 else RANGE / (RANGE - threshold)
        return cls(np.uint32(first), np.uint32(second), np.uint32(threshold), np.float32(scale))

    @property
    def numbers(self) -> tuple[np.uint32, np.uint32, np.uint32, np.float32]:
        """As the loops take it."""
        return self.seed, self.other_seed, self.threshold, self.scale


NOTHING = Drop(np.uint32(0), np.uint32(0), np.uint32(0), np.float32(1.0))


def _rows(tensor: Tensor) -> tuple[int, int]:
    """Number and size of its rows."""
    *outer, size = tensor.shape or [1]
    return math.prod(outer), size


def _expect(shape: list[int], *tensors: Tensor) -> None:
    """Raise a ValueError where the tensors are not of a shape."""
    for tensor in tensors:
        if tensor.shape != shape:
            raise ValueError(f"expected a tensor of shape {shape}, not {tensor.shape}")


def _sums(num_rows: int, size: int, sets: int = 1) -> Tensor:
    """Zeros [parts, sets, size] for the sums of each part of the rows."""
    return empty([num_parts(num_rows, size), sets, size]).zero_()


def _note(ctx: Any, *tensors: Tensor) -> None:
    """Remember which of the operation's tensors want a gradient."""
    ctx.wanted = [not tensor.stop_gradient for tensor in tensors]


def _wanted(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
    """The gradients of the tensors that want one, None for the others, as Paddle demands."""
    return tuple(each if wanted else None for each, wanted in zip(gradients, ctx.wanted, strict=True))


def _drop(values: Tensor, drop: Drop) -> Tensor:
    (num_rows, size), out = _rows(values), empty(values.shape)
    over_rows(loops.dropped, num_rows, size, addresses(values, out), size, drop.numbers)
    return out


class _Dropout(PyLayer):
    @staticmethod
    def forward(ctx: Any, values: Tensor, drop: Drop) -> Tensor:
        ctx.drop = drop
        return _drop(values, drop)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        gradient = gradient.contiguous()
        return _drop(gradient, ctx.drop)


def dropout(values: Tensor, probability: float) -> Tensor:
    """A share of the values set to 0 and the others scaled up; any shape. Paddle's seed fixes which."""
    return _Dropout.apply(values.contiguous(), Drop.draw(probability))


def _gelu(product: Tensor, bias: Tensor) -> Tensor:
    (num_rows, size), out = _rows(product), empty(product.shape)
    over_rows(loops.gelu, num_rows, size, addresses(product, bias, out), size)
    return out


class _Gelu(PyLayer):
    @staticmethod
    def forward(ctx: Any, product: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(product, bias)
        _note(ctx, product, bias)
        return _gelu(product, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        product, bias = ctx.saved_tensor()
        (num_rows, size), out = _rows(product), empty(product.shape)
        sums = _sums(num_rows, size)
        gradient = gradient.contiguous()  # held until the loop has ended
        arrays = addresses(product, bias, gradient, out, sums)
        over_rows(loops.gelu_gradient, num_rows, size, arrays, size)
        return _wanted(ctx, out, sums.sum([0, 1]))


def gelu(product: Tensor, bias: Tensor) -> Tensor:
    """gelu(product + bias), exact: [..., N] and [N] -> [..., N]."""
    product = product.contiguous()
    _expect(product.shape[-1:], bias)
    return _Gelu.apply(product, bias) if paddle.is_grad_enabled() else _gelu(product, bias)


def _softmax(logits: Tensor, bias: Tensor) -> Tensor:
    (num_rows, size), out = _rows(logits), empty(logits.shape)
    spread = logits.shape[1] // bias.shape[1]
    over_rows(loops.softmax, num_rows, size, addresses(logits, bias, out), size, logits.shape[2], spread)
    return out


class _AttentionWeights(PyLayer):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, bias: Tensor, drop: Drop) -> Tensor:
        weights = _softmax(logits, bias)
        ctx.save_for_backward(weights.detach())  # what is returned itself would keep the graph, and itself, for ever
        ctx.drop = drop
        return _drop(weights, drop) if drop.threshold else weights

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (weights,) = ctx.saved_tensor()
        (num_rows, size), out = _rows(weights), empty(weights.shape)
        gradient = gradient.contiguous()  # held until the loop has ended
        arrays = addresses(weights, gradient, out)
        over_rows(loops.softmax_gradient, num_rows, size, arrays, size, ctx.drop.numbers)
        return out, None


def attention_weights(logits: Tensor, bias: Tensor, dropout_prob: float) -> Tensor:
    """dropout(softmax(logits + bias)): [B, H, Q, K] and a bias [B, 1 or H, Q, K], which has no gradient."""
    logits, bias = logits.contiguous(), bias.contiguous()
    batch, heads, queries, keys = logits.shape
    _expect([batch, heads if bias.shape[1] == heads else 1, queries, keys], bias)
    if not paddle.is_grad_enabled() and dropout_prob == 0.0:
        return _softmax(logits, bias)
    return _AttentionWeights.apply(logits, bias, Drop.draw(dropout_prob))


def _add_norm(
    update: Tensor, bias: Tensor, residual: Tensor, gain: Tensor, shift: Tensor, epsilon: float, drop: Drop
) -> tuple[Tensor, Tensor]:
    """The sum before the normalisation, and what is normalised."""
    (num_rows, size), added, out = _rows(update), empty(update.shape), empty(update.shape)
    arrays = addresses(update, bias, residual, gain, shift, added, out)
    over_rows(loops.add_norm, num_rows, size, arrays, size, epsilon, drop.numbers)
    return added, out


class _AddNorm(PyLayer):
    @staticmethod
    def forward(
        ctx: Any,
        update: Tensor,
        bias: Tensor,
        residual: Tensor,
        gain: Tensor,
        shift: Tensor,
        epsilon: float,
        drop: Drop,
    ) -> Tensor:
        added, out = _add_norm(update, bias, residual, gain, shift, epsilon, drop)
        ctx.save_for_backward(added, gain)
        ctx.epsilon, ctx.drop = epsilon, drop
        _note(ctx, update, bias, residual, gain, shift)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        added, gain = ctx.saved_tensor()
        num_rows, size = _rows(added)
        to_residual, to_update, sums = empty(added.shape), empty(added.shape), _sums(num_rows, size, 3)
        gradient = gradient.contiguous()  # held until the loop has ended
        arrays = addresses(added, gain, gradient, to_residual, to_update, sums)
        over_rows(loops.add_norm_gradient, num_rows, size, arrays, size, ctx.epsilon, ctx.drop.numbers)
        to_bias, to_gain, to_shift = paddle.unbind(sums.sum(0))
        return _wanted(ctx, to_update, to_bias, to_residual, to_gain, to_shift)


def add_norm(
    update: Tensor, bias: Tensor, residual: Tensor, gain: Tensor, shift: Tensor, epsilon: float, dropout_prob: float
) -> Tensor:
    """Layer normalisation of residual + dropout(update + bias), [..., N] -> [..., N]; all but these two are [N]."""
    update, residual, drop = update.contiguous(), residual.contiguous(), Drop.draw(dropout_prob)
    _expect(update.shape, residual)
    _expect(update.shape[-1:], bias, gain, shift)
    if not paddle.is_grad_enabled():
        return _add_norm(update, bias, residual, gain, shift, epsilon, drop)[1]
    return _AddNorm.apply(update, bias, residual, gain, shift, epsilon, drop)


def _split_heads(product: Tensor, bias: Tensor, num_heads: int) -> tuple[Tensor, Tensor, Tensor]:
    batch, length, size = product.shape
    width = size // (3 * num_heads)
    queries, keys, values = (empty([batch, num_heads, length, width]) for _ in range(3))
    arrays = addresses(product, bias, queries, keys, values)
    over_rows(loops.split_heads, batch * length, size, arrays, (length, num_heads, width))
    return queries, keys, values


class _SplitHeads(PyLayer):
    @staticmethod
    def forward(ctx: Any, product: Tensor, bias: Tensor, num_heads: int) -> tuple[Tensor, Tensor, Tensor]:
        _note(ctx, product, bias)
        return _split_heads(product, bias, num_heads)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        batch, heads, length, width = gradients[0].shape
        num_rows, size = batch * length, 3 * heads * width
        out, sums = empty([batch, length, size]), _sums(num_rows, size)
        dense = [each.contiguous() for each in gradients]  # held until the loop has ended
        arrays = addresses(*dense, out, sums)
        over_rows(loops.split_heads_gradient, num_rows, size, arrays, (length, heads, width))
        return _wanted(ctx, out, sums.sum([0, 1]))


def split_heads(product: Tensor, bias: Tensor, num_heads: int) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, over the root of their width, keys and values: [B, L, 3 D] and bias [3 D] -> three of [B, H, L, D/H]."""
    product = product.contiguous()
    _expect(product.shape[-1:], bias)
    if not paddle.is_grad_enabled():
        return _split_heads(product, bias, num_heads)
    return _SplitHeads.apply(product, bias, num_heads)


def attend_step(
    queries: Tensor, keys: Tensor, values: Tensor, slot_keys: Tensor, slot_values: Tensor, bias: Tensor
) -> Tensor:
    """A decoding step's attention, without gradient: -> [B, K, D].

    Args:
        queries: [B, H, K, D/H], scaled already.
        keys: [B, H, P, D/H] of the prefix.
        values: the same of its values.
        slot_keys: [B, H, S, D/H] of generated tokens.
        slot_values: the same of their values.
        bias: [B, 1, K, P + S], negative where a hypothesis must not look; it must look somewhere.
    """
    batch, heads, count, width = queries.shape
    _expect([batch, heads, keys.shape[2], width], keys, values)
    _expect([batch, heads, slot_keys.shape[2], width], slot_keys, slot_values)
    _expect([batch, 1, count, keys.shape[2] + slot_keys.shape[2]], bias)
    sizes = (heads, count, keys.shape[2], slot_keys.shape[2], width)
    out = empty([batch, count, heads * width])
    arrays = addresses(queries, keys, values, slot_keys, slot_values, bias, out)
    over_rows(loops.attend_step, batch * heads, count * width * (sizes[2] + sizes[3]), arrays, sizes)
    return out


def most_likely(logits: Tensor, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The ``count`` largest of softmax(logits) [N, V] and their places, [N, count] each, without gradient.

    The largest first, on ties the first place first. Of a row that holds what is not a number, the first places.
    """
    logits = logits.contiguous()
    num_rows, size = logits.shape
    assert count <= size
    tops, places = np.empty((num_rows, count), np.float32), np.empty((num_rows, count), np.int64)
    over_rows(loops.most_likely, num_rows, size, *addresses(logits), size, tops, places)
    return tops, places


def adamw(
    parameter: Tensor,
    gradient: Tensor,
    moments: tuple[Tensor, Tensor],
    betas: tuple[float, float],
    rate: float,
    kept: float,
    epsilon: float,
) -> None:
    """Update a parameter and its moments in place; see :func:`unimo.kernels.loops.adamw`. Any one shape."""
    gradient = gradient.contiguous()
    _expect(parameter.shape, gradient, *moments)
    arrays = addresses(parameter, gradient, *moments)
    over_rows(loops.adamw, parameter.size, 1, arrays, parameter.size, betas, rate, kept, epsilon)
