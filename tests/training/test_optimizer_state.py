"""Moments keep their names in any program, and a step that is not finite changes nothing."""

from __future__ import annotations

import numpy as np
import paddle
import pytest
from paddle import nn

from unimo import kernels
from unimo.config.job import OptimizerConfig, PrecisionConfig
from unimo.training.optimizer import AdamW
from unimo.training.precision import LARGEST, LossScaler

CONFIG = OptimizerConfig(learning_rate=0.1, schedule="constant")


def network() -> nn.Layer:
    paddle.seed(1)
    return nn.Linear(3, 2)


def backward(model: nn.Layer, scale: float = 1.0) -> None:
    (paddle.sum(model(paddle.ones([4, 3])) ** 2) * scale).backward()


def test_a_second_optimizer_of_a_program_goes_on_from_the_state_of_the_first() -> None:
    first, second = network(), network()
    one, other = AdamW(first, CONFIG), AdamW(second, CONFIG)
    for _ in range(2):
        backward(first)
        one.step(0.1)
    second.set_state_dict(first.state_dict())
    state = {name: np.array(value) for name, value in one.state().items()}
    other.load_state(state, "first")
    for model, optimizer in ((first, one), (second, other)):
        backward(model)
        optimizer.step(0.1)
    assert set(other.state()) == set(state)
    assert np.array_equal(first.weight.numpy(), second.weight.numpy())


class Heads(nn.Layer):
    """Three layers, of which a step uses some."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head, self.late = nn.Linear(3, 2), nn.Linear(3, 2), nn.Linear(3, 2)

    def train_step(self, optimizer: AdamW, *used: str) -> None:
        for name in used:
            backward(getattr(self, name))
        optimizer.step(0.1)


def heads() -> tuple[Heads, AdamW]:
    paddle.seed(1)
    model = Heads()
    return model, AdamW(model, CONFIG)


def test_a_head_that_is_not_used_after_a_resume_keeps_its_moments() -> None:
    """Steps: body and head; resume; body alone; resume; head; then a layer that never had a gradient."""
    steps = (("body", "head"), ("body",), ("head",), ("body", "late"))
    whole, optimizer = heads()
    for used in steps:
        whole.train_step(optimizer, *used)
    model, other = heads()
    for used in steps:
        model.train_step(other, *used)
        state = {name: np.array(value) for name, value in other.state().items()}
        weights = {name: value.numpy() for name, value in model.state_dict().items()}
        model, other = heads()
        model.set_state_dict(weights)
        other.load_state(state, "before")
    for name, value in whole.state_dict().items():
        assert np.array_equal(model.state_dict()[name].numpy(), value.numpy()), name
    expected = optimizer.state()
    found = other.state()
    assert set(found) == set(expected)
    assert all(np.array_equal(found[name], expected[name]) for name in expected)


def test_a_gradient_that_is_not_finite_updates_nothing() -> None:
    model = network()
    optimizer = AdamW(model, CONFIG)
    backward(model)
    optimizer.step(0.1)
    before, state = model.weight.numpy().copy(), optimizer.state()["num_updates"].copy()
    backward(model, float("inf"))
    assert not np.isfinite(optimizer.step(0.1))
    assert np.array_equal(model.weight.numpy(), before)
    assert np.array_equal(optimizer.state()["num_updates"], state)
    assert model.weight.grad is None


def test_a_step_without_any_gradient_changes_nothing() -> None:
    model = network()
    optimizer = AdamW(model, CONFIG)
    before = model.weight.numpy().copy()
    assert optimizer.step(0.1) == 0
    assert np.array_equal(model.weight.numpy(), before)


def test_overflows_count_against_a_run_once_the_scale_is_smallest() -> None:
    scaler = LossScaler.of(PrecisionConfig(compute="float16", initial_loss_scale=4.0))
    seen = []
    for _ in range(3):
        scaler.update(False)
        seen.append((scaler.scale, scaler.may_fall))
    assert seen == [(2, True), (1, False), (1, False)]
    assert not LossScaler.of(PrecisionConfig()).may_fall


def test_a_scaled_loss_gives_the_same_step() -> None:
    plain, scaled = network(), network()
    one, other = AdamW(plain, CONFIG), AdamW(scaled, CONFIG)
    backward(plain)
    backward(scaled, 1024.0)
    assert one.step(0.1) == pytest.approx(other.step(0.1, loss_scale=1024.0))
    np.testing.assert_allclose(plain.weight.numpy(), scaled.weight.numpy(), rtol=1e-6)


def test_the_scale_halves_at_an_overflow_and_doubles_after_an_interval() -> None:
    scaler = LossScaler.of(PrecisionConfig(compute="float16", initial_loss_scale=1024.0, growth_interval=3))
    seen = []
    for finite in (False, True, True, False, True, True, True, True):
        scaler.update(finite)
        seen.append(scaler.scale)
    assert seen == [512, 512, 512, 256, 256, 256, 512, 512]
    assert scaler.overflows == 2


def test_the_scale_stays_within_bounds_and_continues_from_a_checkpoint() -> None:
    scaler = LossScaler.of(PrecisionConfig(compute="float16", initial_loss_scale=2.0, growth_interval=1))
    for _ in range(5):
        scaler.update(False)
    assert scaler.scale == 1.0
    for _ in range(40):
        scaler.update(True)
    assert scaler.scale == LARGEST
    other = LossScaler.of(PrecisionConfig(compute="float16", growth_interval=1))
    other.load_state(scaler.state())
    assert other == scaler


def test_float32_and_bfloat16_are_not_scaled() -> None:
    for compute in ("float32", "bfloat16"):
        scaler = LossScaler.of(PrecisionConfig(compute=compute))
        scaler.update(False)
        assert scaler.scale == 1.0 and not scaler.active


@pytest.mark.parametrize("rescaled", [False, True])
@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_the_compiled_update_is_paddles(decay: float, rescaled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over steps with a head that rests, a frozen one, a rate of 0, and a state that is saved and loaded."""
    config = OptimizerConfig(0.1, schedule="constant", weight_decay=decay, epsilon_rescaled=rescaled)

    def trained(compiled: bool) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        monkeypatch.setattr(kernels, "_are_there", lambda: compiled)
        paddle.seed(1)
        model = Heads()
        model.late.weight.stop_gradient = True
        optimizer = AdamW(model, config)
        for number, used in enumerate((["body"], ["body", "late"], ["head"], ["body", "head"])):
            for name in used:
                backward(getattr(model, name))
            optimizer.step(0.0 if number == 1 else 0.1)
            if number == 2:
                saved = optimizer.state()
                optimizer = AdamW(model, config)
                optimizer.load_state(saved, "saved")
        return {name: each.numpy() for name, each in model.named_parameters()}, optimizer.state()

    for found, expected in zip(trained(True), trained(False), strict=True):
        assert set(found) == set(expected)
        for name, array in found.items():
            np.testing.assert_allclose(array, expected[name], rtol=2e-6, atol=1e-7, err_msg=name)
