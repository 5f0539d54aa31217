"""One at a time in a folder.

The lock is the kernel's (``flock`` on a file in the folder): it goes with the process that holds it, however that ends,
so none is ever stale. A file system that knows no such locks (some network ones) is told of, and the work goes on
without. This file must not import Paddle: a supervisor uses it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unimo.errors import InputError

POLL_SECONDS = 0.05


@dataclass(frozen=True)
class FolderLock:
    """The lock of one sort of work, and what those are told that come second."""

    name: str
    """Of the file in the folder."""
    at_work: str
    """As in "another run is at work there"."""
    others: str
    """As in "not kept from other runs"."""
    remedy: str = "wait for its end"
    is_ally: Callable[[dict[str, Any]], bool] = lambda _: False
    """Whether the holder, of whom ``note`` is known, may be joined without the lock."""
    only_looks: bool = False
    """Never hold it: only see that no other has it but an ally."""
    patience: float = 0.0
    """Seconds to wait for a holder that is just ending."""

    @contextlib.contextmanager
    def held(self, folder: Path, note: dict[str, Any] | None = None) -> Iterator[None]:
        """Keep others out of a folder while the block lasts; ``note`` is what they may know of this process.

        A folder that is made for the lock, and into which the block wrote nothing, is gone afterwards.

        Raises:
            InputError: another is at work in the folder, or it is none.
        """
        if folder.exists() and not folder.is_dir():
            raise InputError.at(folder, "is not a folder")
        is_new = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        opened = self._acquire(folder, note or {})
        try:
            yield
        finally:
            if opened is not None:
                with contextlib.suppress(OSError):
                    (folder / self.name).unlink(missing_ok=True)  # while it is held: whoever waits looks for a new one
                os.close(opened)
            if is_new:
                with contextlib.suppress(OSError):
                    folder.rmdir()

    def _acquire(self, folder: Path, note: dict[str, Any]) -> int | None:
        """The open file that holds the lock; None where an ally has it, nobody is there to look at, or nothing can."""
        deadline = time.monotonic() + self.patience
        while True:
            try:
                opened = _open(folder / self.name, creates=not self.only_looks)
            except FileNotFoundError:
                return None
            except OSError as error:
                self._tell_unkept(folder, error)
                return None
            kept = False
            try:
                fcntl.flock(opened, (fcntl.LOCK_SH if self.only_looks else fcntl.LOCK_EX) | fcntl.LOCK_NB)
                if self.only_looks:
                    return None
                if _is_in_place(opened, folder / self.name):
                    _write_holder(opened, note)
                    kept = True
                    return opened
            except BlockingIOError:
                holder = _holder(opened)
                if self.is_ally(holder):
                    return None
                if time.monotonic() >= deadline:
                    who = f" (process {holder.get('pid')} on {holder.get('host')})" if holder else ""
                    raise InputError.at(folder, f"{self.at_work}{who}; {self.remedy}") from None
            except OSError as error:
                self._tell_unkept(folder, error)
                return None
            finally:
                if not kept:
                    os.close(opened)
            time.sleep(POLL_SECONDS)

    def _tell_unkept(self, folder: Path, error: OSError) -> None:
        print(f"unimo: {folder}: not kept from {self.others}: {os.strerror(error.errno or 0)}", file=sys.stderr)


def _open(path: Path, creates: bool) -> int:
    """The lock's file: to write to or, where it is another user's, to lock only."""
    if creates:
        path.parent.mkdir(parents=True, exist_ok=True)  # whoever was refused may just have taken its folder away
    try:
        return os.open(path, os.O_RDWR | (os.O_CREAT if creates else 0), 0o644)
    except PermissionError:
        return os.open(path, os.O_RDONLY)


def _is_in_place(opened: int, path: Path) -> bool:
    """Whether an open file is still the one of that name: who held it before may have removed it."""
    try:
        return os.path.samestat(os.fstat(opened), os.stat(path))
    except FileNotFoundError:
        return False


def _write_holder(opened: int, note: dict[str, Any]) -> None:
    """Who holds the lock, for those that find it held."""
    line = json.dumps({"host": socket.gethostname(), "pid": os.getpid(), **note}) + "\n"
    with contextlib.suppress(OSError):  # a full disk
        os.ftruncate(opened, 0)
        os.pwrite(opened, line.encode(), 0)


def _holder(opened: int) -> dict[str, Any]:
    """What :func:`_write_holder` wrote; nothing where it is still being written."""
    try:
        holder = json.loads(os.pread(opened, 4096, 0))
    except ValueError:
        return {}
    return holder if isinstance(holder, dict) else {}
