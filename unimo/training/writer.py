"""Files written beside the training loop: by one thread, one piece of work at a time, whose errors are not lost."""

from __future__ import annotations

import threading
from collections.abc import Callable

from unimo.files import told_of_full_disk


class BackgroundWriter:
    """Runs work in threads, one piece after the other.

    One piece may wait, for a step may leave best weights and a checkpoint: at most two snapshots beside the model.
    """

    def __init__(self) -> None:
        self._threads: list[threading.Thread] = []
        self._error: BaseException | None = None

    def submit(self, work: Callable[[], None]) -> None:
        """Let ``work`` be done after the pieces before; waits only where two are not done yet.

        Raises:
            InputError: earlier work met a full disk; other errors of it as they were.
        """
        self.check()
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        if len(self._threads) == 2:
            self._threads.pop(0).join()
            self.check()
        before = self._threads[-1] if self._threads else None
        # no daemon: an interpreter that ends lets a checkpoint be finished
        thread = threading.Thread(target=self._run, args=(work, before), name="checkpoint-writer")
        self._threads.append(thread)
        thread.start()

    def wait(self) -> None:
        """Let what is under way end, and raise what went wrong."""
        self.finish()
        self.check()

    def finish(self) -> None:
        """Let what is under way end; what went wrong stays to be raised."""
        for thread in self._threads:
            thread.join()
        self._threads = []

    def check(self) -> None:
        """Raise what went wrong so far, without waiting."""
        if self._error is None:
            return
        error, self._error = self._error, None
        raise told_of_full_disk(error) or error

    def _run(self, work: Callable[[], None], before: threading.Thread | None) -> None:
        if before is not None:
            before.join()
        if self._error is not None:
            return
        try:
            work()
        except BaseException as error:
            self._error = error
