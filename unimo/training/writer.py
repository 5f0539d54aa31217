"""Files written beside the training loop: by one thread, one piece of work at a time, whose errors are not lost."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable

from unimo.errors import InputError


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
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
            raise InputError(f"{error.filename or 'checkpoints'}: {error.strerror}; earlier checkpoints are intact")
        raise error

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            self._error = error
