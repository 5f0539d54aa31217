"""Processes that do parts of this one's work."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from unimo.errors import InputError

PR_SET_PDEATHSIG = 1
ENDED = (
    "a worker process ended before its work was done: killed (memory?), or started by a script without"
    " `if __name__ == '__main__':`; give the same command again"
)


@contextlib.contextmanager
def worker_processes(count: int, prepare: Callable[[], None] | None = None) -> Iterator[ProcessPoolExecutor]:
    """An executor of ``count`` processes, of which none is left when the block, or this process, has ended.

    They are started anew and not forked, for this process may hold threads (numpy's, a progress bar's) and much memory.
    An executor and not `multiprocessing.Pool`, which starts workers that die at once anew for ever.

    Args:
        count: processes.
        prepare: called in each of them before its first work; picklable.

    Raises:
        InputError: a worker was killed, or could not start.
    """
    context, others = multiprocessing.get_context("spawn"), set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(count, context, _begin, (os.getpid(), prepare))
    try:
        yield pool
    except BrokenProcessPool as error:
        raise InputError(ENDED) from error
    except BaseException:
        for process in set(multiprocessing.active_children()) - others:
            process.kill()  # what they are at is wanted no more
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def die_with_parent() -> None:
    """The kernel kills this process (SIGKILL) when the one that started it dies; Linux only."""
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _begin(parent: int, prepare: Callable[[], None] | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # ends without a traceback of its own
    die_with_parent()
    if os.getppid() != parent:  # it died before it was said
        os._exit(1)
    if prepare is not None:
        prepare()
