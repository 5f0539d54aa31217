"""Timings that can be compared: everything in one run, in turns, medians.

With one thread the clock counts processor time, which other programs on the machine disturb little; with several it is
the wall clock.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Run = Callable[[], float]
"""Does the work once and returns the seconds it took."""


class RunError(Exception):
    """A run cannot be taken, now or in later turns; the reason is shown."""


@dataclass(frozen=True)
class Clock:
    """How seconds are counted."""

    threads: int

    @property
    def name(self) -> str:
        """For the report."""
        return "processor time" if self.threads == 1 else "wall clock"

    def timed(self, work: Callable[[], Any]) -> Run:
        """A run of work in this process."""
        now = time.process_time if self.threads == 1 else time.perf_counter

        def run() -> float:
            start = now()
            work()
            return now() - start

        return run


def in_turns(
    runs: Mapping[str, Run],
    repeats: int,
    drop: Callable[[str, RunError], None] | None = None,
    pause: float = 0.0,
) -> dict[str, float]:
    """The median of ``repeats`` timings of each run; the runs take turns, after a round that does not count.

    Where ``drop`` is given, it is told the name of a run that fails and why; the run takes no further turns and has no
    median. Before every run there is a ``pause`` in seconds.

    Raises:
        RunError: a run failed, without ``drop``.
    """
    timings: dict[str, list[float]] = {name: [] for name in runs}
    for round_number in range(repeats + 1):
        for name in list(timings):
            time.sleep(pause)
            try:
                seconds = runs[name]()
            except RunError as error:
                if drop is None:
                    raise
                drop(name, error)
                del timings[name]
                continue
            if round_number:
                timings[name].append(seconds)
    return {name: statistics.median(values) for name, values in timings.items()}
