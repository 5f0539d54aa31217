"""Adversarial training over the inputs of any task: VILLA (text and image) and FreeLB (one of the two).

Small additions to the embeddings are pushed, for a few steps, to where the task's loss grows; the task is learned
there too, and its outputs are held close to the ones without them (original release; Gan et al. 2020, Zhu et al. 2020).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import paddle
import paddle.nn.functional as F
from paddle import Tensor

from unimo.errors import InputError
from unimo.modeling import Perturbations

SMALLEST_NORM = 1e-8


@dataclass(frozen=True)
class AdversarialOptions:
    """How the inputs are perturbed. The defaults are the original's captioning recipe (base)."""

    kind: Literal["none", "villa", "freelb_text", "freelb_image"] = "none"
    """none trains plainly; villa perturbs text and image, each in a forward of its own; freelb one of the two."""

    num_steps: int = 4
    """Gradient steps of a perturbation, at least 1; every step costs a forward and a backward of each kind."""

    learning_rate: float = 0.03
    """Length of a perturbation's step."""

    init_magnitude: float = 0.4
    """Size of the random start: its L2 norm relative to a uniform one (l2), or its bound (inf). 0 starts at zero."""

    max_norm: float = 0.0
    """Bound of a perturbation's norm; 0 leaves it free under l2. Under inf it is always applied, and above 0."""

    norm: Literal["l2", "inf"] = "l2"
    """The norm that steps and bound are measured in."""

    kl_weight: float = 1.0
    """Weight of the symmetric divergence between the outputs with and without a perturbation."""

    clean_branch: bool = True
    """Whether the unperturbed loss, and the divergence from it, are part of the sum."""

    bound_by_gradient: bool = False
    """Scale by the norm of the gradient in place of the perturbation's own when bounding: the original's bug (Q2)."""

    def __post_init__(self) -> None:
        """Refuse perturbations that cannot be.

        Raises:
            InputError: naming the option.
        """
        for name in ("learning_rate", "init_magnitude", "max_norm", "kl_weight"):
            if not getattr(self, name) >= 0:  # nan is refused too
                raise InputError(f"{name}: {getattr(self, name)}, expected at least 0")
        if self.kind == "none":
            return
        if self.num_steps < 1:
            raise InputError(f"num_steps: {self.num_steps}, expected at least 1; `kind: none` trains plainly")
        if self.norm == "inf" and self.max_norm == 0:
            raise InputError("max_norm: 0 cuts every perturbation to nothing under `norm: inf`; set it above 0")


@dataclass(frozen=True)
class View:
    """One forward of a task."""

    loss: Tensor  # scalar
    logits: Tensor  # [N, C], the rows that the loss is about


@dataclass(frozen=True)
class Start:
    """Where a perturbation may be, and where it starts."""

    mask: Tensor  # [B, T, 1] of 0 and 1
    delta: Tensor  # [B, T, W], 0 where the mask is 0


@dataclass(frozen=True)
class Noise:
    """The starts of both perturbations; either may be absent."""

    text: Start | None = None  # W = D
    regions: Start | None = None  # W = F


def symmetric_divergence(first: Tensor, second: Tensor) -> Tensor:
    """Mean over rows of KL(p, q) + KL(q, p) of two [N, C] logits; gradients flow through both (original release)."""
    p, q = F.log_softmax(first, axis=-1), F.log_softmax(second, axis=-1)
    return paddle.mean(paddle.sum((paddle.exp(p) - paddle.exp(q)) * (p - q), axis=-1))


def start_noise(mask: Tensor, width: int, options: AdversarialOptions, uniform: Tensor | None = None) -> Start:
    """The random start of a perturbation.

    Args:
        mask: [B, T] of 0 and 1, where a perturbation may be.
        width: numbers a position.
        options: magnitude and norm.
        uniform: [B, T, width] in [-1, 1) in place of fresh random numbers.
    """
    mask = mask.astype("float32").unsqueeze(-1)
    if uniform is None:
        uniform = paddle.uniform([*mask.shape[:2], width], min=-1.0, max=1.0)
    if options.norm == "inf":
        return Start(mask, uniform * mask * options.init_magnitude)
    valid = paddle.clip(paddle.sum(mask, axis=[1, 2], keepdim=True), min=1.0)
    return Start(mask, uniform * mask * options.init_magnitude / paddle.sqrt(valid * width))


def climb(delta: Tensor, gradient: Tensor, options: AdversarialOptions) -> Tensor:
    """One step of a perturbation up the loss, within its bound: [B, T, W], [B, T, W] -> [B, T, W]."""
    if options.norm == "inf":
        size = paddle.clip(paddle.max(paddle.abs(gradient), axis=[1, 2], keepdim=True), min=SMALLEST_NORM)
        return paddle.clip(delta + options.learning_rate * gradient / size, -options.max_norm, options.max_norm)
    size = _l2(gradient)
    moved = delta + options.learning_rate * gradient / size
    if options.max_norm <= 0:
        return moved
    measured = size if options.bound_by_gradient else _l2(moved)
    return moved * paddle.clip(options.max_norm / measured, max=1.0)


def adversarial_loss(
    view: Callable[[Perturbations], View], noise: Noise, options: AdversarialOptions, parameters: Sequence[Tensor]
) -> tuple[dict[str, Tensor], Tensor]:
    """The losses of one training step, averaged over the perturbation's steps, divergences summed (original release).

    Args:
        view: a forward of the task with given perturbations.
        noise: their starts; which are present must fit ``options.kind``.
        options: how they move.
        parameters: those of the network.

    Returns:
        losses by name (``clean``, ``text``, ``regions``, ``divergence``), whose sum is minimised, and the clean (or
        last) logits.
    """
    starts = {name: start for name, start in _by_name(noise).items() if _uses(options.kind, name)}
    deltas = {name: start.delta for name, start in starts.items()}
    assert deltas, "adversarial training needs something to perturb"
    losses: dict[str, Tensor] = {}
    logits: Tensor | None = None
    for number in range(options.num_steps):
        clean = view(Perturbations()) if options.clean_branch else None
        if clean is not None:
            _add(losses, "clean", clean.loss / options.num_steps)
            logits = clean.logits
        for name in deltas:
            delta = deltas[name].detach()
            delta.stop_gradient = False
            perturbed = view(Perturbations(**{name: delta}))
            share = perturbed.loss / options.num_steps
            _add(losses, name, share)
            if clean is not None:
                _add(losses, "divergence", options.kl_weight * symmetric_divergence(clean.logits, perturbed.logits))
            else:
                logits = perturbed.logits
            if number + 1 < options.num_steps:
                gradient = _gradient(share, delta, parameters) * starts[name].mask
                deltas[name] = climb(delta.detach(), gradient, options)
    assert logits is not None
    return losses, logits


def _gradient(loss: Tensor, delta: Tensor, parameters: Sequence[Tensor]) -> Tensor:
    """The loss's gradient at a perturbation; the graph is kept, and gradients of parameters are left as they are.

    Those are asked for too, and dropped: where the gradient of its scale is not wanted, Paddle 3.3.1's layer
    normalisation on CPU forgets the scale in the gradient of its input, and a perturbation's was up to 39% off.
    """
    return paddle.grad([loss], [delta, *parameters], retain_graph=True, allow_unused=True)[0]


def _l2(value: Tensor) -> Tensor:
    norm = paddle.sqrt(paddle.sum(value * value, axis=[1, 2], keepdim=True))
    return paddle.clip(norm, min=SMALLEST_NORM)


def _uses(kind: str, name: str) -> bool:
    return kind == "villa" or kind == ("freelb_text" if name == "text" else "freelb_image")


def _by_name(noise: Noise) -> dict[str, Start]:
    pairs = {"text": noise.text, "regions": noise.regions}
    return {name: value for name, value in pairs.items() if value is not None}


def _add(losses: dict[str, Tensor], name: str, value: Tensor) -> None:
    losses[name] = losses[name] + value if name in losses else value
