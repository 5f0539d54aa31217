"""Where the compiled loops are used, and that a model computes the same without them."""

from __future__ import annotations

import sys

import numpy as np
import paddle
import pytest
from paddle import Tensor

from tests.kernels.conftest import PLAIN
from unimo import kernels
from unimo.generation import BeamSettings, beam_search
from unimo.kernels import compiled_for
from unimo.modeling import ModelInputs, UnimoConfig, UnimoModel, gather_rows
from unimo.objectives import language_loss
from unimo.runtime import setting_states

CONFIG = UnimoConfig(
    vocab_size=90,
    hidden_size=24,
    num_hidden_layers=2,
    num_attention_heads=3,
    image_embedding_size=6,
    image_class_size=4,
    hidden_dropout_prob=0.0,
    attention_probs_dropout_prob=0.0,
)


def model() -> UnimoModel:
    paddle.seed(3)
    return UnimoModel(CONFIG, {"masked_language": 0})


def inputs() -> ModelInputs:
    rng = np.random.default_rng(5)
    segments = np.ones((2, 9), np.int64)
    segments[1, 7:] = 0
    return ModelInputs(
        segment_ids=paddle.to_tensor(segments),
        order_ids=paddle.to_tensor(np.tile([0, 0, 0, 0, 0, 0, 1, 2, 3], (2, 1))),
        input_ids=paddle.to_tensor(rng.integers(3, 90, (2, 6))),
        position_ids=paddle.to_tensor(np.tile(np.arange(2, 8), (2, 1))),
        region_features=paddle.to_tensor(rng.standard_normal((2, 3, 6)).astype(np.float32)),
        region_locations=paddle.to_tensor(rng.random((2, 3, 5)).astype(np.float32)),
    )


def loss_and_gradients() -> tuple[float, dict[str, np.ndarray]]:
    network = model()
    network.train()
    states = gather_rows(network(inputs()), paddle.to_tensor([3, 4, 12]))
    loss = language_loss(network.language_logits(states), paddle.to_tensor([5, 6, 7]))
    loss.backward()
    gradients = {name: each.grad.numpy() for name, each in network.named_parameters() if each.grad is not None}
    return float(loss), gradients


def test_a_models_loss_and_gradients_are_the_same_without_them(plain: pytest.MonkeyPatch) -> None:
    assert compiled_for(paddle.zeros([1])) is not None
    loss, gradients = loss_and_gradients()
    plain.setattr(*PLAIN)
    other, expected = loss_and_gradients()
    assert loss == pytest.approx(other, rel=1e-6)
    assert set(gradients) == set(expected)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(gradient, expected[name], rtol=1e-4, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("copies", [False, True])
def test_decoding_finds_the_same_without_them(copies: bool, plain: pytest.MonkeyPatch) -> None:
    settings = BeamSettings(beam_size=4, max_length=20)

    def found() -> list[list[tuple[int, ...]]]:
        network = model()
        network.eval()
        if not copies:
            hypotheses = beam_search(network, inputs(), settings, 0, 2)
        else:
            with network.decoding_weights():
                hypotheses = beam_search(network, inputs(), settings, 0, 2)
        return [[each.token_ids for each in example] for example in hypotheses]

    compiled = found()
    plain.setattr(*PLAIN)
    assert compiled == found()


def test_they_are_for_float32_on_cpu_that_is_computed_at_once() -> None:
    assert setting_states()[kernels.SETTING] == "applied"
    assert compiled_for(paddle.zeros([2], "float64")) is None
    found: list[object] = []

    def traced(values: Tensor) -> Tensor:
        found.append(compiled_for(values))
        return values + 1

    spec = paddle.static.InputSpec([2], "float32")
    _ = paddle.jit.to_static(traced, input_spec=[spec], full_graph=True).concrete_program  # type: ignore[attr-defined]
    assert found == [None]


def test_a_numba_that_cannot_be_imported_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    kernels._functions.cache_clear()
    for name in ("functions", "loops"):
        monkeypatch.delitem(sys.modules, f"unimo.kernels.{name}", raising=False)
        monkeypatch.delattr(kernels, name, raising=False)
    monkeypatch.setitem(sys.modules, "numba", None)  # an import of it fails
    with pytest.warns(UserWarning, match="compiled_loops: numba cannot be used"):
        assert compiled_for(paddle.zeros([1])) is None
    assert compiled_for(paddle.zeros([1])) is None
    kernels._functions.cache_clear()
