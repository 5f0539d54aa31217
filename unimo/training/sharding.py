"""Gradients and moments shared out among GPUs: Paddle's group_sharded_parallel, ZeRO stage 2.

Never run here: it needs GPUs (``training.limits`` refuses it on CPU, and says what else it cannot do).
"""

from __future__ import annotations

import paddle
from paddle import Tensor, nn

from unimo.config.job import OptimizerConfig
from unimo.errors import InputError
from unimo.modeling import UnimoModel
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


class ShardedAdamW(AdamW):
    """AdamW whose process holds the gradients and moments of its part of the parameters alone.

    Paddle clips inside its step, so the global norm is not known.
    """

    sums_gradients = True

    def __init__(self, model: UnimoModel, config: OptimizerConfig, task: Task) -> None:
        from paddle.distributed.sharding import group_sharded_parallel

        super().__init__(model, config)
        if config.max_grad_norm > 0:
            self._adamw._grad_clip = nn.ClipGradByGlobalNorm(config.max_grad_norm)
        self._layer = TaskLosses(task, model)
        self._wrapped, self._updater, _ = group_sharded_parallel(self._layer, self._adamw, "os_g")

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
        """Clip, update and send the parameters; returns 0, for Paddle tells no norm."""
        assert loss_scale == 1.0
        self._update(rate)
        return 0.0

    def skip(self) -> None:
        """Clear the gradients."""
        with paddle.no_grad():
            self._updater.clear_grad()
