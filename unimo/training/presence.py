"""Which machines of a run are still there: one that loses its power notes no end. Must not import Paddle."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

ALIVE_NAME = "alive"
ALIVE_SECONDS = 5.0  # between signs of life


class Presence:
    """Signs of life of a run's supervisors in the shared run folder.

    Each keeps the time of a file of its own new, and removes the file when it ends. Times are compared with
    themselves only, and a file that never changed while this looked is of another time.
    """

    def __init__(self, folder: Path, supervisor: str, seconds: float) -> None:
        """``seconds``: without a change after which a machine counts as lost."""
        self._folder, self._own, self._seconds = folder, folder / supervisor / ALIVE_NAME, seconds
        self._shown = -ALIVE_SECONDS
        self._seen: dict[Path, tuple[float, float]] = {}
        self._moved: set[Path] = set()

    def show(self) -> None:
        """This machine is there."""
        if time.monotonic() - self._shown >= ALIVE_SECONDS:
            self._shown = time.monotonic()
            with contextlib.suppress(OSError):
                self._own.touch()
                os.utime(self._own)

    def lost(self) -> str:
        """The supervisor of a machine that was there and gives no sign of life any more; "" if there is none."""
        now = time.monotonic()
        present = set(self._folder.glob(f"*/{ALIVE_NAME}")) - {self._own}
        for gone in set(self._seen) - present:
            del self._seen[gone]
            self._moved.discard(gone)
        for path in present:
            try:
                when = path.stat().st_mtime
            except OSError:
                continue
            before, changed = self._seen.get(path, (when, now))
            if when != before:
                self._moved.add(path)
                changed = now
            self._seen[path] = (when, changed)
            if path in self._moved and now - changed > self._seconds:
                self._moved.discard(path)  # told once: the next attempt waits for it as for any other
                return path.parent.name
        return ""
