"""Worker processes: none is left behind, however their parent ends, and a killed one is told in a line."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from unimo.errors import InputError
from unimo.runtime.workers import map_in_order, worker_processes

# A script whose worker tells its own number, and then sleeps for longer than any test.
SLEEPS = """
import os, sys, time
from unimo.runtime.workers import worker_processes

def work(path):
    with open(path, "w") as stream:
        stream.write(str(os.getpid()))
    time.sleep(611)

if __name__ == "__main__":
    with worker_processes(1) as workers:
        workers.submit(work, sys.argv[1]).result()
"""
UNASKED = """
from unimo.errors import InputError
from unimo.runtime.workers import worker_processes

try:
    with worker_processes(1) as workers:
        workers.submit(print).result()
except InputError as error:
    print(error)
"""


def kill_oneself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def start(folder: Path, code: str) -> subprocess.Popen[str]:
    (folder / "script.py").write_text(code)
    return subprocess.Popen(
        [sys.executable, str(folder / "script.py"), str(folder / "pid")],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL) and None,  # perhaps ignored here
    )


def test_results_come_back_and_errors_too() -> None:
    with worker_processes(2) as workers:
        assert list(workers.map(abs, [-1, 2, -3])) == [1, 2, 3]
        with pytest.raises(ValueError, match="invalid literal"):
            workers.submit(int, "x").result()


@pytest.mark.parametrize("count", [1, 2])
def test_an_ordered_map_takes_no_more_items_than_it_needs(count: int) -> None:
    taken: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(-9, 0):
            taken.append(number)
            yield number

    found = map_in_order(abs, numbers(), count, 3)
    assert next(found) == (-9, 9)
    assert len(taken) <= 3
    assert list(found) == [(-number, number) for number in range(8, 0, -1)]


def test_an_ordered_map_passes_errors_on_and_ends_its_processes() -> None:
    found = map_in_order(int, ["1", "2", "x", "4"], 2, 2)
    with pytest.raises(ValueError, match="invalid literal"):
        list(found)
    assert multiprocessing.active_children() == []
    left = map_in_order(abs, range(-9, 0), 2, 2)
    next(left)
    left.close()
    assert multiprocessing.active_children() == []
    assert list(map_in_order(int, [], 2, 2)) == []


def test_a_killed_worker_is_an_input_error() -> None:
    with pytest.raises(InputError, match="killed"), worker_processes(1) as workers:
        workers.submit(kill_oneself).result()


def test_an_error_does_not_wait_for_what_others_are_at() -> None:
    began = time.monotonic()
    with pytest.raises(ValueError, match="invalid literal"), worker_processes(2) as workers:
        sleeping = workers.submit(time.sleep, 611)
        while not sleeping.running():
            time.sleep(0.02)
        workers.submit(int, "x").result()
    assert time.monotonic() - began < 120


def test_a_script_that_does_not_ask_for_main_is_told(tmp_path: Path) -> None:
    printed, _ = start(tmp_path, UNASKED).communicate(timeout=60)
    assert "__name__ == '__main__'" in printed


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT], ids=lambda number: number.name)
def test_workers_end_with_their_parent(tmp_path: Path, number: signal.Signals) -> None:
    """SIGINT goes to both, as from a terminal, and the worker says nothing of it."""
    parent = start(tmp_path, SLEEPS)
    deadline = time.monotonic() + 60
    while not ((told := tmp_path / "pid").exists() and told.read_text()) and time.monotonic() < deadline:
        time.sleep(0.02)
    pid = int(told.read_text())
    (os.killpg if number == signal.SIGINT else os.kill)(parent.pid, number)
    _, errors = parent.communicate(timeout=30)
    assert parent.returncode != 0
    assert errors.count("Traceback") == (1 if number == signal.SIGINT else 0)
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_alive(pid)


def is_alive(pid: int) -> bool:
    """A process that has ended may stay as a zombie, which has no command line."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except OSError:
        return False
