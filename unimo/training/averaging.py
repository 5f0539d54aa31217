"""An exponential moving average of the weights, evaluated and kept in place of the last ones."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import numpy as np
import paddle
from paddle import nn

PREFIX = "average."


class WeightAverage:
    """Follows a model's parameters: average <- decay * average + (1 - decay) * weights, after every step.

    The decay grows from 0 with the number of steps (1 + n) / (10 + n), so that the first weights are soon forgotten.
    """

    def __init__(self, model: nn.Layer, decay: float) -> None:
        self.model, self.decay = model, decay
        self.averages = {name: value.clone().detach() for name, value in model.named_parameters()}

    def update(self, num_steps: int) -> None:
        """Take the present weights in; ``num_steps`` have been made."""
        decay = min(self.decay, (1 + num_steps) / (10 + num_steps))
        with paddle.no_grad():
            for name, value in self.model.named_parameters():
                average = self.averages[name]
                average.set_value(average * decay + value * (1 - decay))

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Let the model hold the averages for a while."""
        present = {name: value.clone().detach() for name, value in self.model.named_parameters()}
        self._fill(self.averages)
        try:
            yield
        finally:
            self._fill(present)

    def state(self) -> dict[str, np.ndarray]:
        """What to save, beside the optimizer's arrays."""
        return {PREFIX + name: value.numpy() for name, value in self.averages.items()}

    def load_state(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Continue from a saved state."""
        for name in self.averages:
            self.averages[name] = paddle.to_tensor(arrays[PREFIX + name])

    def _fill(self, values: Mapping[str, paddle.Tensor]) -> None:
        for name, parameter in self.model.named_parameters():
            parameter.set_value(values[name])
