"""What the end of an attempt means: which process failed first, and whether trying again helps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

TOGETHER_SECONDS = 1.0  # a process that was killed takes the others with it, whose errors are not the reason


@dataclass
class Worker:
    """What a supervisor knows of one process."""

    info: dict[str, Any]
    beat: float = 0.0
    gone: float | None = None
    end: dict[str, Any] = field(default_factory=dict)

    @property
    def rank(self) -> int:
        """Its number in the job."""
        return int(self.info["rank"])


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended."""

    status: str
    """finished, preempted, refused, failed, hung, or launcher_died."""

    culprit: Worker | None = None
    message: str = ""


def outcome_of(returncode: int | None, workers: dict[int, Worker], cut_short: Outcome | None, stopped: bool) -> Outcome:
    """What an attempt's end means."""
    ends = {rank: worker.end.get("status") for rank, worker in workers.items()}
    if returncode == 0 and workers and set(ends.values()) == {"finished"}:
        return Outcome("finished")
    if cut_short is not None:
        return cut_short
    # before the stop that was asked for: a run that could not be saved does not go on where it stopped
    if refused := [worker for worker in workers.values() if worker.end.get("status") == "refused"]:
        first = min(refused, key=lambda worker: worker.end["time"])
        return Outcome("refused", first, str(first.end["error"]))
    if stopped or "preempted" in ends.values():
        return Outcome("preempted")
    culprit = first_to_fail(workers)
    if returncode is not None and returncode < 0 and (culprit is None or not culprit.end):
        return Outcome("launcher_died", None, f"the launcher was killed by signal {-returncode}")
    if culprit is None:
        return Outcome("failed", None, "the launcher failed before any process began; see logs/")
    return Outcome("failed", culprit, str(culprit.end.get("error") or "was killed (by hand, or out of memory)"))


def first_to_fail(workers: dict[int, Worker]) -> Worker | None:
    """Who failed first; of those within a second, one that was killed, for it leaves the others in a collective."""
    times = {
        rank: float(worker.end.get("time", worker.gone or 0.0))
        for rank, worker in workers.items()
        if worker.gone is not None and worker.end.get("status") != "finished"
    }
    if not times:
        return None
    together = [rank for rank, when in times.items() if when <= min(times.values()) + TOGETHER_SECONDS]
    return workers[min(together, key=lambda rank: (bool(workers[rank].end), times[rank]))]
