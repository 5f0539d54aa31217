"""How fast this process computes, in a few seconds: ``python -m unimo.bench.gains_worker`` prints one JSON object.

``unimo doctor`` starts it with one runtime setting after another switched off, and so learns what each gains.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from unimo.runtime.settings import apply_settings

SEED = 7


def best_of(run: Callable[[], Any], repeats: int) -> float:
    """The shortest of ``repeats`` timings of ``run``, in seconds, after one that does not count."""
    run()
    timings = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        timings.append(time.perf_counter() - start)
    return min(timings)


def measure() -> dict[str, float]:
    """Milliseconds of a matrix product, a relu, a transpose, a product of denormal numbers, an encoder layer's step.

    The step is forward and backward of one layer of base on [4, 128, 768], without dropout; ``step_sum`` is the sum of
    its outputs, which must not depend on the settings.
    """
    import paddle
    import paddle.nn.functional as F

    from unimo.modeling import UnimoConfig
    from unimo.modeling.layers import TransformerLayer

    paddle.set_device("cpu")
    paddle.seed(SEED)
    square, wide = paddle.rand([1024, 1024]), paddle.rand([1000, 3072])
    layer = TransformerLayer(UnimoConfig(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0))
    inputs, bias = paddle.rand([4, 128, 768]), paddle.zeros([4, 12, 128, 128])
    weights, values = paddle.full([12, 128, 128], 1e-40), paddle.rand([12, 128, 64])
    sums = []

    def step() -> None:
        outputs = layer(inputs, bias)
        outputs.square().mean().backward()
        sums.append(float(outputs.abs().sum()))
        layer.clear_gradients()

    return {
        "matmul_ms": 1e3 * best_of(lambda: (square @ square).numpy(), 10),
        "relu_ms": 1e3 * best_of(lambda: F.relu(wide), 10),
        "transpose_ms": 1e3 * best_of(lambda: wide.transpose([1, 0]) + 1.0, 5),
        "denormal_ms": 1e3 * best_of(lambda: (weights @ values).numpy(), 5),
        "step_ms": 1e3 * best_of(step, 4),
        "step_sum": sums[0],
    }


if __name__ == "__main__":
    apply_settings(is_program=True)
    json.dump(measure(), sys.stdout)
