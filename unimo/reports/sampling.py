"""Examples drawn by seed, so that none is picked."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

SEED = 1
SAMPLED = "Drawn at random with a fixed seed, shown as they come."


def sample(items: Sequence[Any], count: int, seed: int = SEED) -> list[Any]:
    """Up to `count` of the items, chosen at random by the seed, in their own order."""
    chosen = random.Random(seed).sample(range(len(items)), min(count, len(items)))
    return [items[index] for index in sorted(chosen)]
