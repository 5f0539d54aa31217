"""Products with packed weights are the products, for any number of rows, whoever multiplies at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from ctypes import c_void_p

import numpy as np
import paddle
import pytest

from unimo.kernels import onednn


@pytest.fixture
def packs_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights are packed as the library chooses, on machines where it is not worth it too."""
    one = onednn._onednn()
    if one is None:
        pytest.skip("this Paddle brings no oneDNN 3")
    found = {}

    def layout(in_size: int, out_size: int) -> c_void_p:
        if (in_size, out_size) not in found:
            product = onednn._product(in_size, out_size, onednn.USUAL_ROWS, None)
            found[in_size, out_size] = c_void_p(
                one.library.dnnl_primitive_desc_query_md(product, onednn.QUERY_WEIGHTS, 0)
            )
        return found[in_size, out_size]

    monkeypatch.setattr(onednn, "_layout", layout)


@pytest.mark.usefixtures("packs_everything")
@pytest.mark.parametrize(("in_size", "out_size"), [(64, 192), (48, 50), (7, 3), (128, 1025)])
@pytest.mark.parametrize("shape", [[0], [1], [20], [3, 5], [257]])
@pytest.mark.parametrize("transposed", [False, True])
def test_products(in_size: int, out_size: int, shape: list[int], transposed: bool) -> None:
    paddle.seed(1)
    weight, rows = paddle.randn([in_size, out_size]), paddle.randn([*shape, in_size])
    packed = onednn.packed(weight.t() if transposed else weight, transposed)
    assert packed is not None
    found = packed(rows)
    assert found.shape == [*shape, out_size]
    np.testing.assert_allclose(found.numpy(), paddle.matmul(rows, weight).numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.usefixtures("packs_everything")
def test_threads_do_not_write_into_each_others_rows() -> None:
    paddle.seed(2)
    weight = paddle.randn([64, 96])
    packed, given = onednn.PackedWeight(weight, False), [paddle.randn([20, 64]) for _ in range(40)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(packed, given))
    for rows, product in zip(given, found, strict=True):
        np.testing.assert_allclose(product.numpy(), paddle.matmul(rows, weight).numpy(), rtol=1e-4, atol=1e-4)


def test_without_the_library_nothing_is_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onednn, "_onednn", lambda: None)
    onednn._layout.cache_clear()
    assert onednn.packed(paddle.randn([8, 8])) is None
    onednn._layout.cache_clear()
