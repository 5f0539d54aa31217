"""The suites by name, and what each is run with. A suite is one module with ``measure(bench) -> figures``."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from unimo.bench.figures import Figure, peer_ratios
from unimo.bench.peers import Peer, PeerError
from unimo.bench.timing import Clock, Run, in_turns

SUITES: Mapping[str, str] = {
    "encoder": "forward and training step, texts and image-text pairs",
    "decode": "beam search of texts and captions",
    "tokenizer": "texts to ids",
    "reader": "images' regions from the store and from the release's lines; memory",
    "padding": "padding by kind of batch, and its price",
    "retrieval": "joint scores of images and texts",
    "pretrain": "a step of contrastive pre-training",
    "export": "static programs beside the network",
    "startup": "the command line",
}
"""Suite -> what it measures."""

PEAK = "peak"
# the product that the machine's rate is measured with: 8 x 128 positions through the widest matrix of base
PEAK_SHAPE = (1024, 768, 3072)
PEAK_PRODUCTS = 8  # of one timing: a single one after other work would pay for filling the caches


@dataclass
class Bench:
    """One run of a suite: its settings, and what it notes on the way."""

    threads: int = 1
    repeats: int = 5
    size: str = "base"
    peers: bool = True
    """Whether other programs are measured too."""

    texts: Path | None = None
    """File of texts, one a line or in the first column, whose lengths are used."""

    captions: Path | None = None
    """File of captions, one a line, whose lengths are used."""

    dictionary: Path | None = None
    """Released dictionary that counts their tokens."""

    notes: list[str] = field(default_factory=list)
    """Peers left out, and versions of those measured."""

    peak_rates: list[float] = field(default_factory=list)
    """Operations a second of the matrix product, one value a comparison."""

    @property
    def clock(self) -> Clock:
        """How seconds are counted."""
        return Clock(self.threads)

    def compare(
        self,
        name: str,
        work: Callable[[], object],
        unit: str,
        amount: float,
        operations: int = 0,
        peers: Mapping[str, Callable[[], Peer]] | None = None,
        local: Mapping[str, Run] | None = None,
    ) -> Figure:
        """Time work in turns with its peers and, where operations are given, with the machine's matrix product.

        Args:
            name: of the figure.
            work: what is timed in this process.
            unit: of the figure, an amount a second.
            amount: what one run of the work gets done.
            operations: floating-point operations of one run, by formula.
            peers: name -> starts the worker that does the same work.
            local: name -> run of a peer in this process, or of the same work done otherwise.
        """
        runs: dict[str, Run] = {PEAK: _matrix_product(self.clock)} if operations else {}
        runs |= {"ours": self.clock.timed(work), **(local or {})}
        with self._started(name, peers or {}) as started:
            seconds = in_turns(runs | {peer: worker.run for peer, worker in started.items()}, self.repeats)
        share = None
        if operations:
            rate = PEAK_PRODUCTS * _peak_operations() / seconds[PEAK]
            self.peak_rates.append(rate)
            share = operations / seconds["ours"] / rate
        others = [*(local or {}), *(peers or {})]
        return Figure(name, amount / seconds["ours"], unit, share, peer_ratios(seconds, "ours", others))

    @contextlib.contextmanager
    def _started(self, name: str, peers: Mapping[str, Callable[[], Peer]]) -> Iterator[dict[str, Peer]]:
        """The peers that can do the work; of the others the reason is noted."""
        with contextlib.ExitStack() as stack:
            started = {}
            for peer, start in peers.items() if self.peers else ():
                try:
                    started[peer] = stack.enter_context(start())
                except PeerError as error:
                    self.note(f"{name}: without {peer}: {error}")
                else:
                    versions = ", ".join(f"{what} {version}" for what, version in started[peer].versions.items())
                    self.note(f"{peer}: {versions}")
            yield started

    def note(self, text: str) -> None:
        """Keep a remark, once."""
        if text not in self.notes:
            self.notes.append(text)


def run_suite(name: str, bench: Bench) -> list[Figure]:
    """The figures of a suite of :data:`SUITES`."""
    figures: list[Figure] = importlib.import_module(f"unimo.bench.suite_{name}").measure(bench)
    return figures


def _peak_operations() -> int:
    rows, inner, columns = PEAK_SHAPE
    return 2 * rows * inner * columns


def _matrix_product(clock: Clock) -> Run:
    import paddle

    rows, inner, columns = PEAK_SHAPE
    left, right = paddle.rand([rows, inner]), paddle.rand([inner, columns])

    def multiply() -> None:
        for _ in range(PEAK_PRODUCTS):
            paddle.matmul(left, right)

    return clock.timed(multiply)
