"""Gradients, moments and weights shared out among GPUs: Paddle's group_sharded_parallel, ZeRO stages 2 and 3.

Paddle's wrappers need GPUs, so they were never run here (``training.limits`` refuses them on CPU, and says what else
they cannot do). What needs none is tested: the global norm and the skipping of steps, in two processes on gloo, and how
moments of stage 3 are cut into parts and joined again.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import paddle
from paddle import Tensor, nn

from unimo.config.job import OptimizerConfig
from unimo.errors import InputError
from unimo.modeling import UnimoModel
from unimo.training.distributed import ProcessGroup
from unimo.training.optimizer import AdamW
from unimo.training.task import Losses, Report, StepBatch, Task

LEVELS = {2: "os_g", 3: "p_g_os"}
PART = "slice@"
"""How Paddle begins the name of a parameter's part in stage 3."""

SMALLEST_CUT = 1 << 14  # numbers of a parameter that is cut; vectors stay whole


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
    """AdamW whose process holds the gradients and moments of its part of the parameters alone; in stage 3 the weights.

    Needs GPUs: Paddle's wrapper, which averages gradients in the backward pass, keeps one process's part of them, and
    sends updated parameters around; in stage 3 it gathers a layer's weights before it computes and drops them after.
    Word embeddings stay whole, for the language head reads them outside of their layer. Needs none:
    :class:`SharedOutClip`, :func:`part_of` and :func:`joined`.

    A checkpoint of stage 2 has each process's moments in a file of its own; in stage 3 weights and moments are gathered
    and saved as one process would, so that any number of processes and any stage go on from it.
    """

    sums_gradients = True

    def __init__(
        self, model: UnimoModel, config: OptimizerConfig, task: Task, group: ProcessGroup, stage: int = 2
    ) -> None:
        super().__init__(model, config)
        self.stage, self.group, self._model = stage, group, model
        self._shapes = {parameter.name: list(parameter.shape) for parameter in self.parameters}
        self._given: dict[str, np.ndarray] = {}
        self._layer = TaskLosses(task, model)
        self._wrapped: Any = None
        self.clip = SharedOutClip(config.max_grad_norm, group.sum_)
        if stage == 2:
            self._share_out()

    def _share_out(self) -> None:
        """Hand layer and optimizer to Paddle: in stage 3 before the first step, for weights are loaded before that."""
        from paddle.distributed.sharding import group_sharded_parallel

        whole = [id(self._model.text_embeddings.words)] if self.stage == 3 else None
        self._wrapped, self._updater, _ = group_sharded_parallel(
            self._layer, self._adamw, LEVELS[self.stage], segment_size=SMALLEST_CUT, exclude_layer=whole
        )
        self._adamw._grad_clip = self.clip  # after the wrapping, which would replace Paddle's own clip alone
        if self._given:
            self._adamw.set_state_dict({name: paddle.to_tensor(value) for name, value in self._cut().items()})
            self._given = {}

    def losses(self, batches: StepBatch) -> tuple[Losses, Report]:
        """The task's losses, such that gradients are averaged over processes in the backward pass.

        Raises:
            InputError: this process has no records, and so would never join that.
        """
        if not batches:
            raise InputError("distributed.sharding_stage: a batch has fewer records than there are processes")
        if self._wrapped is None:
            self._share_out()
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

    @contextlib.contextmanager
    def whole_weights(self) -> Iterator[None]:
        """The model with all its weights on every process, which all must ask for: to evaluate, or to save them."""
        if self.stage == 2 or self._wrapped is None:
            yield
            return
        from paddle.distributed.fleet.meta_parallel.sharding import group_sharded_stage3 as paddles

        self._wrapped.get_all_parameters()
        try:
            yield
        finally:
            cut = [parameter for parameter in self.parameters if parameter.name in self._wrapped._param2buffer]
            for parameter in cut:
                parameter.use_count = 1  # forwards in between ask for the next layer's weights once more than they drop
            # TaskFlow's dictionaries are one and the same for all of its instances
            paddles._release_param(cut, self._wrapped._param2buffer, self.group.rank, paddles.TaskFlow())

    def state(self) -> dict[str, np.ndarray]:
        """Moments and powers by name, and the number of updates: this process's part in stage 2, all in stage 3."""
        own = super().state()
        if self.stage == 2:
            return own
        if self._wrapped is None:
            return {**self._given, "num_updates": own["num_updates"]}
        whole = {}
        for key, value in own.items():
            name = key.removeprefix(PART)
            shape = self._shapes.get(name.rpartition("_moment")[0])
            is_part = key.startswith(PART) and shape is not None
            whole[name] = joined(self.group.gather(value), shape or []) if is_part else value
        return whole

    def load_state(self, arrays: Mapping[str, np.ndarray], source: str) -> None:
        """Continue from a saved state; in stage 3 before the first step.

        Raises:
            InputError: the state belongs to other parameters.
        """
        if self.stage == 2:
            super().load_state(arrays, source)
            return
        assert self._wrapped is None
        self._count_updates(arrays, source)
        self._given = {key: np.asarray(value) for key, value in arrays.items() if key != "num_updates"}

    def _cut(self) -> dict[str, np.ndarray]:
        """What was given to go on from, as this process's part of it is named and cut."""
        ranges, parts = self._wrapped._param2buffer, {}
        for key, value in self._given.items():
            name = key.rpartition("_moment")[0] or key.rpartition("_beta")[0]
            if name not in ranges:
                parts[key] = value
            else:
                parts[PART + key] = part_of(value, *ranges[name][self.group.rank]) if "_moment" in key else value
        return parts


def part_of(array: np.ndarray, start: int, end: int) -> np.ndarray:
    """The numbers [start, end) of an array laid out flat, zeros beyond its end: what one process holds of it."""
    return np.pad(array.reshape(-1)[start:end], (0, end - start - len(array.reshape(-1)[start:end])))


def joined(parts: Sequence[np.ndarray], shape: Sequence[int]) -> np.ndarray:
    """The array that was cut into parts, by rank."""
    return np.concatenate([part.reshape(-1) for part in parts])[: math.prod(shape)].reshape(shape)
