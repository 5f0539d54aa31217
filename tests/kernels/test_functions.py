"""Compiled operations compute what chains of Paddle's compute: outputs and gradients, by one thread or three."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from paddle import Tensor

from unimo.kernels import functions, loops
from unimo.kernels.sharing import addresses, over_rows

TOLERANCE = {"rtol": 2e-5, "atol": 2e-6}
Operation = Callable[..., Tensor | Sequence[Tensor]]


def tensors(*shapes: Sequence[int], seed: int = 0, scale: float = 2.0) -> list[Tensor]:
    """Normal numbers that want a gradient."""
    rng = np.random.default_rng(seed)
    made = [paddle.to_tensor((scale * rng.standard_normal(shape)).astype(np.float32)) for shape in shapes]
    for each in made:
        each.stop_gradient = False
    return made


def with_gradients(operation: Operation, inputs: Sequence[Tensor]) -> list[np.ndarray]:
    """Outputs, then the gradients of a sum of all outputs with weights of every sign by all inputs."""
    found = operation(*inputs)
    outputs = [found] if isinstance(found, Tensor) else list(found)
    total = paddle.zeros([])
    for output in outputs:
        signs = np.random.default_rng(1).standard_normal(output.shape).astype(np.float32)
        total = total + (output * paddle.to_tensor(signs)).sum()
    total.backward()
    arrays = [output.numpy() for output in outputs]
    for each in inputs:
        if not each.stop_gradient:
            arrays.append(each.grad.numpy())
            each.clear_gradient(False)
    return arrays


def assert_alike(compiled: Operation, plain: Operation, inputs: Sequence[Tensor]) -> None:
    for found, expected in zip(with_gradients(compiled, inputs), with_gradients(plain, inputs), strict=True):
        scale = max(1.0, float(np.abs(expected).max(initial=0.0)))
        np.testing.assert_allclose(found / scale, expected / scale, **TOLERANCE)
    with paddle.no_grad():
        found, expected = compiled(*inputs), plain(*inputs)
    for one, other in zip(*([each] if isinstance(each, Tensor) else each for each in (found, expected)), strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), **TOLERANCE)


@pytest.mark.parametrize("shape", [[0, 4], [1, 1, 1], [3, 5, 7], [2, 9, 64], [4, 33, 130]])
def test_gelu(shape: list[int], threads: int) -> None:
    assert_alike(functions.gelu, lambda product, bias: F.gelu(product + bias), tensors(shape, shape[-1:]))


def test_gelu_is_exact_over_the_whole_range() -> None:
    points = np.concatenate([np.linspace(-30, 30, 60_001), [0.0, 1e-30, -1e-30, 1e4, -1e4]]).astype(np.float32)
    values = paddle.to_tensor(points[None])
    found = functions.gelu(values, paddle.zeros([len(points)])).numpy()[0]
    exact = np.array([float(x) * 0.5 * math.erfc(-float(x) / math.sqrt(2)) for x in points])
    assert np.abs(found - exact).max() < 1e-6 * 30
    assert (np.abs(found - exact) <= 4e-7 * np.maximum(1.0, np.abs(points))).all()


@pytest.mark.parametrize("heads_of_bias", [1, 3])
@pytest.mark.parametrize(("queries", "keys"), [(1, 1), (5, 17), (16, 16), (3, 130)])
def test_attention_weights(heads_of_bias: int, queries: int, keys: int, threads: int) -> None:
    hidden = np.random.default_rng(3).random((2, 1, queries, keys)) < 0.3
    hidden[..., 0] = False
    masked = np.where(hidden, np.float32(-1e4), np.float32(0)).repeat(heads_of_bias, axis=1)
    masked += np.random.default_rng(4).standard_normal(masked.shape, np.float32)  # heads differ
    bias = paddle.to_tensor(masked)
    assert_alike(
        lambda logits: functions.attention_weights(logits, bias, 0.0),
        lambda logits: F.softmax(logits + bias),
        tensors([2, 3, queries, keys], scale=4.0),
    )


def test_a_query_that_must_not_look_anywhere_looks_everywhere_alike() -> None:
    bias = paddle.full([1, 1, 1, 4], -1e4)
    found = functions.attention_weights(paddle.zeros([1, 2, 1, 4]), bias, 0.0)
    np.testing.assert_allclose(found.numpy(), 0.25)


@pytest.mark.parametrize("shape", [[0, 4], [1, 2], [3, 5, 7], [2, 9, 64], [70, 130]])
def test_add_norm(shape: list[int], threads: int) -> None:
    width = shape[-1:]
    assert_alike(
        lambda update, bias, residual, gain, shift: functions.add_norm(update, bias, residual, gain, shift, 1e-5, 0.0),
        lambda update, bias, residual, gain, shift: F.layer_norm(residual + update + bias, width, gain, shift, 1e-5),
        tensors(shape, width, shape, width, width),
    )


@pytest.mark.parametrize(("length", "heads", "width"), [(1, 1, 1), (5, 3, 7), (9, 2, 16)])
def test_split_heads(length: int, heads: int, width: int, threads: int) -> None:
    def plain(product: Tensor, bias: Tensor) -> list[Tensor]:
        split = (product + bias).reshape([2, length, 3, heads, width]).transpose([2, 0, 3, 1, 4])
        return [split[0] * width**-0.5, split[1], split[2]]

    size = 3 * heads * width
    assert_alike(
        lambda product, bias: functions.split_heads(product, bias, heads), plain, tensors([2, length, size], [size])
    )


@pytest.mark.parametrize("probability", [0.1, 0.5])
def test_what_is_dropped_forward_is_dropped_backward(probability: float, threads: int) -> None:
    """The mask is read off the output; with it, gradients are those of Paddle's operations."""
    (logits,) = tensors([2, 3, 8, 40])
    bias = paddle.zeros([2, 1, 8, 40])
    paddle.seed(4)
    mask = functions.attention_weights(logits, bias, probability) / F.softmax(logits)
    assert abs(float((mask == 0).astype("float32").mean()) - probability) < 0.06

    def compiled(logits: Tensor) -> Tensor:
        paddle.seed(4)
        return functions.attention_weights(logits, bias, probability)

    paddle.seed(4)
    with paddle.no_grad():
        fixed = (functions.attention_weights(logits, bias, probability) != 0).astype("float32") / (1 - probability)
    assert_alike(compiled, lambda logits: F.softmax(logits) * fixed, [logits])

    update, residual = tensors([6, 50], [6, 50])
    vectors = tensors([50], [50], [50], seed=5)
    ones, nothing = paddle.ones([50]), paddle.zeros([50])

    def dropped_norm(*given: Tensor) -> Tensor:
        paddle.seed(6)
        return functions.add_norm(given[0], given[1], given[2], given[3], given[4], 1e-5, probability)

    # of an update of ones and a residual of zeros, the normalised sum has two values: dropped, and kept
    kept = dropped_norm(paddle.ones([6, 50]), nothing, paddle.zeros([6, 50]), ones, nothing).detach() > 0
    factor = kept.astype("float32") / (1 - probability)
    assert_alike(
        dropped_norm,
        lambda *given: F.layer_norm(given[2] + (given[0] + given[1]) * factor, [50], given[3], given[4], 1e-5),
        [update, vectors[0], residual, vectors[1], vectors[2]],
    )


def test_threads_drop_the_same(threads: int) -> None:
    """Whoever works on a row: elements count on over the whole tensor."""
    drop = functions.Drop(np.uint32(3), np.uint32(8), np.uint32(1 << 31), np.float32(2.0))
    ones = paddle.ones([31, 13])
    whole = paddle.empty([31, 13])
    loops.dropped(addresses(ones, whole), 13, drop.numbers, 0, 0, 31)
    expected = whole.numpy()
    assert (functions._drop(ones, drop).numpy() == expected).all()
    assert (functions._drop(paddle.ones([1, 403]), drop).numpy().reshape([31, 13]) == expected).all()
    zeros, plain = paddle.zeros([31, 13]), paddle.zeros([13])
    added, _ = functions._add_norm(ones, plain, zeros, plain + 1, plain, 1e-5, drop)
    assert (added.numpy() == expected).all()
    uniform, to_logits = paddle.ones([31, 13]), paddle.empty([31, 13])  # weights of 1: gradient - sum of the row's
    arrays = addresses(uniform, ones, to_logits)
    over_rows(loops.softmax_gradient, 31, 13, arrays, 13, drop.numbers)
    assert (to_logits.numpy() == expected - expected.sum(axis=1, keepdims=True)).all()


def test_masks_of_neighbouring_seeds_have_nothing_in_common() -> None:
    """Neither shifted nor equal: the share of equal elements is that of independent draws at every lag."""
    masks = []
    for seed, other in ((0, 9), (0, 10), (1, 11)):
        drop = functions.Drop(np.uint32(seed), np.uint32(other), np.uint32(1 << 31), np.float32(2.0))
        masks.append(functions._drop(paddle.ones([1, 20_000]), drop).numpy()[0] > 0)
    for lag in range(4):
        equal = (masks[0][lag : 15_000 + lag] == masks[1][:15_000]).mean()
        assert abs(equal - 0.5) < 0.02
        if lag:
            assert abs((masks[0][lag : 15_000 + lag] == masks[0][:15_000]).mean() - 0.5) < 0.02
    assert abs((masks[0] == masks[2]).mean() - 0.5) < 0.02


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_stays_so(value: float) -> None:
    row = np.zeros([1, 40], np.float32)
    row[0, 17] = value
    given, nothing, ones = paddle.to_tensor(row), paddle.zeros([40]), paddle.ones([40])
    assert not np.isfinite(functions.gelu(given, nothing).numpy()).all() or value == -math.inf
    normed = functions.add_norm(given, nothing, paddle.zeros([1, 40]), ones, nothing, 1e-5, 0.0)
    assert np.isnan(normed.numpy()).all()
    weights = functions.attention_weights(given.reshape([1, 1, 1, 40]), paddle.zeros([1, 1, 1, 40]), 0.0).numpy()
    assert np.isfinite(weights).all() == (value == -math.inf)  # a logit of -inf is a weight of e^-64, as Paddle has it
    if math.isnan(value):
        assert np.isnan(functions.gelu(given, nothing).numpy()[0, 17]) and np.isnan(weights).all()


def test_what_wants_no_gradient_gets_none() -> None:
    update, residual, bias, gain, shift = tensors([4, 6], [4, 6], [6], [6], [6])
    for frozen in (bias, gain):
        frozen.stop_gradient = True
    functions.add_norm(update, bias, residual, gain, shift, 1e-5, 0.0).sum().backward()
    assert bias.grad is None and gain.grad is None and shift.grad is not None and update.grad is not None
    product, offset = tensors([2, 3, 12], [12])
    product.stop_gradient = True
    queries, _, values = functions.split_heads(product, offset, 2)
    (queries.sum() + values.sum()).backward()  # the keys have no gradient
    assert product.grad is None and not offset.grad[4:8].any() and offset.grad[:4].all()


def test_adamw_updates_as_paddles(threads: int) -> None:
    rng = np.random.default_rng(2)
    start, slopes = rng.standard_normal((5, 11)).astype(np.float32), rng.standard_normal((4, 5, 11)).astype(np.float32)
    theirs = paddle.create_parameter([5, 11], "float32")
    theirs.set_value(start)
    optimizer = paddle.optimizer.AdamW(0.01, 0.9, 0.98, 1e-6, [theirs], weight_decay=0.1)
    ours, moments = paddle.to_tensor(start), (paddle.zeros([5, 11]), paddle.zeros([5, 11]))
    for number, slope in enumerate(slopes, 1):
        theirs.grad = paddle.to_tensor(slope)
        optimizer.step()
        rest1, rest2 = 1 - 0.9**number, 1 - 0.98**number
        rate, epsilon = 0.01 * rest2**0.5 / rest1, 1e-6 * rest2**0.5
        functions.adamw(ours, paddle.to_tensor(slope), moments, (0.9, 0.98), rate, 1 - 0.01 * 0.1, epsilon)
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("slots", [1, 37])
@pytest.mark.parametrize("hypotheses", [1, 5])
def test_a_steps_attention_is_that_to_prefix_and_slots_in_one(slots: int, hypotheses: int, threads: int) -> None:
    queries, keys, values = tensors([2, 3, hypotheses, 8], [2, 3, 11, 8], [2, 3, 11, 8])
    slot_keys, slot_values = tensors([2, 3, slots, 8], [2, 3, slots, 8], seed=3)
    hidden = np.random.default_rng(4).random((2, 1, hypotheses, 11 + slots)) < 0.4
    hidden[..., -1] = False
    bias = paddle.to_tensor(np.where(hidden, np.float32(-1e4), np.float32(0)))
    with paddle.no_grad():
        found = functions.attend_step(queries, keys, values, slot_keys, slot_values, bias)
        every_key, every_value = (
            paddle.concat(list(pair), axis=2) for pair in ((keys, slot_keys), (values, slot_values))
        )
        weights = F.softmax(paddle.matmul(queries, every_key, transpose_y=True) + bias)
        expected = paddle.matmul(weights, every_value).transpose([0, 2, 1, 3]).reshape([2, hypotheses, 24])
    np.testing.assert_allclose(found.numpy(), expected.numpy(), **TOLERANCE)


@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.parametrize("width", [5, 63, 64, 200, 1000])
def test_the_most_likely_are_those_of_a_whole_sort(width: int, count: int, threads: int) -> None:
    (logits,) = tensors([7, width], scale=5.0)
    for given in (logits, (logits / 4).round(), paddle.zeros([2, width]) - 1e18, logits - 200.0 * (logits < 0)):
        with paddle.no_grad():
            found, places = functions.most_likely(given, count)
            shares = F.softmax(given).numpy()
        order = np.argsort(-given.numpy().clip(given.numpy().max(axis=1, keepdims=True) - 64), axis=1, kind="stable")
        assert (places == order[:, :count]).all()
        np.testing.assert_allclose(found, np.take_along_axis(shares, places, axis=1), rtol=2e-6, atol=1e-30)


def test_strided_inputs_and_gradients_are_taken_as_they_are_meant() -> None:
    """Where views are strided (they are where `contiguous_views` is off), rows are not one after another."""

    def turned(operation: Operation) -> Operation:
        return lambda first, *others: operation(first.transpose([1, 0]), *others).transpose([1, 0])  # type: ignore[union-attr]

    product, residual, *vectors = tensors([12, 6], [6, 12], [12], [12], [12])
    assert_alike(turned(functions.gelu), turned(lambda product, bias: F.gelu(product + bias)), [product, vectors[0]])
    assert_alike(
        turned(lambda update, bias, *others: functions.add_norm(update, bias, *others, 1e-5, 0.0)),
        turned(lambda update, bias, old, gain, shift: F.layer_norm(old + update + bias, [12], gain, shift, 1e-5)),
        [product, vectors[0], residual, *vectors[1:]],
    )


def test_of_rows_without_numbers_the_first_places_are_taken() -> None:
    logits = paddle.to_tensor(np.array([[0.0] * 99 + [np.nan], [-np.inf] * 100, [0.0] * 100], np.float32))
    tops, places = functions.most_likely(logits, 3)
    assert places.tolist() == [[0, 1, 2]] * 3 and np.isnan(tops[:2]).all() and np.isfinite(tops[2]).all()


def test_sizes_that_do_not_fit_are_refused() -> None:
    values, vector, short = paddle.zeros([2, 3, 6]), paddle.zeros([6]), paddle.zeros([5])
    logits = paddle.zeros([2, 3, 4, 4])
    caches = [paddle.zeros([2, 3, 4, 2])] * 4
    with paddle.no_grad():
        for call in (
            lambda: functions.gelu(values, short),
            lambda: functions.add_norm(values, vector, paddle.zeros([2, 2, 6]), vector, vector, 1e-5, 0.0),
            lambda: functions.add_norm(values, vector, values, vector, short, 1e-5, 0.0),
            lambda: functions.split_heads(values, short, 1),
            lambda: functions.attention_weights(logits, paddle.zeros([1, 1, 4, 4]), 0.0),
            lambda: functions.attention_weights(logits, paddle.zeros([2, 2, 4, 4]), 0.0),
            lambda: functions.attend_step(paddle.zeros([2, 3, 5, 2]), *caches, paddle.zeros([2, 3, 5, 8])),
            lambda: functions.adamw(values, values, (values, vector), (0.9, 0.9), 0.1, 1.0, 1e-6),
        ):
            with pytest.raises(ValueError, match="expected a tensor of shape"):
                call()


def test_dropout_of_a_scalar() -> None:
    assert float(functions.dropout(paddle.ones([]), 0.5)) in (0.0, 2.0)
