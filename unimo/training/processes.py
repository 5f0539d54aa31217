"""Processes of this machine: none outlives who watches it, and none is left behind."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from unimo.training.health import is_running

ORPHAN_SECONDS = 10.0
END_POLL_SECONDS = 0.02
PR_SET_CHILD_SUBREAPER = 36


def end_all(launcher: subprocess.Popen[bytes], workers: Iterable[dict[str, Any]]) -> list[int]:
    """Kill what is left of an attempt: the launcher, the workers known, and whatever became this process's child.

    Returns those that are there after 10 seconds all the same: the kernel holds them (state D), in a disk or a driver.
    """
    deadline = time.monotonic() + ORPHAN_SECONDS
    if launcher.poll() is None:
        launcher.kill()
    while True:
        left = {int(worker["pid"]) for worker in workers if is_running(worker)}
        for pid in _children():
            if pid != launcher.pid:
                send_signal(pid, signal.SIGKILL)
                (left.discard if _is_reaped(pid) else left.add)(pid)
        for pid in left:
            send_signal(pid, signal.SIGKILL)
        if launcher.poll() is None:
            left.add(launcher.pid)
        if not left or time.monotonic() > deadline:
            return sorted(left)
        time.sleep(END_POLL_SECONDS)


def _is_reaped(child: int) -> bool:
    """Take a child's end, if it has ended; never waits."""
    try:
        return os.waitpid(child, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return True


def _children() -> list[int]:
    """This process's children."""
    listed = Path(f"/proc/self/task/{os.getpid()}/children")
    return [int(pid) for pid in listed.read_text().split()] if listed.is_file() else []


def adopt_orphans() -> None:
    """Whatever a killed launcher leaves behind becomes this process's child, and can be found."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def wait_until_gone(worker: dict[str, Any]) -> None:
    """Wait for the end of a process that is no child; 10 seconds at most."""
    deadline = time.monotonic() + 10
    while is_running(worker) and time.monotonic() < deadline:
        time.sleep(0.02)


def send_signal(pid: int, number: int) -> None:
    """A signal for a process, if it is there."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
