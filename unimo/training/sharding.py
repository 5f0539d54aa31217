"""Gradients and moments, and at stage 3 weights, shared out among GPUs: Paddle's group_sharded_parallel (ZeRO).

Paddle's wrappers need GPUs, so they were never run here (``training.limits`` refuses them on CPU, and says what else
they cannot do). The global norm and the skipping of steps need none: two processes on gloo test them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import paddle
from paddle import Tensor, nn

from unimo.config.job import OptimizerConfig
from unimo.errors import InputError
from unimo.modeling import UnimoModel
from unimo.training.distributed import ProcessGroup
from unimo.training.optimizer import AdamW
from unimo.training.task import Losses, Report, StepBatch, Task

LEVELS = {2: "os_g", 3: "p_g_os"}  # Paddle's names: optimizer state and gradients; parameters besides


class TaskLosses(nn.Layer):
    """A task's losses as the forward of one layer, for Paddle's wrappers see nothing that happens outside of one."""

    def __init__(self, task: Task, model: UnimoModel) -> None:
        super().__init__()
        self.task, self.network = task, model
        self.names: list[str] = []
        self.report: Report = {}

    def forward(self, batches: StepBatch) -> list[Tensor]:
        """The losses in the order of ``names``."""
        losses, self.report = self.task.losses(self.network, batches)
        self.names = list(losses)
        return list(losses.values())


class SharedOutClip:
    """Clips gradients of which each process holds a part by the norm of all of them, and keeps that norm.

    Stands where Paddle's optimizers have their clip, within their step. Gradients that are not finite on any process
    are kept from the update on all of them: it is given none.
    """

    def __init__(self, max_norm: float, sum_over_processes: Callable[[Tensor], Tensor]) -> None:
        """``max_norm``: 0 does not clip. ``sum_over_processes``: of a scalar; every process calls it once a step."""
        self.max_norm, self._sum = max_norm, sum_over_processes
        self.loss_scale = 1.0
        """What the loss was multiplied by, and gradients are divided by."""

        self.norm = math.nan
        """Global norm of the last gradients, the scale taken out, before clipping."""

    def __call__(self, pairs: Sequence[tuple[Tensor, Tensor | None]]) -> list[tuple[Tensor, Tensor]]:
        """The parameters with gradients that may be used, which are scaled in place; none where any is not finite."""
        present = [(parameter, gradient) for parameter, gradient in pairs if gradient is not None]
        parts, alike = paddle.zeros([]), paddle.zeros([])
        with paddle.no_grad():
            for parameter, gradient in present:
                square = paddle.sum(paddle.square(gradient.astype("float32")))
                if hasattr(parameter, "unslice"):  # Paddle's mark of what stage 3 leaves whole on every process
                    alike = alike + square
                else:
                    parts = parts + square
            norm = paddle.sqrt(self._sum(parts) + alike)
            self.norm = float(norm) / self.loss_scale
            if not math.isfinite(self.norm):
                return []
            shrink = self.max_norm / max(self.norm, self.max_norm) if self.max_norm > 0 else 1.0
            for _, gradient in present:
                gradient.stop_gradient = True
                gradient.scale_(shrink / self.loss_scale)
        return present


class ShardedAdamW(AdamW):
    """AdamW whose process holds the gradients and moments of its part of the parameters, and at stage 3 its weights.

    Needs GPUs: Paddle's wrapper, which averages gradients in the backward pass, keeps one process's part of them, and
    sends updated parameters around. Needs none: :class:`SharedOutClip`.
    """

    sums_gradients = True

    def __init__(
        self, model: UnimoModel, config: OptimizerConfig, task: Task, group: ProcessGroup, stage: int = 2
    ) -> None:
        super().__init__(model, config)
        self.level = LEVELS[stage]
        self.clip = SharedOutClip(config.max_grad_norm, group.sum_)
        self._layer = TaskLosses(task, model)
        self._shapes = {parameter.name: list(parameter.shape) for parameter in self.parameters}
        self._wrapped: nn.Layer | None = None

    def _wrap(self) -> nn.Layer:
        """The task's losses in Paddle's wrapper, made when it is first needed: a checkpoint fills whole weights."""
        if self._wrapped is None:
            from paddle.distributed.sharding import group_sharded_parallel

            # the language head reads the word embeddings outside of their layer, where stage 3 would not gather them
            whole = [id(self._layer.network.text_embeddings.words)]
            self._wrapped, self._updater, _ = group_sharded_parallel(
                self._layer, self._adamw, self.level, exclude_layer=whole
            )
            self._adamw._grad_clip = self.clip  # after the wrapping, which would replace Paddle's own clip alone
        return self._wrapped

    def losses(self, batches: StepBatch) -> tuple[Losses, Report]:
        """The task's losses, such that gradients are averaged over processes in the backward pass.

        Raises:
            InputError: this process has no records, and so would never join that.
        """
        if not batches:
            raise InputError("distributed.sharding_stage: a batch has fewer records than there are processes")
        values = self._wrap()(batches)
        return dict(zip(self._layer.names, values, strict=True)), self._layer.report

    def step(self, rate: float, loss_scale: float = 1.0) -> float:
        """Clip, update and send the parameters; returns the global norm. Nothing is updated where it is not finite."""
        self.clip.loss_scale = loss_scale
        before = self._updates
        self._update(rate)
        if not math.isfinite(self.clip.norm):
            self._updates = before
        return self.clip.norm

    def skip(self) -> None:
        """Clear the gradients."""
        self._wrap()
        with paddle.no_grad():
            self._updater.clear_grad()

    def load_state(self, arrays: Mapping[str, np.ndarray], source: str) -> None:
        """Continue from a saved state, after the weights were filled.

        Raises:
            InputError: the state belongs to other parameters.
        """
        self._wrap()
        super().load_state(arrays, source)

    def weights(self, model: nn.Layer) -> dict[str, Tensor]:
        """The whole weights; every process must ask for them.

        Paddle's own `get_all_parameters` leaves the parameters such that the next forward clears them (3.3.1).
        """
        return {name: self._whole(name, weight) for name, weight in model.state_dict().items()}

    def _whole(self, name: str, weight: Tensor) -> Tensor:
        if getattr(weight, "status", "all") != "part":
            return weight
        pieces: list[Tensor] = []
        paddle.distributed.all_gather(pieces, weight.fw_storage.detach())  # padded alike on all processes
        shape = self._shapes[name]
        return paddle.concat(pieces)[: math.prod(shape)].reshape(shape)

    def state_names(self) -> set[str]:
        """Names of the parameters; those that are shared out are called after their slice."""
        names = super().state_names()
        return names | {f"slice@{name}" for name in names}
