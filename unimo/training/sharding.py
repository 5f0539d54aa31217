"""Gradients and moments shared out among GPUs: Paddle's group_sharded_parallel, ZeRO stage 2.

Paddle's wrappers need GPUs, so they were never run here (``training.limits`` refuses them on CPU, and says what else
they cannot do). The global norm and the skipping of steps need none: two processes on gloo test them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import paddle
from paddle import Tensor, nn

from unimo.config.job import OptimizerConfig
from unimo.errors import InputError
from unimo.modeling import UnimoModel
from unimo.training.distributed import ProcessGroup
from unimo.training.optimizer import AdamW
from unimo.training.task import Losses, Report, StepBatch, Task


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
    """AdamW whose process holds the gradients and moments of its part of the parameters alone.

    Needs GPUs: Paddle's wrapper, which averages gradients in the backward pass, keeps one process's part of them, and
    sends updated parameters around. Needs none: :class:`SharedOutClip`.
    """

    sums_gradients = True

    def __init__(self, model: UnimoModel, config: OptimizerConfig, task: Task, group: ProcessGroup) -> None:
        from paddle.distributed.sharding import group_sharded_parallel

        super().__init__(model, config)
        self._layer = TaskLosses(task, model)
        self._wrapped, self._updater, _ = group_sharded_parallel(self._layer, self._adamw, "os_g")
        self.clip = SharedOutClip(config.max_grad_norm, group.sum_)
        self._adamw._grad_clip = self.clip  # after the wrapping, which would replace Paddle's own clip alone

    def losses(self, batches: StepBatch) -> tuple[Losses, Report]:
        """The task's losses, such that gradients are averaged over processes in the backward pass.

        Raises:
            InputError: this process has no records, and so would never join that.
        """
        if not batches:
            raise InputError("distributed.sharding_stage: a batch has fewer records than there are processes")
        values = self._wrapped(batches)
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
        with paddle.no_grad():
            self._updater.clear_grad()
