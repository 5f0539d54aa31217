"""What processes print, as a supervisor shows it: as it comes, a refusal last and once, and the end of a log."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection
from pathlib import Path

LAST_LINES = 20
REFUSAL_LINE = re.compile(rb"^(?P<bar>[^\n]*\r[^\r\n]*)?unimo: error: [^\n]*\n?", re.MULTILINE)
"""A refusal, at the beginning of a line or behind a progress bar, which has no line's end while it is at work."""


class Tail:
    """What a process prints, shown as its log grows; a refusal is held back, for it is told last and only once."""

    def __init__(self, log: Path) -> None:
        """``log``: need not be there yet."""
        self._log, self._start, self._held_back = log, 0, b""
        self._bar = b""  # what has been shown of a progress bar at work

    def show(self) -> None:
        """Print what the log grew by."""
        if not self._log.is_file():
            return
        with open(self._log, "rb") as stream:
            stream.seek(self._start)
            new = stream.read()
        self._start += len(new)
        new = self._bar + new
        self._held_back += b"".join(each[0].removeprefix(each["bar"] or b"") for each in REFUSAL_LINE.finditer(new))
        shown = REFUSAL_LINE.sub(lambda each: each["bar"] + b"\n" if each["bar"] else b"", new)
        _print(shown[len(self._bar) :])
        self._bar = shown[shown.rfind(b"\r") :] if shown.rfind(b"\r") > shown.rfind(b"\n") else b""

    def release(self) -> None:
        """Print what was held back."""
        _print(self._held_back)
        self._held_back = b""


def newest_log(folder: Path, besides: Collection[str]) -> Path | None:
    """The log of an attempt that something was written into last: a process's, or else the launcher's.

    ``besides``: names of logs that are left out.
    """
    logs = [path for path in folder.glob("workerlog.*") if path.name not in besides and path.stat().st_size > 0]
    if logs:
        return max(logs, key=lambda path: path.stat().st_mtime)
    launcher = folder / "launcher.log"
    return launcher if launcher.is_file() and launcher.stat().st_size > 0 else None


def last_lines(log: str | Path, number: int = LAST_LINES) -> str:
    """The end of a log; "" where there is none."""
    path = Path(log)
    return "\n".join(path.read_text("utf-8", "replace").rstrip().splitlines()[-number:]) if path.is_file() else ""


def _print(written: bytes) -> None:
    sys.stdout.write(written.decode("utf-8", "replace"))
    sys.stdout.flush()
