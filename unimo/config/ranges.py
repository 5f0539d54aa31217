"""Numbers of a configuration that must lie within bounds."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

SHARE = (0.0, 1.0)
COUNT = (0, math.inf)


def check_ranges(values: object, **ranges: tuple[float, float]) -> None:
    """Refuse a field of ``values`` that is not within its [least, most].

    Raises:
        ValueError: naming the field.
    """
    for name, (least, most) in ranges.items():
        if not least <= getattr(values, name) <= most:  # nan is refused too
            told = f"at least {least:g}" if math.isinf(most) else f"in [{least:g}, {most:g}]"
            raise ValueError(f"{name}: {getattr(values, name)} is not {told}")


def check_weights(name: str, weights: Mapping[str, float], known: Collection[str]) -> None:
    """Refuse weights of what does not exist, and those below 0.

    Raises:
        ValueError: naming the field.
    """
    for kind, weight in weights.items():
        if kind not in known:
            raise ValueError(f"{name}: there is no {kind!r}; there are {', '.join(known)}")
        if not 0 <= weight < math.inf:
            raise ValueError(f"{name}: {kind}: {weight} is not at least 0")
