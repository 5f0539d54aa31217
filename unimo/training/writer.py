"""Files written beside the training loop: by one thread, one piece of work at a time, whose errors are not lost."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable

from unimo.errors import InputError

FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)


def told_of_full_disk(error: BaseException) -> InputError | None:
    """One line for an error that says that nothing more can be written; None for any other error."""
    # safetensors tells of the system's errors in words alone
    written = [number for number in FULL if f"(os error {number})" in str(error)]
    number = error.errno if isinstance(error, OSError) else next(iter(written), None)
    if number not in FULL:
        return None
    place = error.filename if isinstance(error, OSError) and error.filename else "checkpoints"
    return InputError(f"{place}: {os.strerror(number)}; nothing more can be written, earlier checkpoints are intact")


class BackgroundWriter:
    """Runs work in a thread; at most one piece is under way, so that memory holds one snapshot beside the model."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def submit(self, work: Callable[[], None]) -> None:
        """Start ``work``, once the one before is done.

        Raises:
            InputError: earlier work met a full disk; other errors of it as they were.
        """
        self.wait()
        # no daemon: an interpreter that ends lets a checkpoint be finished
        self._thread = threading.Thread(target=self._run, args=(work,), name="checkpoint-writer")
        self._thread.start()

    def wait(self) -> None:
        """Let what is under way end, and raise what went wrong."""
        self.finish()
        self.check()

    def finish(self) -> None:
        """Let what is under way end; what went wrong stays to be raised."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def check(self) -> None:
        """Raise what went wrong so far, without waiting."""
        if self._error is None:
            return
        error, self._error = self._error, None
        raise told_of_full_disk(error) or error

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            self._error = error
