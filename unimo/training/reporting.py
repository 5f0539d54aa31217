"""What a run says of itself: means between two lines of the log, predictions, and report.json."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unimo.files import atomic_write
from unimo.training.distributed import ProcessGroup
from unimo.training.mixture import Draw
from unimo.training.runlog import read_events
from unimo.training.task import Evaluation


@dataclass
class Window:
    """What is averaged between two lines of the log: this process's share of it."""

    sums: dict[str, Any] = field(default_factory=dict)
    weights: dict[str, float] = field(default_factory=dict)
    valid: int = 0
    positions: int = 0
    waited: float = 0.0
    started: float = field(default_factory=time.perf_counter)

    def add(self, name: str, contribution: Any, weight: float = 1.0) -> None:
        """Take in a value times its weight among all processes, which together weigh 1 a micro-batch.

        Tensors are not read before the summary.
        """
        self.sums[name] = self.sums.get(name, 0.0) + contribution
        self.weights[name] = self.weights.get(name, 0.0) + weight

    def count(self, draw: Draw) -> None:
        """Count the positions of a micro-batch."""
        for batch in draw.batches.values():
            self.valid += batch.num_valid
            self.positions += batch.num_positions

    def summary(self, group: ProcessGroup) -> dict[str, float]:
        """The means over all processes; every process must ask."""
        seconds = max(1e-9, time.perf_counter() - self.started)
        mine = {name: (float(total), self.weights[name]) for name, total in self.sums.items()}
        everybody = group.gather((mine, self.valid, self.positions, self.waited))
        names = dict.fromkeys(name for sums, *_ in everybody for name in sums)
        means = {}
        for name in names:
            parts = [sums[name] for sums, *_ in everybody if name in sums]
            means[name] = sum(total for total, _ in parts) / max(1e-9, sum(weight for _, weight in parts))
        valid, positions = sum(each[1] for each in everybody), sum(each[2] for each in everybody)
        return means | {
            "seconds": seconds,
            "tokens_per_second": valid / seconds,
            "padding_share": 1 - valid / max(1, positions),
            "data_wait_share": max(each[3] for each in everybody) / seconds,
        }


def write_predictions(path: str | Path, evaluation: Evaluation) -> None:
    """One JSON object a line, atomically."""
    with atomic_write(path) as stream:
        stream.writelines(json.dumps(prediction, ensure_ascii=False) + "\n" for prediction in evaluation.predictions)


def scores_at(log: str | Path, step: int | None, splits: Collection[str]) -> dict[str, Mapping[str, Any]]:
    """The logged scores of every split at a step."""
    found: dict[str, Mapping[str, Any]] = {}
    for event in read_events(log):
        if event["split"] in splits and event["step"] == step:
            found[event["split"]] = {k: v for k, v in event.items() if k not in ("step", "split", "seconds")}
    return found
