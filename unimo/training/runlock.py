"""One run at a time in a run folder.

The lock is the kernel's (``flock`` on the folder's `run.lock`): it goes with the process that holds it, however that
ends, so none is ever stale. One process of a run holds it: the supervisor, or without one the first process. Of
several machines it is that of node 0, or where the master counts the nodes, whichever supervisor comes first; the
others look whether the run in the folder has their own master. A file system that knows no such locks (some network
ones) is told of once, and the run goes on without. This file must not import Paddle: a supervisor uses it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from unimo.errors import InputError

LOCK_NAME = "run.lock"
PATIENCE_SECONDS = 2.0  # for a holder that is just ending, or another node that only looks
POLL_SECONDS = 0.05


@contextlib.contextmanager
def run_lock(folder: Path, master: str = "", node_rank: int = 0) -> Iterator[None]:
    """Keep other runs out of a run folder while the block lasts.

    A folder that is made for the lock, and into which the block wrote nothing, is gone afterwards.

    Args:
        folder: the run folder; made where it is not there.
        master: `HOST:PORT` of a run on several machines, which tells its nodes from those of another run.
        node_rank: this machine's number; above 0 it only looks, at -1 it is content if another node holds the lock.

    Raises:
        InputError: another run is at work in the folder.
    """
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    held = _acquire(folder, master, node_rank)
    try:
        yield
    finally:
        if held is not None:
            with contextlib.suppress(OSError):
                (folder / LOCK_NAME).unlink(missing_ok=True)  # while it is held: whoever waits looks for a new one
            os.close(held)
        if is_new:
            with contextlib.suppress(OSError):
                folder.rmdir()


def _acquire(folder: Path, master: str, node_rank: int) -> int | None:
    """The file that holds the lock; None where another node of this run has it, or nothing can."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            opened = _open(folder / LOCK_NAME, creates=node_rank <= 0)
        except FileNotFoundError:
            return None  # nobody to look at
        except OSError as error:
            _tell_unkept(folder, error)
            return None
        kept = False
        try:
            fcntl.flock(opened, (fcntl.LOCK_EX if node_rank <= 0 else fcntl.LOCK_SH) | fcntl.LOCK_NB)
            if node_rank > 0:
                return None
            if _is_in_place(opened, folder / LOCK_NAME):
                _write_holder(opened, master)
                kept = True
                return opened
        except BlockingIOError:
            holder = _holder(opened)
            if master and node_rank != 0 and holder.get("master") == master:
                return None
            if time.monotonic() > deadline:
                raise InputError(_told(folder, holder)) from None
        except OSError as error:
            _tell_unkept(folder, error)
            return None
        finally:
            if not kept:
                os.close(opened)
        time.sleep(POLL_SECONDS)


def _open(path: Path, creates: bool) -> int:
    """The lock's file: to write to or, where it is another user's, to lock only."""
    if creates:
        path.parent.mkdir(parents=True, exist_ok=True)  # a run that was refused may just have taken its folder away
    try:
        return os.open(path, os.O_RDWR | (os.O_CREAT if creates else 0), 0o644)
    except PermissionError:
        return os.open(path, os.O_RDONLY)


def _tell_unkept(folder: Path, error: OSError) -> None:
    print(f"unimo: {folder}: not kept from other runs: {os.strerror(error.errno or 0)}", file=sys.stderr)


def _is_in_place(opened: int, path: Path) -> bool:
    """Whether an open file is still the one of that name: who held it before may have removed it."""
    try:
        return os.path.samestat(os.fstat(opened), os.stat(path))
    except FileNotFoundError:
        return False


def _write_holder(opened: int, master: str) -> None:
    """Who holds the lock, for those that find it held."""
    line = json.dumps({"host": socket.gethostname(), "pid": os.getpid(), "master": master}) + "\n"
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


def _told(folder: Path, holder: dict[str, Any]) -> str:
    who = f" (process {holder.get('pid')} on {holder.get('host')})" if holder else ""
    return f"{folder}: another run is at work there{who}; wait for its end, or name another --output"
