"""Denormal numbers count as 0 in every thread where the setting is on, and as what they are where it is off."""

from __future__ import annotations

import pytest

from tests.runtime.test_settings import run_python
from unimo.runtime.denormals import can_flush
from unimo.runtime.settings import SWITCH

# of float32, whose smallest normal number is 1.2e-38; a product and a sum of tensors this large are done by several of
# Paddle's threads, where there are any
PRODUCTS = """
import unimo.runtime, numpy
unimo.runtime.apply_settings(is_program=IS_PROGRAM)
import paddle
small, large = numpy.full((2048, 512), 1e-40, numpy.float32), numpy.full((2048, 512), 1e10, numpy.float32)
by_paddle = paddle.to_tensor(small) * paddle.to_tensor(large)
summed = (paddle.to_tensor(small) + paddle.to_tensor(small)) * 1e10
numpy.finfo(numpy.float32), numpy.finfo(numpy.float64)
for values in (small * large, by_paddle.numpy(), summed.numpy()):
    print(numpy.count_nonzero(values) / small.size)
"""


@pytest.mark.skipif(not can_flush(), reason="nothing is done on other systems")
@pytest.mark.parametrize("variables", [{"OMP_NUM_THREADS": "2"}, {"OMP_NUM_THREADS": "1"}, {SWITCH: "flush_denormals"}])
def test_all_threads_flush_and_numpy_is_silent(variables: dict[str, str]) -> None:
    assert run_python(PRODUCTS.replace("IS_PROGRAM", "True"), **variables).split() == ["0.0"] * 3


@pytest.mark.parametrize(("is_program", "switch"), [(True, "contiguous_views"), (False, "1")])
def test_switched_off_or_in_another_program_they_are_what_they_are(is_program: bool, switch: str) -> None:
    code = PRODUCTS.replace("IS_PROGRAM", str(is_program))
    assert run_python(code, **{SWITCH: switch}).split() == ["1.0"] * 3
