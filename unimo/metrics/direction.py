"""Which way a metric is better."""

from __future__ import annotations

LOWER_IS_BETTER = frozenset({"loss", "perplexity"})
"""Last parts of the names of metrics that are better when they are lower; all others are better when higher."""


def lower_is_better(metric: str) -> bool:
    """Whether a metric, by its name with or without the split before it, is better when it is lower."""
    return metric.rpartition(".")[2] in LOWER_IS_BETTER
