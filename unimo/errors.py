"""The one exception that means "the user can mend this".

The command line turns it into a single line on standard error and exit status 2; everything else is a fault of
ours and keeps its traceback.
"""

from __future__ import annotations

from pathlib import Path


class InputError(ValueError):
    """A file, line or key that the user gave is wrong. The message names it and says what was expected."""

    @classmethod
    def at(cls, path: str | Path, message: str, line: int | None = None) -> InputError:
        """An error in a file: ``path:line: message`` (``line`` counts from 1)."""
        place = f"{path}:{line}" if line is not None else f"{path}"
        return cls(f"{place}: {message}")
