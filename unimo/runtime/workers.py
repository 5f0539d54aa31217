"""Processes that do parts of this one's work."""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from unimo.errors import InputError
from unimo.runtime.settings import apply_settings, is_program

Item = TypeVar("Item")
Result = TypeVar("Result")
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
    pool = ProcessPoolExecutor(count, context, _begin, (os.getpid(), is_program(), prepare))
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


def map_in_order(
    work: Callable[[Item], Result], items: Iterable[Item], count: int, ahead: int
) -> Generator[tuple[Item, Result], None, None]:
    """Every item with what became of it, in order, by ``count`` processes. To be closed where it is left early.

    One item, or one process, is worked on in this one.

    Args:
        work: picklable.
        items: picklable; as many as there may be, for they are taken as they are needed.
        count: processes.
        ahead: most items that are under way or wait to be taken.
    """
    waiting = iter(items)
    firsts = list(itertools.islice(waiting, 2))
    waiting = itertools.chain(firsts, waiting)
    if count <= 1 or len(firsts) < 2:
        yield from ((item, work(item)) for item in waiting)
        return
    with worker_processes(count) as pool:
        pending: deque[tuple[Item, Future[Result]]] = deque()
        for item in waiting:
            pending.append((item, pool.submit(work, item)))
            if len(pending) >= ahead:
                first, future = pending.popleft()
                yield first, future.result()
        while pending:
            first, future = pending.popleft()
            yield first, future.result()


def die_with_parent() -> None:
    """The kernel kills this process (SIGKILL) when the one that started it dies; Linux only."""
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _begin(parent: int, program: bool, prepare: Callable[[], None] | None) -> None:
    apply_settings(is_program=program)  # a process that is started anew has none of its parent's
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # ends without a traceback of its own
    die_with_parent()
    if os.getppid() != parent:  # it died before it was said
        os._exit(1)
    if prepare is not None:
        prepare()
