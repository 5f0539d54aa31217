"""Perturbations: where they may be, which way they go, and how far."""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle
import pytest
from paddle import nn

from unimo.errors import InputError
from unimo.modeling import Perturbations
from unimo.objectives.adversarial import AdversarialOptions, Noise, View, adversarial_loss, climb, start_noise

STEPS = AdversarialOptions("freelb_text", num_steps=2, learning_rate=0.5, init_magnitude=0.1)
MASK = np.array([[0, 1, 1, 1], [0, 1, 1, 0]])


@pytest.fixture
def network() -> nn.Layer:
    """A layer normalisation with a scale that is not 1, and an output."""
    paddle.seed(0)
    network = nn.Sequential(nn.LayerNorm(6), nn.Linear(6, 3))
    for parameter in network.parameters():
        parameter.set_value(paddle.randn(parameter.shape))
    return network


def run(network: nn.Layer, options: AdversarialOptions) -> list[paddle.Tensor]:
    """The perturbation of each of a training step's forwards."""
    inputs, labels = paddle.randn([2, 4, 6]), paddle.to_tensor([0, 1, 2, 0, 1, 2, 0, 1])
    seen: list[paddle.Tensor] = []

    def view(perturbations: Perturbations) -> View:
        delta = perturbations.text
        if delta is None:
            delta = paddle.zeros([2, 4, 6])
        else:
            seen.append(delta)
        logits = network(inputs + delta).reshape([-1, 3])
        return View(nn.functional.cross_entropy(logits, labels), logits)

    noise = Noise(text=start_noise(paddle.to_tensor(MASK), 6, options))
    losses, _ = adversarial_loss(view, noise, options, network.parameters())
    assert all(parameter.grad is None for parameter in network.parameters())
    first = seen[0].detach()
    first.stop_gradient = False
    view(Perturbations(text=first)).loss.backward()  # an ordinary backward pass, which nothing is cut from
    seen[-1] = first
    sum(losses.values(), start=paddle.zeros([])).backward()
    return seen


def test_steps_go_up_the_loss_and_stay_in_the_mask(network: nn.Layer) -> None:
    before, after, start = run(network, STEPS)
    gradient = start.grad * paddle.to_tensor(MASK, "float32").unsqueeze(-1)
    size = paddle.sqrt(paddle.sum(gradient**2, axis=[1, 2], keepdim=True))
    np.testing.assert_allclose((after - before).numpy(), (0.5 * gradient / size).numpy(), atol=1e-6)
    assert np.abs(after.numpy()[MASK == 0]).max() == 0
    assert np.abs(after.numpy()[MASK == 1]).min() > 0


@pytest.mark.parametrize(("by_gradient", "norm"), [(False, 0.25), (True, 2 * 0.25 / 10)])
def test_bound(by_gradient: bool, norm: float) -> None:
    """A perturbation of norm 2 and a gradient of norm 10: the original scales by 0.25 / 10, we by 0.25 / 2."""
    options = AdversarialOptions(learning_rate=0.0, max_norm=0.25, bound_by_gradient=by_gradient)
    delta, gradient = paddle.full([1, 4, 1], 1.0), paddle.full([1, 4, 1], 5.0)
    assert float(paddle.norm(climb(delta, gradient, options))) == pytest.approx(norm)


def test_start() -> None:
    for norm, largest in (("l2", 0.1 / np.sqrt(2 * 6)), ("inf", 0.1)):
        options = AdversarialOptions(init_magnitude=0.1, norm=norm)  # type: ignore[arg-type]
        delta = start_noise(paddle.to_tensor(MASK), 6, options).delta.numpy()
        assert np.abs(delta[MASK == 0]).max() == 0
        assert 0.5 * largest < np.abs(delta).max() <= largest


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "villa", "num_steps": 0}, "num_steps: 0, expected at least 1"),
        ({"kind": "freelb_text", "norm": "inf"}, "max_norm: 0 cuts .* set it above 0"),
        ({"learning_rate": -0.1}, "learning_rate: -0.1, expected at least 0"),
        ({"init_magnitude": -1.0}, "init_magnitude: -1.0"),
        ({"max_norm": -0.4}, "max_norm: -0.4"),
        ({"kl_weight": float("nan")}, "kl_weight: nan"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        AdversarialOptions(**options)


def test_what_is_off_is_not_looked_at() -> None:
    AdversarialOptions(num_steps=0, norm="inf")
    AdversarialOptions("villa", num_steps=1, learning_rate=0.0, init_magnitude=0.0, kl_weight=0.0)
    AdversarialOptions("villa", norm="inf", max_norm=0.1)
