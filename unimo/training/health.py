"""What a training process tells those who watch it: that it is alive, why it ended, and that it heard SIGTERM.

Where the environment names a folder (a supervisor does), each process keeps two files there: `rank-<n>.json`, whose
time is that of its last sign of life, and `rank-<n>.end.json`, why it ended; a process that was killed leaves no end.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from unimo.errors import InputError
from unimo.files import told_of_full_disk, write_json

FOLDER_VARIABLE = "UNIMO_WORKERS"
EXIT_PREEMPTED = 75
"""Exit status of a run that saved and stopped because it got SIGTERM (EX_TEMPFAIL: run it again with --resume)."""

BEAT_SECONDS = 0.5  # between writes to the file system, however fast the steps
PARENT_SECONDS = 0.5  # between looks at whether the launcher is still there


class Preempted(Exception):  # noqa: N818 (nothing went wrong)
    """SIGTERM came; the run has been saved."""


class StopRequest:
    """Whether SIGTERM has come."""

    def __init__(self) -> None:
        self.received = False

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Note SIGTERM in place of dying of it; only the main thread can."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGTERM, self._note)
        # Paddle's store takes a call that a signal interrupts for a broken connection
        signal.siginterrupt(signal.SIGTERM, False)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = True


class Heartbeat:
    """One process's signs of life; silent where nobody watches."""

    def __init__(self, rank: int, folder: str | Path | None = None) -> None:
        """``folder``: in place of the one that the environment names."""
        named = folder or os.environ.get(FOLDER_VARIABLE)
        self.path = Path(named) / f"rank-{rank}.json" if named else None
        self._last = 0.0
        if self.path is not None:
            # the file's first time counts as no sign of life: reading data may take long
            log = Path(os.environ.get("PADDLE_LOG_DIR", "")) / f"workerlog.{os.environ.get('PADDLE_LOCAL_RANK', '0')}"
            started = process_start(os.getpid())
            write_json(self.path, {"rank": rank, "pid": os.getpid(), "started": started, "log": str(log)})
            os.utime(self.path, (0, 0))

    def beat(self) -> None:
        """The main thread got on."""
        now = time.time()
        if self.path is not None and now - self._last >= BEAT_SECONDS:
            self._last = now
            os.utime(self.path, (now, now))

    def end(self, status: str, error: str = "") -> None:
        """Note why this process ends, where there is room for that."""
        if self.path is not None:
            with contextlib.suppress(OSError):  # whoever watches finds out by himself that there is none
                write_json(self.path.with_suffix(".end.json"), {"status": status, "error": error, "time": time.time()})


def is_supervised() -> bool:
    """Whether a supervisor watches this process."""
    return bool(os.environ.get(FOLDER_VARIABLE))


@contextlib.contextmanager
def refusals_told() -> Iterator[None]:
    """Let whoever watches know of a mistake that ends this process before it has begun: it is not to be tried again."""
    try:
        yield
    except InputError as error:
        Heartbeat(int(os.environ.get("PADDLE_TRAINER_ID") or 0)).end("refused", str(error))
        raise


@contextlib.contextmanager
def watched(heartbeat: Heartbeat) -> Iterator[None]:
    """Note how the block ends, and end this process where its launcher was killed.

    Raises:
        InputError: in place of the system's error where nothing more can be written: trying again does not help.
    """
    stopped = threading.Event()
    if "PADDLE_TRAINER_ID" in os.environ:
        threading.Thread(target=_end_with_parent, args=(os.getppid(), stopped), daemon=True).start()
    try:
        yield
        heartbeat.end("finished")
    except Preempted:
        heartbeat.end("preempted")
        raise
    except InputError as error:
        heartbeat.end("refused", str(error))
        raise
    except BaseException as error:
        if (told := told_of_full_disk(error)) is not None:
            heartbeat.end("refused", str(told))
            raise told from error
        heartbeat.end("failed", f"{type(error).__name__}: {error}")
        raise
    finally:
        stopped.set()


def process_start(pid: int) -> str:
    """When a process started, in the kernel's ticks, so that a number used again is not taken for it; "" if unknown."""
    fields = _stat(pid)
    return fields[19] if fields else ""


def is_running(worker: dict[str, Any]) -> bool:
    """Whether the process that wrote a `rank-<n>.json` on this machine is still there (a zombie is not)."""
    fields = _stat(int(worker["pid"]))
    return bool(fields) and fields[0] not in "ZX" and fields[19] == worker["started"]


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat after the name; none where there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return []


def _end_with_parent(parent: int, stopped: threading.Event) -> None:
    while not stopped.wait(PARENT_SECONDS):
        if os.getppid() != parent:
            os._exit(1)
