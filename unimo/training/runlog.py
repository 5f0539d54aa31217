"""metrics.jsonl: one JSON object an event, with `step`, `split`, and names and values."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from unimo.files import atomic_write, parse_json


class RunLog:
    """Appends events to a run's metrics.jsonl; of several processes one writes."""

    def __init__(
        self,
        path: str | Path,
        resumed_step: int | None = None,
        writes: bool = True,
        evaluated_again: Collection[str] = (),
    ) -> None:
        """Open a log, and drop what is about to be done again.

        Args:
            path: metrics.jsonl.
            resumed_step: events after it belong to a part of the run that is trained again; None begins anew.
            writes: whether this process writes.
            evaluated_again: splits whose events of that very step are dropped too.
        """
        self.path, self.writes = Path(path), writes
        if not writes:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        kept = []
        for event in read_events(path) if resumed_step is not None else ():
            again = event["step"] == resumed_step and event["split"] in evaluated_again
            if event["step"] <= resumed_step and not again:
                kept.append(event)
        with atomic_write(self.path) as stream:
            stream.writelines(json.dumps(event) + "\n" for event in kept)

    def log(self, step: int, split: str, values: Mapping[str, Any]) -> None:
        """Write one event; numbers that are not finite become null."""
        if not self.writes:
            return
        event = {"step": step, "split": split, **{name: _plain(value) for name, value in values.items()}}
        with open(self.path, "a", encoding="utf-8") as stream:
            stream.write(json.dumps(event) + "\n")


def read_events(path: str | Path) -> list[dict[str, Any]]:
    """All whole events of a metrics.jsonl; a last line that was cut off by a crash is left out."""
    if not Path(path).is_file():
        return []
    events = []
    for line in Path(path).read_bytes().splitlines():
        try:
            event = parse_json(line)
        except ValueError:  # neither JSON nor UTF-8
            break
        if not (isinstance(event, dict) and isinstance(event.get("step"), int) and "split" in event):
            break
        events.append(event)
    return events


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
