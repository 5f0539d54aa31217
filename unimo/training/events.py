"""What supervisors note in a run folder's events.jsonl, and what they learn there of other machines.

Every event names its supervisor, and the end of an attempt its meeting: what all processes of one attempt have in
common (``launch.find_meeting``). So an end that comes late, of an attempt or a run before, is not taken for one of
this: whatever the clocks say, for they may differ. Must not import Paddle.
"""

from __future__ import annotations

import contextlib
import json
import socket
import time
from pathlib import Path
from typing import Any

from unimo.training.outcome import FINAL, NOT_SAVED, Outcome

EVENTS_NAME = "events.jsonl"
BROKEN = ("failed", "hung", "launcher_died")
"""Ends of an attempt after which a supervisor starts again; processes of other machines would wait for its own."""


class Events:
    """One supervisor's view of a run's events."""

    def __init__(self, folder: Path, supervisor: str) -> None:
        """``supervisor``: who notes here, told from all others: host, process and when that started."""
        self._path, self.supervisor = folder / EVENTS_NAME, supervisor
        self._read = 0  # bytes
        self._foreign: list[dict[str, Any]] = []
        events = self._new_lines()
        ends = [place for place, event in enumerate(events) if event["event"] in FINAL]
        before = events[: ends[-1] + 1] if ends else []  # whoever noted then is of a run before
        self._not_heard = {self.supervisor, "", *(str(event.get("supervisor", "")) for event in before)}
        self._take(events[len(before) :])

    def note(self, event: str, node: int | None, **values: Any) -> None:
        """Add an event."""
        line = {"time": round(time.time(), 3), "host": socket.gethostname(), "node": node, "event": event}
        line["supervisor"] = self.supervisor
        # where there is no room, the refusal is printed at least
        with contextlib.suppress(OSError), open(self._path, "a", encoding="utf-8") as stream:
            stream.write(json.dumps({**line, **values}) + "\n")

    def end_elsewhere(self) -> Outcome | None:
        """How another machine's supervisor ended for good, which does not start again and would be waited for."""
        for event in self._of_others():
            if event["event"] == "preempted":
                return Outcome("preempted")
            if event["event"] in ("refused", "gave_up"):
                return Outcome(event["event"], None, _told(event))
        return None

    def break_elsewhere(self, meeting: str) -> Outcome | None:
        """Why an attempt cannot go on: how that of another machine ended whose processes met these; None if it can."""
        if not meeting:
            return None
        for event in self._of_others():
            if event.get("meeting") != meeting:
                continue
            if event["event"] in BROKEN:
                return Outcome("broken_off", None, _told(event))
            if event["event"] == "refused":
                return Outcome("refused", None, _told(event))
            if event["event"] == "preempted" and not event.get("saved", True):
                return Outcome("preempted", None, NOT_SAVED)
        return None

    def _of_others(self) -> list[dict[str, Any]]:
        """What other supervisors of this run noted."""
        self._take(self._new_lines())
        return self._foreign

    def _take(self, events: list[dict[str, Any]]) -> None:
        self._foreign += [event for event in events if str(event.get("supervisor", "")) not in self._not_heard]

    def _new_lines(self) -> list[dict[str, Any]]:
        """What was added since the last look, but for a line that is still being written."""
        if not self._path.is_file() or self._path.stat().st_size <= self._read:
            return []
        with open(self._path, "rb") as stream:
            stream.seek(self._read)
            new = stream.read()
        new = new[: new.rfind(b"\n") + 1]
        self._read += len(new)
        found = []
        for line in new.splitlines():
            with contextlib.suppress(ValueError):  # two machines wrote at once
                event = json.loads(line)
                if isinstance(event, dict) and "event" in event:
                    found.append(event)
        return found


def _told(event: dict[str, Any]) -> str:
    process = "" if event.get("process") is None else f"process {event['process']}: "
    return f"{event['host']}, node {event['node']}: {process}{event.get('message', '')}"
