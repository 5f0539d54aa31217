"""Denormal numbers count as 0 within the block, and as what they are after it."""

from __future__ import annotations

import platform

import numpy as np
import paddle
import pytest

from unimo.runtime.denormals import flushed_denormals

TINY = 1e-40  # of float32, whose smallest normal number is 1.2e-38


def products() -> list[float]:
    small, large = np.full(64, TINY, np.float32), np.full(64, 1e10, np.float32)
    by_paddle = paddle.to_tensor(small) * paddle.to_tensor(large)
    return [float((small * large)[0]), float(by_paddle[0])]


@pytest.mark.skipif(platform.machine() != "x86_64", reason="nothing is done on other processors")
def test_within_they_are_nothing_and_afterwards_as_before() -> None:
    assert products() == pytest.approx([1e-30] * 2, rel=1e-3)
    with flushed_denormals():
        assert products() == [0.0, 0.0]
        with flushed_denormals():
            pass
        assert products() == [0.0, 0.0]
    assert products() == pytest.approx([1e-30] * 2, rel=1e-3)


def test_an_error_leaves_no_trace() -> None:
    with pytest.raises(KeyError), flushed_denormals():
        raise KeyError
    assert products() == pytest.approx([1e-30] * 2, rel=1e-3)
