"""Supervisors that stand in for others, and what they and their processes leave behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import REPOSITORY
from tests.faults.jobs import Run
from unimo.training import processes, supervisor
from unimo.training.health import process_start
from unimo.training.launch import Plan
from unimo.training.outcome import Worker
from unimo.training.supervisor import Supervisor

SELF = {"pid": os.getpid(), "started": process_start(os.getpid())}


def worker(rank: int, gone: float | None = None, **end: Any) -> Worker:
    return Worker({"rank": rank, **SELF}, gone=gone, end=end)


def stubbed(folder: Path, monkeypatch: pytest.MonkeyPatch, code: str, **plan: Any) -> Supervisor:
    """A supervisor whose launcher is a few lines of Python."""
    monkeypatch.setattr(Plan, "launcher", lambda *_: [sys.executable, "-c", code])
    # this process has children of its own, which must live
    monkeypatch.setattr(supervisor, "adopt_orphans", lambda: None)
    monkeypatch.setattr(processes, "_children", lambda: [])
    folder.mkdir(exist_ok=True)
    return Supervisor(Plan([], folder, **plan))


def event_names(folder: Path) -> list[str]:
    return [json.loads(line)["event"] for line in (folder / "events.jsonl").read_text().splitlines()]


def at_look(supervised: Supervisor, monkeypatch: pytest.MonkeyPatch, number: int, act: Any) -> None:
    """Do something when the supervisor looks at its processes for a certain time."""
    look, looks = supervised._look, iter(range(10**6))

    def told(workers: dict[int, Worker]) -> None:
        if next(looks) == number:
            act()
        look(workers)

    monkeypatch.setattr(supervised, "_look", told)


WAITS = """
import json, os, pathlib, time
pathlib.Path({logs!r}, "envlog.0").write_text("PADDLE_MASTER=here:4000" + chr(10))
folder = pathlib.Path(os.environ["UNIMO_WORKERS"])
started = pathlib.Path("/proc/self/stat").read_text().rpartition(") ")[2].split()[19]
(folder / "rank-0.json").write_text(json.dumps({{"rank": 0, "pid": os.getpid(), "started": started, "log": ""}}))
time.sleep(600)
"""


def worker_pid(run: Run, rank: int) -> int:
    (path,) = (run.folder / "workers").glob(f"*/rank-{rank}.json")
    return int(json.loads(path.read_text())["pid"])


def train(config: Path, *flags: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "unimo", "train", "--config", str(config), *flags]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=pipe, stderr=pipe, text=True)
