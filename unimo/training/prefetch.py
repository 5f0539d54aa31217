"""Batches made one step ahead, in a thread beside the training loop."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from unimo.training.mixture import Draw, Mixture

AHEAD = 2  # batches made before they are asked for


@dataclass(frozen=True)
class _Made:
    """A batch and where the streams stand after it, or what went wrong in making it."""

    draw: Draw | None
    state: Mapping[str, Mapping[str, int]]
    error: BaseException | None = None


class Prefetcher:
    """Draws from a mixture in the order that steps ask for; what it has made ahead is not counted as drawn.

    Making a batch is Python and numpy, training it is Paddle's kernels, which let other threads run meanwhile.
    """

    def __init__(self, mixture: Mixture, first_step: int, last_step: int, draws_per_step: int) -> None:
        self._mixture = mixture
        self._made: queue.Queue[_Made] = queue.Queue(maxsize=AHEAD)
        self._steps = [step for step in range(first_step, last_step) for _ in range(draws_per_step)]
        self._working = threading.Lock()
        self._closed = threading.Event()
        self.state: Mapping[str, Mapping[str, int]] = mixture.state()
        self._thread = threading.Thread(target=self._make_all, name="prefetch", daemon=True)
        self._thread.start()

    def next(self) -> Draw:
        """The next micro-batch; an error in making it is raised here."""
        made = self._made.get()
        if made.error is not None:
            raise made.error
        assert made.draw is not None
        self.state = made.state
        return made.draw

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Nothing is made meanwhile: evaluation reads the same region store."""
        with self._working:
            yield

    def close(self) -> None:
        """Stop the thread."""
        self._closed.set()
        with contextlib.suppress(queue.Empty):
            while True:
                self._made.get_nowait()
        self._thread.join()

    def _make_all(self) -> None:
        for step in self._steps:
            try:
                with self._working:
                    made = _Made(self._mixture.draw(step), self._mixture.state())
            except BaseException as error:
                made = _Made(None, {}, error)
            while not self._closed.is_set():
                with contextlib.suppress(queue.Full):
                    self._made.put(made, timeout=0.1)
                    break
            if self._closed.is_set() or made.error is not None:
                return
