"""Arrays become tensors as they are, and nothing stays behind."""

from __future__ import annotations

import gc

import numpy as np
import paddle
import pytest

from unimo.modeling.tensors import as_tensor


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "bool"])
@pytest.mark.parametrize("shape", [(), (3,), (0, 4), (2, 3, 4)])
def test_the_same_as_paddle(dtype: str, shape: tuple[int, ...]) -> None:
    array = np.asarray(np.random.default_rng(0).integers(0, 2, shape)).astype(dtype)
    found, expected = as_tensor(array), paddle.to_tensor(array)
    assert (found.dtype, found.shape, found.stop_gradient) == (expected.dtype, expected.shape, True)
    np.testing.assert_array_equal(found.numpy(), array)


def test_it_is_a_copy_of_any_view() -> None:
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    tensor = as_tensor(array.T)
    array[:] = 0
    assert tensor.tolist() == [[0, 4, 8], [1, 5, 9], [2, 6, 10], [3, 7, 11]]


def test_nothing_stays_behind() -> None:
    array = np.zeros((2, 2), np.float32)
    as_tensor(array)
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(500):
        as_tensor(array)
    gc.collect()
    assert len(gc.get_objects()) - before < 50
