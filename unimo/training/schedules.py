"""Learning rate as a function of the step: the original's three schedules and two of ours."""

from __future__ import annotations

from unimo.config.job import OptimizerConfig


def warmup_steps_of(config: OptimizerConfig, num_steps: int) -> int:
    """Steps of the warm-up: as given, or the ratio of all steps rounded down (original release)."""
    return config.warmup_steps or int(num_steps * config.warmup_ratio)


def learning_rate(config: OptimizerConfig, step: int, num_steps: int, steps_per_epoch: int = 0) -> float:
    """The rate of the ``step``-th update, counted from 0, of ``num_steps``.

    The original's schedules keep what it does: the first update has rate 0, `linear_warmup_decay` jumps down at the
    end of the warm-up since the decay counts from step 0, and without any warm-up the rate is constant.
    """
    peak, warmup = config.learning_rate, warmup_steps_of(config, num_steps)
    if config.schedule == "constant":
        return peak
    if config.schedule == "linear":
        if step < warmup:
            return peak * (step + 1) / warmup
        return peak * max(0.0, (num_steps - step) / max(1, num_steps - warmup))
    if warmup == 0:
        return peak
    if config.schedule == "linear_warmup_decay":
        return peak * step / warmup if step < warmup else peak * (1 - min(step, num_steps) / num_steps)
    if config.schedule == "noam_decay":
        count = step + 1  # fluid's noam counter starts at 1
        return peak * warmup**0.5 * min(count**-0.5, count * warmup**-1.5)
    passed = sum(step >= epoch * steps_per_epoch for epoch in config.decay_epochs)
    return peak * config.decay_scale**passed
