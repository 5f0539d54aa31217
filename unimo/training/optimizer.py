"""AdamW with the original's decay rules, and clipping by global norm."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import paddle
from paddle import Tensor, nn

from unimo import kernels
from unimo.config.job import OptimizerConfig
from unimo.errors import InputError


def decays(name: str) -> bool:
    """Whether a parameter is decayed: no layer normalisation, no bias, no temperature.

    The biases of the visual entailment head are decayed, as the original's rule by name has it (their names there
    end in `_b_0` and `_b_1`, not `_b` or `.b_0`).
    """
    if name.startswith("heads.entailment."):
        return True
    return not (name.endswith(("bias", "temperature")) or "norm." in name)


def clip_gradients(parameters: Sequence[Tensor], max_norm: float) -> Tensor:
    """Scale gradients in place by max_norm / max(norm, max_norm); returns their global norm before, a scalar."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if not gradients:
        return paddle.zeros([])
    # as a product of rows: 15 ms for 154 MB, where the sum of squares takes 40
    rows = [gradient.reshape([1, -1]) for gradient in gradients]
    squares = paddle.stack([paddle.matmul(row, row, transpose_y=True).reshape([]) for row in rows])
    norm = paddle.sqrt(paddle.sum(squares))
    if max_norm > 0:
        scale = max_norm / paddle.clip(norm, min=max_norm)
        with paddle.no_grad():
            for gradient in gradients:
                gradient.stop_gradient = True
                gradient.scale_(scale)
    return norm


class _CompiledAdamW(paddle.optimizer.AdamW):
    """Paddle's, which updates a parameter in one pass over memory where the compiled loop can.

    For :class:`AdamW` alone, which asks for no groups of parameters, rates of their own, maxima or lazy updates.
    """

    def _append_optimize_op(self, block: Any, param_and_grad: Any) -> None:
        parameter, gradient = param_and_grad
        if not kernels.can_work_on(parameter):
            super()._append_optimize_op(block, param_and_grad)
            return
        names = (self._moment1_acc_str, self._moment2_acc_str, self._beta1_pow_acc_str, self._beta2_pow_acc_str)
        moment, square, *powers = (self._get_accumulator_master(name, parameter) for name in names)
        rest1, rest2 = (1.0 - power.item() for power in powers)  # what the moments lack of their full weight
        rate, root = self.get_lr(), math.sqrt(rest2)
        kept = 1.0 - rate * self._weight_decay if self._apply_decay_param_fun(parameter.name) else 1.0
        betas = (self._beta1, self._beta2)
        kernels.functions.adamw(
            parameter, gradient, (moment, square), betas, rate * root / rest1, kept, self._epsilon * root
        )
        for power, beta in zip(powers, betas, strict=True):
            power.scale_(beta)


class AdamW:
    """Adam with decoupled decay: p <- p_adam - decay * rate * p_old, moments kept under the parameters' own names.

    With ``shared_out`` each process keeps the moments of its part of the parameters, updates these, and sends them to
    the others (ZeRO stage 1, fleet's); gradients must be the same on all processes.
    """

    sums_gradients: ClassVar[bool] = False
    """Whether gradients are averaged over processes during the backward pass, by Paddle."""

    def __init__(self, model: nn.Layer, config: OptimizerConfig, shared_out: bool = False) -> None:
        self.config = config
        self.parameters = []
        for name, parameter in model.named_parameters():
            parameter.name = name  # the state is saved by name, so it must not depend on the order of creation
            self.parameters.append(parameter)
        self._updates = 0
        self._adamw = _CompiledAdamW(
            learning_rate=config.learning_rate,
            beta1=config.beta1,
            beta2=config.beta2,
            epsilon=config.epsilon,
            parameters=self.parameters,
            weight_decay=config.weight_decay,
            apply_decay_param_fun=decays,
        )
        self._updater = _shared_out(self._adamw) if shared_out else self._adamw

    def step(self, rate: float, loss_scale: float = 1.0) -> float:
        """Clip, update every parameter that has a gradient, clear the gradients; returns the global norm.

        Where the norm is not finite nothing is updated. ``loss_scale``: what the loss was multiplied by.
        """
        if loss_scale != 1.0:
            _divide_gradients(self.parameters, loss_scale)
        norm = float(clip_gradients(self.parameters, self.config.max_grad_norm))
        if not math.isfinite(norm):
            self.skip()
            return norm
        self._update(rate)
        return norm

    def _update(self, rate: float) -> None:
        """Update the parameters, and clear the gradients."""
        self._updates += 1
        self._adamw.set_lr(rate)
        if not self.config.epsilon_rescaled:
            # Paddle adds epsilon after the bias correction; the original before it
            correction = math.sqrt(1 - self.config.beta2**self._updates)
            self._adamw._epsilon = self.config.epsilon / correction
        # the first step makes the moments, whose names count on over the whole process: a second run in it would not
        # find those of the first
        with paddle.utils.unique_name.guard():
            self._updater.step()
        self.skip()

    def skip(self) -> None:
        """Clear the gradients."""
        for parameter in self.parameters:
            parameter.clear_gradient(False)

    def whole_weights(self) -> contextlib.AbstractContextManager[None]:
        """The model with all its weights on every process, which all must ask for; here it has them always."""
        return contextlib.nullcontext()

    def state(self) -> dict[str, np.ndarray]:
        """Moments and powers by name (this process's part, where they are shared out), and the number of updates."""
        arrays = {name: value.numpy() for name, value in self._adamw.state_dict().items() if isinstance(value, Tensor)}
        arrays["num_updates"] = np.asarray([self._updates], np.int64)
        return arrays

    def load_state(self, arrays: Mapping[str, np.ndarray], source: str) -> None:
        """Continue from a saved state.

        Raises:
            InputError: the state belongs to other parameters.
        """
        own = {parameter.name for parameter in self._adamw._parameter_list}
        self._count_updates(arrays, source)
        moments = {key: paddle.to_tensor(value) for key, value in arrays.items() if _belongs(key, own)}
        self._adamw.set_state_dict(moments)
        # Paddle takes over a parameter's moments at its next gradient. Until then it does not save them, and it refuses
        # the first gradient of a parameter that had none before: a head that rests for some steps would lose them
        holders = [parameter for parameter in self._adamw._parameter_list if f"{parameter.name}_moment1_0" in moments]
        with paddle.utils.unique_name.guard():
            self._adamw._create_accumulators(paddle.static.default_main_program().global_block(), holders)
        self._adamw._accumulators_holder = {}

    def _count_updates(self, arrays: Mapping[str, np.ndarray], source: str) -> None:
        """Take over the number of updates of a state that belongs to these parameters."""
        names = {parameter.name for parameter in self.parameters}
        strangers = [key for key in arrays if key != "num_updates" and not _belongs(key, names)]
        if strangers or "num_updates" not in arrays:
            raise InputError(f"{source}: optimizer state of another model ({', '.join(strangers[:3]) or 'no counter'})")
        self._updates = int(arrays["num_updates"][0])


def _shared_out(adamw: paddle.optimizer.Optimizer) -> Any:
    """Fleet's optimizer that gives each process its part of the parameters, the large ones first."""
    from paddle.distributed import fleet
    from paddle.distributed.fleet.meta_optimizers.dygraph_optimizer import DygraphShardingOptimizer

    return DygraphShardingOptimizer(adamw, fleet.get_hybrid_communicate_group())


def _divide_gradients(parameters: Sequence[Tensor], scale: float) -> None:
    with paddle.no_grad():
        for parameter in parameters:
            if parameter.grad is not None:
                parameter.grad.stop_gradient = True
                parameter.grad.scale_(1.0 / scale)


def _belongs(key: str, names: set[str]) -> bool:
    """Whether a state key such as `layers.0.expand.bias_moment1_0` extends one of the parameters' names."""
    return any(key.rpartition(mark)[0] in names for mark in ("_moment1_0", "_moment2_0", "_beta1_pow", "_beta2_pow"))
