"""The compiled loops: what lies between a Transformer's matrix products, each in one pass over memory.

Every loop reads and writes rows ``first`` to ``last`` (without it) of float32 ``arrays``, which are given by their
addresses; ``part`` numbers the threads that share the rows out, so that each adds up sums of its own. Sizes must be
right, for nothing is checked here. All loops stand in this one file because numba, which keeps compiled code on disk,
notices changes of a loop's own file alone; after one of `compiling.py` delete what it kept.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import carray, types
from numba.extending import intrinsic

from unimo.kernels.compiling import compiled, inlined

F32, U32, I32 = np.float32, np.uint32, np.int32
BYTES = 4


def _make_pointer(typing: Any, address: Any) -> Any:
    """An address as a pointer to float32."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return types.CPointer(types.float32)(address), generate


_pointer: Any = intrinsic(_make_pointer)


@inlined
def _row(address: int, number: int, size: int) -> Any:
    """One row of an array of rows of ``size`` numbers."""
    return carray(_pointer(address + number * size * BYTES), (size,))


@inlined
def _exp(x: Any) -> Any:
    """e^x to 2 units in the last place: 2^n times a Taylor polynomial.

    Below -64 it stays at e^-64, as in Paddle's softmax, and above 88 at e^88.
    """
    x = F32(-64.0) if x < F32(-64.0) else x  # in this order not a number passes
    x = F32(88.0) if x > F32(88.0) else x
    n = np.floor(x * F32(1.4426950408889634) + F32(0.5))
    x = (x - n * F32(0.693359375)) + n * F32(2.12194440054690583e-4)  # ln 2 in two parts, the first without rounding
    series = F32(1 / 5040)
    series = series * x + F32(1 / 720)
    series = series * x + F32(1 / 120)
    series = series * x + F32(1 / 24)
    series = series * x + F32(1 / 6)
    series = series * x + F32(0.5)
    series = series * x + F32(1.0)
    series = series * x + F32(1.0)
    return series * I32((I32(n) + I32(127)) << I32(23)).view(F32)


@inlined
def _normal(x: Any) -> Any:
    """The normal distribution's share below x, and its density at x: to 1e-7 (Abramowitz and Stegun 7.1.26)."""
    gauss = _exp(F32(-0.5) * x * x)
    t = F32(1.0) / (F32(1.0) + F32(0.3275911 / math.sqrt(2.0)) * abs(x))
    series = F32(1.061405429)
    series = series * t + F32(-1.453152027)
    series = series * t + F32(1.421413741)
    series = series * t + F32(-0.284496736)
    series = series * t + F32(0.254829592)
    tail = F32(0.5) * series * t * gauss
    return (tail if x < F32(0.0) else F32(1.0) - tail), gauss * F32(1 / math.sqrt(2.0 * math.pi))


@inlined
def _mixed(x: Any) -> Any:
    """Every bit of 32 depends on every other: multiplications and shifts (the finaliser of MurmurHash 3)."""
    x = U32((x ^ (x >> U32(16))) * U32(0x85EBCA6B))
    x = U32((x ^ (x >> U32(13))) * U32(0xC2B2AE35))
    return U32(x ^ (x >> U32(16)))


@inlined
def _factor(number: Any, seed: Any, other_seed: Any, threshold: Any, scale: Any) -> Any:
    """What dropout multiplies element ``number`` by: ``scale``, or 0 where 32 random bits lie below ``threshold``."""
    bits = _mixed(_mixed(U32(number + seed)) ^ other_seed)  # numba's sums of 32 bits have 64
    return scale if bits >= threshold else F32(0.0)


@compiled
def dropped(arrays: Any, size: int, drop: Any, part: int, first: int, last: int) -> None:
    """Values times their factors of dropout, gradients too; ``drop`` from :class:`unimo.kernels.functions.Drop`."""
    values, out = arrays
    seed, other, threshold, scale = drop
    for r in range(first, last):
        value, target = _row(values, r, size), _row(out, r, size)
        start = U32(r * size)
        for i in range(size):
            target[i] = value[i] * _factor(start + U32(i), seed, other, threshold, scale)


@compiled
def gelu(arrays: Any, size: int, part: int, first: int, last: int) -> None:
    """gelu(product + bias), exact."""
    product, bias, out = arrays
    shift = _row(bias, 0, size)
    for r in range(first, last):
        value, target = _row(product, r, size), _row(out, r, size)
        for i in range(size):
            x = value[i] + shift[i]
            target[i] = x * _normal(x)[0]


@compiled
def gelu_gradient(arrays: Any, size: int, part: int, first: int, last: int) -> None:
    """Gradient of :func:`gelu` by the product; that by the bias is added to row ``part`` of ``bias_sums``."""
    product, bias, gradient, out, bias_sums = arrays
    shift, sums = _row(bias, 0, size), _row(bias_sums, part, size)
    for r in range(first, last):
        value, outer, target = _row(product, r, size), _row(gradient, r, size), _row(out, r, size)
        for i in range(size):
            x = value[i] + shift[i]
            share, density = _normal(x)
            inner = outer[i] * (share + x * density)
            target[i] = inner
            sums[i] += inner


@inlined
def _ordered(bits: Any) -> Any:
    """The bits of a float as a number of the same order, and back: maxima of integers take vectors, of floats not."""
    return bits ^ ((bits >> I32(31)) & I32(0x7FFFFFFF))


@inlined
def _largest(values: Any, size: int) -> Any:
    """The largest of a row; not a number where one is that, of positive sign."""
    top = I32(-0x80000000)
    for i in range(size):
        top = max(top, I32(_ordered(F32(values[i]).view(I32))))
    return I32(_ordered(top)).view(F32)


@compiled
def softmax(arrays: Any, size: int, queries: int, spread: int, part: int, first: int, last: int) -> None:
    """Softmax of each row of logits + bias.

    The logits are of B x H x ``queries`` rows; the bias of as many (``spread`` 1), or of B x ``queries``, one for all
    of ``spread`` = H heads.
    """
    logits, bias, out = arrays
    for r in range(first, last):
        value, target = _row(logits, r, size), _row(out, r, size)
        shift = _row(bias, r // (queries * spread) * queries + r % queries, size)
        for i in range(size):
            target[i] = value[i] + shift[i]
        top = _largest(target, size)
        total = F32(0.0)
        for i in range(size):
            x = _exp(target[i] - top)
            target[i] = x
            total += x
        share = F32(1.0) / total
        for i in range(size):
            target[i] *= share


@compiled
def softmax_gradient(arrays: Any, size: int, drop: Any, part: int, first: int, last: int) -> None:
    """Gradient of :func:`softmax` by the logits; ``gradient`` is that by the weights after dropout."""
    weights, gradient, out = arrays
    seed, other, threshold, scale = drop
    for r in range(first, last):
        weight, outer, target = _row(weights, r, size), _row(gradient, r, size), _row(out, r, size)
        start, total = U32(r * size), F32(0.0)
        for i in range(size):
            x = outer[i] * _factor(start + U32(i), seed, other, threshold, scale)
            target[i] = x
            total += x * weight[i]
        for i in range(size):
            target[i] = weight[i] * (target[i] - total)


@inlined
def _moments(values: Any, size: int, epsilon: Any) -> Any:
    """Mean of a row, and one over its standard deviation."""
    total = F32(0.0)
    for i in range(size):
        total += values[i]
    mean = total / F32(size)
    squares = F32(0.0)
    for i in range(size):
        squares += (values[i] - mean) * (values[i] - mean)
    return mean, F32(1.0) / np.sqrt(squares / F32(size) + F32(epsilon))


@compiled
def add_norm(arrays: Any, size: int, epsilon: float, drop: Any, part: int, first: int, last: int) -> None:
    """added = residual + dropout(update + bias), and its layer normalisation."""
    update, bias, residual, gain, shift, added, out = arrays
    seed, other, threshold, scale = drop
    offset, gains, shifts = _row(bias, 0, size), _row(gain, 0, size), _row(shift, 0, size)
    for r in range(first, last):
        value, old = _row(update, r, size), _row(residual, r, size)
        total, target = _row(added, r, size), _row(out, r, size)
        start = U32(r * size)
        if threshold == U32(0):
            for i in range(size):
                total[i] = old[i] + value[i] + offset[i]
        else:
            for i in range(size):
                total[i] = old[i] + (value[i] + offset[i]) * _factor(start + U32(i), seed, other, threshold, scale)
        mean, inverse = _moments(total, size, epsilon)
        for i in range(size):
            target[i] = (total[i] - mean) * inverse * gains[i] + shifts[i]


@compiled
def add_norm_gradient(arrays: Any, size: int, epsilon: float, drop: Any, part: int, first: int, last: int) -> None:
    """Gradients of :func:`add_norm` by residual and update.

    Those by bias, gain and shift are added to rows 3 ``part``, 3 ``part`` + 1 and 3 ``part`` + 2 of ``sums``.
    """
    added, gain, gradient, residual_out, update_out, sums = arrays
    seed, other, threshold, scale = drop
    gains = _row(gain, 0, size)
    bias_sum, gain_sum = _row(sums, 3 * part, size), _row(sums, 3 * part + 1, size)
    shift_sum = _row(sums, 3 * part + 2, size)
    for r in range(first, last):
        total, outer = _row(added, r, size), _row(gradient, r, size)
        to_residual, to_update = _row(residual_out, r, size), _row(update_out, r, size)
        start = U32(r * size)
        mean, inverse = _moments(total, size, epsilon)
        plain, tilted = F32(0.0), F32(0.0)
        for i in range(size):
            normal = (total[i] - mean) * inverse
            inner = outer[i] * gains[i]
            to_residual[i] = inner
            plain += inner
            tilted += inner * normal
            gain_sum[i] += outer[i] * normal
            shift_sum[i] += outer[i]
        plain, tilted = plain / F32(size), tilted / F32(size)
        for i in range(size):
            normal = (total[i] - mean) * inverse
            inner = (to_residual[i] - plain - normal * tilted) * inverse
            to_residual[i] = inner
            passed = inner * _factor(start + U32(i), seed, other, threshold, scale)
            to_update[i] = passed
            bias_sum[i] += passed


@compiled
def split_heads(arrays: Any, sizes: Any, part: int, first: int, last: int) -> None:
    """Rows of [B, L, 3 H W] + bias into three arrays [B, H, L, W], the queries divided by the root of W."""
    product, bias, queries, keys, values = arrays
    length, heads, width = sizes
    size, scale = heads * width, F32(1.0 / math.sqrt(width))
    shift = _row(bias, 0, 3 * size)
    for r in range(first, last):
        row = _row(product, r, 3 * size)
        for h in range(heads):
            place = (r // length * heads + h) * length + r % length
            query, key, value = _row(queries, place, width), _row(keys, place, width), _row(values, place, width)
            start = h * width
            for i in range(width):
                query[i] = (row[start + i] + shift[start + i]) * scale
            for i in range(width):
                key[i] = row[size + start + i] + shift[size + start + i]
            for i in range(width):
                value[i] = row[2 * size + start + i] + shift[2 * size + start + i]


@compiled
def split_heads_gradient(arrays: Any, sizes: Any, part: int, first: int, last: int) -> None:
    """Gradient of :func:`split_heads` by the product; that by the bias is added to row ``part`` of ``sums``."""
    queries, keys, values, out, sums = arrays
    length, heads, width = sizes
    size, scale = heads * width, F32(1.0 / math.sqrt(width))
    total = _row(sums, part, 3 * size)
    for r in range(first, last):
        row = _row(out, r, 3 * size)
        for h in range(heads):
            place = (r // length * heads + h) * length + r % length
            query, key, value = _row(queries, place, width), _row(keys, place, width), _row(values, place, width)
            start = h * width
            for i in range(width):
                row[start + i] = query[i] * scale
            for i in range(width):
                row[size + start + i] = key[i]
            for i in range(width):
                row[2 * size + start + i] = value[i]
        for i in range(3 * size):
            total[i] += row[i]


@inlined
def _place(prefix: int, slots: int, number: int, place: int, length: int, num_slots: int, width: int) -> Any:
    """A key or value: of the prefix's ``length`` places, or of the slots that follow."""
    before, after = prefix + (number * length + place) * width * BYTES, slots - length * width * BYTES
    return _row(before if place < length else after + (number * num_slots + place) * width * BYTES, 0, width)


@inlined
def _seen(bias: Any, size: int, places: Any) -> Any:
    """Write down where the bias lets look, up to a multiple of four with the last of them again; how many there are."""
    count = 0
    for j in range(size):
        if bias[j] >= F32(0.0):
            places[count] = j
            count += 1
    for j in range(count, (count + 3) // 4 * 4):
        places[j] = places[count - 1]
    return count


@compiled
def attend_step(arrays: Any, sizes: Any, part: int, first: int, last: int) -> None:
    """A decoding step's attention, [B, K, H W]: of K hypotheses to P positions of the prefix and S slots.

    A row is one head of one example. ``bias`` [B, K, P + S] is negative where a hypothesis must not look; it must look
    somewhere. Queries are scaled already. Places are taken four at a time, so that their sums do not wait for each
    other.
    """
    queries, keys, values, slot_keys, slot_values, bias, out = arrays
    heads, hypotheses, length, slots, width = sizes
    places, weights = np.empty(length + slots + 3, np.int64), np.empty(length + slots + 3, F32)
    for r in range(first, last):
        example, head = r // heads, r % heads
        for k in range(hypotheses):
            query = _row(queries, r * hypotheses + k, width)
            count = _seen(_row(bias, example * hypotheses + k, length + slots), length + slots, places)
            padded = (count + 3) // 4 * 4
            for j in range(0, padded, 4):
                key0 = _place(keys, slot_keys, r, places[j], length, slots, width)
                key1 = _place(keys, slot_keys, r, places[j + 1], length, slots, width)
                key2 = _place(keys, slot_keys, r, places[j + 2], length, slots, width)
                key3 = _place(keys, slot_keys, r, places[j + 3], length, slots, width)
                sum0, sum1, sum2, sum3 = F32(0.0), F32(0.0), F32(0.0), F32(0.0)
                for i in range(width):
                    x = query[i]
                    sum0 += x * key0[i]
                    sum1 += x * key1[i]
                    sum2 += x * key2[i]
                    sum3 += x * key3[i]
                weights[j], weights[j + 1], weights[j + 2], weights[j + 3] = sum0, sum1, sum2, sum3
            top, total = _largest(weights, count), F32(0.0)
            for j in range(count):
                weight = _exp(weights[j] - top)
                weights[j] = weight
                total += weight
            weights[count:padded] = F32(0.0)
            target = _row(out, (example * hypotheses + k) * heads + head, width)
            for i in range(width):
                target[i] = F32(0.0)
            for j in range(0, padded, 4):
                value0 = _place(values, slot_values, r, places[j], length, slots, width)
                value1 = _place(values, slot_values, r, places[j + 1], length, slots, width)
                value2 = _place(values, slot_values, r, places[j + 2], length, slots, width)
                value3 = _place(values, slot_values, r, places[j + 3], length, slots, width)
                part0, part1 = weights[j] / total, weights[j + 1] / total
                part2, part3 = weights[j + 2] / total, weights[j + 3] / total
                for i in range(width):
                    target[i] += part0 * value0[i] + part1 * value1[i] + part2 * value2[i] + part3 * value3[i]


@compiled
def most_likely(logits: int, size: int, tops: Any, places: Any, part: int, first: int, last: int) -> None:
    """The largest of each row's softmax and their places, largest first, on ties the first place first.

    Row by row of ``tops`` and ``places``, two arrays. Of blocks of 64 the largest are known, so that only one block is
    looked through for each that is taken.
    """
    weights, num_blocks = np.empty(size, F32), (size + 63) // 64
    maxima = np.empty(num_blocks, F32)
    for r in range(first, last):
        value = _row(logits, r, size)
        top, total = _largest(value, size), F32(0.0)
        for i in range(size):
            x = _exp(value[i] - top)
            weights[i] = x
            total += x
        if not np.isfinite(total):  # nothing can be told apart
            for rank in range(tops.shape[1]):
                tops[r, rank], places[r, rank] = F32(np.nan), rank
            continue
        for block in range(num_blocks):
            maxima[block] = _largest(weights[block * 64 : (block + 1) * 64], min(64, size - block * 64))
        for rank in range(tops.shape[1]):
            best = 0
            for block in range(num_blocks):
                if maxima[block] > maxima[best]:
                    best = block
            start, end = best * 64, min(size, (best + 1) * 64)
            place = start
            for i in range(start, end):
                if weights[i] > weights[place]:
                    place = i
            tops[r, rank], places[r, rank] = weights[place] / total, place
            weights[place] = F32(-1.0)
            maxima[best] = _largest(weights[start:end], end - start)


@compiled
def adamw(
    arrays: Any, size: int, betas: Any, rate: float, kept: float, epsilon: float, part: int, first: int, last: int
) -> None:
    """An update of numbers ``first`` to ``last`` of ``size``.

    Both moments move towards the gradient and its square, then
    parameter = ``kept`` * parameter - ``rate`` * moment / (root of square + ``epsilon``).
    """
    parameter, gradient, moment, square = arrays
    weight, slope = _row(parameter, 0, size), _row(gradient, 0, size)
    mean, spread = _row(moment, 0, size), _row(square, 0, size)
    beta1, beta2, step, old, least = F32(betas[0]), F32(betas[1]), F32(rate), F32(kept), F32(epsilon)
    rest1, rest2 = F32(1.0 - betas[0]), F32(1.0 - betas[1])
    for i in range(first, last):
        x = slope[i]
        mean[i] = beta1 * mean[i] + rest1 * x
        spread[i] = beta2 * spread[i] + rest2 * x * x
        weight[i] = old * weight[i] - step * mean[i] / (np.sqrt(spread[i]) + least)
