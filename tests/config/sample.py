"""A configuration with every kind of field."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


class Precision(enum.Enum):
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


@dataclass(frozen=True)
class Optimizer:
    """How weights move."""

    learning_rate: float = 1e-4
    """Peak learning rate."""

    betas: tuple[float, float] = (0.9, 0.98)
    """Decays of the two moments."""

    layers: list[int] = field(default_factory=list)
    """Layers that are trained;
    empty means all."""

    def __post_init__(self) -> None:
        if self.learning_rate <= 0:
            raise ValueError(f"learning_rate must be positive, got {self.learning_rate}")


@dataclass(frozen=True)
class Constant:
    """No change."""

    kind: Literal["constant"] = "constant"


@dataclass(frozen=True)
class Linear:
    """Down to zero."""

    kind: Literal["linear"] = "linear"
    num_steps: int = 10


@dataclass(frozen=True)
class Source:
    """A file of records."""

    path: Path
    """Where it lies."""

    weight: float = 1.0
    """Its share."""


@dataclass(frozen=True)
class Job:
    """A job."""

    task: str
    """What is learned."""

    optimizer: Optimizer = field(default_factory=Optimizer)
    schedule: Constant | Linear = field(default_factory=Constant)
    teacher: Optimizer | None = None
    sources: tuple[Source, ...] = ()
    """What is read."""

    files: dict[str, str] = field(default_factory=dict)
    """Split -> file."""

    precision: Precision = Precision.FLOAT32
    """Number format."""

    name: str | None = None
    """Name of the run."""

    output: Path | None = None
    resume: bool = False
    """Go on where the last run stopped."""

    seed: int = 1
    tags: tuple[str | None, ...] = ()
    weights: dict[str, Source] = field(default_factory=dict)


@dataclass(frozen=True)
class Options:
    """Options of a task."""

    beam_size: int = 5
    """Hypotheses kept."""

    hidden_size: int = 8
