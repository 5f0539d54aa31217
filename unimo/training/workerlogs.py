"""What processes print, as a supervisor shows it: as it comes, a refusal last and once, and the end of a log."""

from __future__ import annotations

import re
import sys
from pathlib import Path

LAST_LINES = 20
REFUSAL_LINE = re.compile(rb"^unimo: error: .*\n?", re.MULTILINE)


class Tail:
    """What a process prints, shown as its log grows; a refusal is held back, for it is told last and only once."""

    def __init__(self, log: Path) -> None:
        """``log``: need not be there yet."""
        self._log, self._start, self._held_back = log, 0, b""

    def show(self) -> None:
        """Print what the log grew by."""
        if not self._log.is_file():
            return
        with open(self._log, "rb") as stream:
            stream.seek(self._start)
            new = stream.read()
        self._start += len(new)
        self._held_back += b"".join(REFUSAL_LINE.findall(new))
        _print(REFUSAL_LINE.sub(b"", new))

    def release(self) -> None:
        """Print what was held back."""
        _print(self._held_back)
        self._held_back = b""


def last_lines(log: str) -> str:
    """The end of a log."""
    path = Path(log)
    return "\n".join(path.read_text("utf-8", "replace").splitlines()[-LAST_LINES:]) if path.is_file() else ""


def _print(written: bytes) -> None:
    sys.stdout.write(written.decode("utf-8", "replace"))
    sys.stdout.flush()
