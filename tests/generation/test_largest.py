"""The few largest are those of a whole sort, ties included."""

from __future__ import annotations

import numpy as np
import pytest

from unimo.generation.largest import largest


@pytest.mark.parametrize("width", [5, 64, 200, 1000])
@pytest.mark.parametrize("count", [1, 5])
def test_as_a_whole_sort(width: int, count: int) -> None:
    rng = np.random.default_rng(width)
    for values in (rng.random((7, width), np.float32), rng.integers(0, 4, (7, width)).astype(np.float32)):
        found, places = largest(values, count)
        order = np.argsort(-values, axis=1, kind="stable")[:, :count]
        assert (places == order).all()
        assert (found == np.take_along_axis(values, order, axis=1)).all()
