"""What a supervisor makes of what it sees of other machines; nothing here trains."""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.training.supervised import SELF, WAITS, at_look, event_names, stubbed
from unimo.training import presence, supervisor
from unimo.training.launch import Plan
from unimo.training.outcome import Outcome
from unimo.training.presence import Presence
from unimo.training.supervisor import Supervisor


def test_leftovers_of_other_machines_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All supervisors have gone; the processes of two are on hosts whose names begin or end like this one's."""
    killed: list[int] = []
    monkeypatch.setattr(supervisor.socket, "gethostname", lambda: "host-1")
    monkeypatch.setattr(supervisor, "send_signal", lambda pid, number: killed.append(pid))
    monkeypatch.setattr(supervisor, "wait_until_gone", lambda worker: None)
    monkeypatch.setattr(supervisor, "is_running", lambda worker: worker["pid"] in (11, 12, 13, 14))
    names = {11: "host-1-999-5", 12: "host-10-999-5", 13: "host-1-0-999-5", 14: "other-host-1-999-5"}
    for pid, name in names.items():
        (tmp_path / "workers" / name).mkdir(parents=True)
        (tmp_path / "workers" / name / "rank-0.json").write_text(json.dumps({"pid": pid, "started": "5", "rank": 0}))
    Supervisor(Plan([], tmp_path))._kill_leftovers()
    assert killed == [11]
    assert sorted(path.name for path in (tmp_path / "workers").iterdir()) == sorted(
        name for pid, name in names.items() if pid != 11
    )


OTHER = "other-7-7"


def write_event(folder: Path, event: str, supervisor: str = OTHER, **more: Any) -> None:
    """As the supervisor of another machine does."""
    values = {"time": time.time(), "host": "other", "node": 0, "event": event, "supervisor": supervisor, **more}
    with open(folder / "events.jsonl", "a", encoding="utf-8") as stream:
        stream.write(json.dumps({**values, "message": "a.tsv: no such file"}) + "\n")


ENDS = [("refused", 2), ("preempted", 75), ("gave_up", 1)]


@pytest.mark.parametrize(("event", "status"), ENDS)
def test_a_machine_that_ended_for_good_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], event: str, status: int
) -> None:
    supervisor = Supervisor(Plan(["true"], tmp_path, nodes=2, master="here:1", node_rank=1, max_restarts=3))
    attempts = []

    def fail(attempt: int, resume: bool) -> Outcome:
        attempts.append(attempt)
        write_event(tmp_path, event)  # perhaps it never started, for it did not know the master
        return Outcome("failed", None, "connection reset")

    monkeypatch.setattr(supervisor, "_attempt", fail)
    monkeypatch.setattr(supervisor, "_sleep", lambda seconds: None)
    assert supervisor.run() == status
    assert attempts == [1]
    told = "--resume goes on" if event == "preempted" else "other, node 0: a.tsv: no such file"
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(("event", "status"), ENDS)
def test_a_machine_that_ended_for_good_is_not_waited_for_at_the_master(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, event: str, status: int
) -> None:
    """The launcher would wait for ten minutes, and has started no process yet."""
    code = "import time; time.sleep(600)"
    supervised = stubbed(tmp_path / "run", monkeypatch, code, nodes=2, master="here:1", max_restarts=3)
    at_look(supervised, monkeypatch, 2, lambda: write_event(tmp_path / "run", event))
    assert supervised.run() == status


@pytest.mark.parametrize("event", ["refused", "preempted", "gave_up"])
def test_a_late_end_of_the_run_before_does_not_end_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, event: str
) -> None:
    """Node 0 of that run had ended, and its node 1 was still ending; node 2 of this run has begun already."""
    write_event(tmp_path, "started", "old-1-1")
    write_event(tmp_path, "preempted", "old-0-0")
    write_event(tmp_path, "started", "new-2-2")
    supervised = stubbed(tmp_path, monkeypatch, "import time; time.sleep(2)", nodes=2, master="here:1")
    at_look(supervised, monkeypatch, 2, lambda: write_event(tmp_path, event, "old-1-1"))
    assert supervised._events.end_elsewhere() is None
    assert supervised.run() == 1
    assert event_names(tmp_path)[-2:] == ["failed", "gave_up"]
    write_event(tmp_path, event, "new-2-2")
    ended = supervised._events.end_elsewhere()
    assert ended is not None and ended.status == event


@pytest.mark.parametrize(
    ("event", "more", "own"),
    [
        ("failed", {"process": 3}, ["broken_off", "gave_up"]),
        ("hung", {}, ["broken_off", "gave_up"]),
        ("launcher_died", {}, ["broken_off", "gave_up"]),
        ("refused", {}, ["refused"]),
        ("preempted", {"saved": False}, ["preempted"]),
    ],
)
def test_an_attempt_whose_other_half_broke_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, event: str, more: dict[str, Any], own: list[str]
) -> None:
    """Its process would wait for ever, giving signs of life; the end of an earlier attempt does not matter."""
    folder = tmp_path / "run"
    folder.mkdir()
    supervised = stubbed(folder, monkeypatch, "", nodes=2, master="here:1", node_rank=1)
    logs = supervised.logs_folder / "attempt-1"
    monkeypatch.setattr(Plan, "launcher", lambda *_: [sys.executable, "-c", WAITS.format(logs=str(logs))])
    write_event(folder, "started")
    write_event(folder, "failed", meeting="here:3999", **more)
    at_look(supervised, monkeypatch, 8, lambda: write_event(folder, event, meeting="here:4000", **more))
    assert supervised.run() == {"refused": 2, "preempted": 75}.get(event, 1)
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    mine = [each for each in events if each["supervisor"] != OTHER]
    assert [each["event"] for each in mine] == ["started", *own]
    assert mine[1]["meeting"] == "here:4000"  # it was watched until then
    if event == "failed":
        assert mine[1]["message"] == "other, node 0: process 3: a.tsv: no such file"


def test_a_machine_that_gives_no_sign_of_life_any_more_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that never gave any while this machine looked is of a run before; one that ended removed its file."""
    now = [0.0]
    monkeypatch.setattr(presence.time, "monotonic", lambda: now[0])
    for name in ("own-1-1", "lost-1-1", "ended-1-1", "before-1-1"):
        (tmp_path / name).mkdir()
    present = Presence(tmp_path, "own-1-1", 100.0)
    others = [Presence(tmp_path, name, 100.0) for name in ("lost-1-1", "ended-1-1", "before-1-1")]
    for each in (present, *others):
        each.show()
    assert present.lost() == ""
    for each in others[:2]:
        now[0] += 10
        each.show()
        assert present.lost() == ""
    shutil.rmtree(tmp_path / "ended-1-1")
    now[0] += 99
    assert present.lost() == "lost-1-1"
    assert present.lost() == ""


def test_a_lost_machine_ends_the_attempt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import time; time.sleep(600)"
    supervised = stubbed(tmp_path, monkeypatch, code, nodes=2, master="here:1", node_rank=1)
    looks = iter(["", "", "other-7-7"])
    monkeypatch.setattr(supervised._presence, "lost", lambda: next(looks))
    assert supervised.run() == 1
    assert event_names(tmp_path) == ["started", "broken_off", "gave_up"]


@pytest.mark.parametrize(
    ("plan", "nodes"),
    [({}, [0, 0]), ({"nodes": 2, "node_rank": 1}, [1, 1]), ({"nodes": 2, "devices": 4}, [None, 1])],
    ids=["alone", "numbered", "counted by the master"],
)
def test_events_tell_nodes_of_one_host_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plan: dict[str, Any], nodes: list[int | None]
) -> None:
    """Where the master counts, a node's number is known when one of its processes has told its own."""
    supervised = stubbed(tmp_path / "run", monkeypatch, "", **plan)

    def watch(*_: Any) -> None:
        (supervised.workers_folder / "rank-5.json").write_text(json.dumps({"rank": 5, **SELF}))

    monkeypatch.setattr(supervised, "_watch", watch)
    supervised.run()
    events = [json.loads(line) for line in (tmp_path / "run" / "events.jsonl").read_text().splitlines()]
    assert [event["node"] for event in events[:2]] == nodes
