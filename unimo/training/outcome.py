"""What the end of an attempt means: which process failed first, and whether trying again helps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

TOGETHER_SECONDS = 1.0  # a process that was killed takes the others with it, whose errors are not the reason
FINAL = ("finished", "preempted", "refused", "gave_up")
"""Ends after which a supervisor does not start again."""

NOT_SAVED = "not saved"
UNTOLD = "a process ended before it could tell why"


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
    """finished, preempted, refused, failed, hung, launcher_died, broken_off (an attempt that another machine's end left
    without its other half) or gave_up."""

    culprit: Worker | None = None
    message: str = ""
    log: str = ""
    """The log whose end tells more; the culprit's where none is named."""


def outcome_of(
    returncode: int | None, workers: dict[int, Worker], cut_short: Outcome | None, stopped: bool, devices: int
) -> Outcome:
    """What an attempt's end means.

    Args:
        returncode: the launcher's; None where it could not be ended.
        workers: the processes that have told of themselves, by rank.
        cut_short: why the launcher was not waited for, if it was not.
        stopped: whether this machine was asked to stop.
        devices: how many processes there should have been here.
    """
    ends = {rank: worker.end.get("status") for rank, worker in workers.items()}
    if set(ends.values()) == {"finished"} and (returncode == 0 or len(workers) == devices):
        told = f"the launcher ended with status {returncode} after all processes had finished"
        return Outcome("finished", None, "" if returncode == 0 else told)
    has_begun = any(worker.beat for worker in workers.values())  # before, there is nothing to save
    stop = Outcome("preempted", None, NOT_SAVED if has_begun else "")
    if cut_short is not None:
        return stop if stopped and cut_short.status in ("hung", "broken_off") else cut_short
    # before the stop that was asked for: a run that could not be saved does not go on where it stopped
    if refused := [worker for worker in workers.values() if worker.end.get("status") == "refused"]:
        first = min(refused, key=lambda worker: worker.end["time"])
        return Outcome("refused", first, str(first.end["error"]))
    if "preempted" in ends.values():
        return Outcome("preempted")
    culprit = first_to_fail(workers)
    if stopped and (culprit is None or not culprit.end):
        return stop
    if returncode is not None and returncode < 0 and (culprit is None or not culprit.end):
        return Outcome("launcher_died", None, f"the launcher was killed by signal {-returncode}")
    if culprit is None or (not culprit.end and len(workers) < devices):
        return Outcome("failed", None, UNTOLD)
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
