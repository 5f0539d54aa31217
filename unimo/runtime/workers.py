"""An ordered map over worker processes."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from unimo.errors import InputError

Item = TypeVar("Item")
Result = TypeVar("Result")


class Workers:
    """Worker processes that give their results in the order of the items; one worker is this process itself."""

    def __init__(self, num_workers: int) -> None:
        # spawned, not forked: the parent may hold threads of numpy, OpenCV or a progress bar
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(num_workers, context, _one_thread) if num_workers > 1 else None

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """Results of a picklable function, in order, as they come.

        Raises:
            InputError: a worker process was killed.
        """
        if self._pool is None:
            yield from map(function, items)
            return
        try:
            yield from self._pool.map(function, items, chunksize=16)
        except BrokenProcessPool as error:
            raise InputError("a worker process was killed (memory?); the same command again goes on") from error

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


def _one_thread() -> None:
    """Workers share the cores; OpenCV's own threads would only get in their way."""
    import cv2

    cv2.setNumThreads(1)
