"""Half precision: the context a forward runs in, and the factor that keeps small float16 gradients from vanishing.

Weights, moments and gradients are float32 in any case. fp16 and bf16 were never run on a GPU here; the logic of the
factor is tested on simulated overflows.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import paddle

from unimo.config.job import PrecisionConfig

LARGEST, SMALLEST = 2.0**24, 1.0


def autocast(precision: PrecisionConfig) -> contextlib.AbstractContextManager[None]:
    """What a forward runs in: matrix products in the asked-for numbers, sums and losses in float32 (Paddle's O1)."""
    if precision.compute == "float32":
        return contextlib.nullcontext()
    return paddle.amp.auto_cast(level="O1", dtype=precision.compute)


@dataclass
class LossScaler:
    """Doubles after ``growth_interval`` good steps, halves at every overflow; 1 and silent unless it is active."""

    active: bool
    scale: float
    growth_interval: int
    good_steps: int = 0
    overflows: int = 0

    @classmethod
    def of(cls, precision: PrecisionConfig) -> LossScaler:
        """The scaler of a job: float32 and bfloat16 need none."""
        active = precision.compute == "float16"
        return cls(active, precision.initial_loss_scale if active else 1.0, precision.growth_interval)

    def update(self, finite: bool) -> None:
        """Learn how a step went; one that was not finite has been skipped."""
        if not self.active:
            return
        if not finite:
            self.scale, self.good_steps = max(SMALLEST, self.scale / 2), 0
            self.overflows += 1
            return
        self.good_steps += 1
        if self.good_steps >= self.growth_interval:
            self.scale, self.good_steps = min(LARGEST, self.scale * 2), 0

    @property
    def may_fall(self) -> bool:
        """Whether a smaller scale is left to be tried: until then an overflow says nothing about model or data."""
        return self.active and self.scale > SMALLEST

    def state(self) -> dict[str, float]:
        """What to save."""
        return {"scale": self.scale, "good_steps": self.good_steps, "overflows": self.overflows}

    def load_state(self, state: dict[str, float]) -> None:
        """Continue from a saved state."""
        if self.active and state:
            self.scale = float(state["scale"])
            self.good_steps, self.overflows = int(state["good_steps"]), int(state["overflows"])
