"""What every converter makes: a model of ours, with every parameter of either side accounted for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import paddle

from unimo.config.architecture import UnimoConfig
from unimo.errors import InputError
from unimo.modeling import UnimoModel

MAX_LISTED = 20
"""Names of a list that are spelled out; the others are counted."""


@dataclass(frozen=True)
class Converted:
    """A converted model."""

    model: UnimoModel
    """In evaluation mode."""

    notes: tuple[str, ...] = ()
    """What was left out or added, a line each, for the user to read."""

    optimizer: Mapping[str, np.ndarray] = field(default_factory=dict)
    """As ``training.optimizer.AdamW.load_state`` takes it; empty where the source has none."""

    num_updates: int = 0
    """Updates that the optimizer state comes from."""


def fresh_model(config: UnimoConfig, heads: Mapping[str, int], seed: int, source: str | Path) -> UnimoModel:
    """A model in evaluation mode, whose initial values depend on the seed alone.

    Raises:
        InputError: neither the config nor the weights of ``source`` tell the size of the vocabulary.
    """
    if not config.vocab_size:
        raise InputError.at(source, "no embeddings of words, which would tell the size of the vocabulary")
    paddle.seed(seed)
    model = UnimoModel(config, heads)
    model.eval()
    return model


def check_all_named(names: Collection[str], allowed: Collection[str], source: str | Path, what: str, flag: str) -> None:
    """Refuse left-over names that the user did not name (in full, or by what they begin with).

    Raises:
        InputError: listing them.
    """
    wrong = [name for name in names if not is_named(name, allowed)]
    if wrong:
        raise InputError.at(source, f"{what}: {listed(wrong)}; if that is meant, name them with {flag}")


def is_named(name: str, allowed: Collection[str]) -> bool:
    """Whether a name or a beginning of it is among those the user gave."""
    return name.startswith(tuple(allowed))


def listed(names: Collection[str]) -> str:
    """Names for a message, on one line."""
    names = sorted(names)
    more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
    return ", ".join(names[:MAX_LISTED]) + more
