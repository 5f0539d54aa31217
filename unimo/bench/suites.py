"""The suites by name, and what each is run with. A suite is one module with ``measure(bench) -> figures``."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from unimo.bench.figures import Figure, peer_ratios
from unimo.bench.peers import Peer, PeerError
from unimo.bench.timing import Clock, Run, RunError, in_turns

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
PAUSE = 0.3  # seconds for threads of the one before, which wait for more work with all their might (OpenMP)


@dataclass(frozen=True)
class Product:
    """A matrix product, [rows, inner] x [inner, columns], done a few times in a timing."""

    rows: int
    inner: int
    columns: int
    times: int
    """Often enough that a timing does not mostly pay for filling the caches after other work."""

    @property
    def name(self) -> str:
        """For runs and notes."""
        return f"{self.rows} x {self.inner} x {self.columns}"

    @property
    def operations(self) -> int:
        """Of a timing."""
        return 2 * self.rows * self.inner * self.columns * self.times


PRODUCTS = {
    f"{PEAK} {each.name}": each
    for each in (
        Product(1024, 768, 3072, 4),  # 8 x 128 positions through the widest matrix of base
        Product(1024, 768, 3088, 4),  # the same with columns that are not whole pages apart
        Product(2048, 2048, 2048, 1),
    )
}
"""Run -> product. The fastest of them is what the machine can do."""


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
    """Peers left out, versions of those measured, and which matrix product a share is of."""

    peak_rates: dict[str, float] = field(default_factory=dict)
    """Figure -> operations a second of the fastest matrix product beside it."""

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
        """Time work in turns with its peers and, where operations are given, with the machine's matrix products.

        A peer that ends in the middle is noted and left out.

        Args:
            name: of the figure.
            work: what is timed in this process.
            unit: of the figure, an amount a second.
            amount: what one run of the work gets done.
            operations: floating-point operations of one run, by formula.
            peers: name -> starts the worker that does the same work.
            local: name -> run of a peer in this process, or of the same work done otherwise.
        """
        runs: dict[str, Run] = _matrix_products(self.clock) if operations else {}
        runs |= {"ours": self.clock.timed(work), **(local or {})}

        def drop(peer: str, error: RunError) -> None:
            self.note(f"{name}: without {peer}, which ended in the middle: {error}")

        with self._started(name, peers or {}) as started:
            runs |= {peer: worker.run for peer, worker in started.items()}
            seconds = in_turns(runs, self.repeats, drop, PAUSE if self.threads > 1 else 0.0)
        share = operations / seconds["ours"] / self._peak_rate(name, seconds) if operations else None
        others = [*(local or {}), *(peers or {})]
        return Figure(name, amount / seconds["ours"], unit, share, peer_ratios(seconds, "ours", others))

    def _peak_rate(self, name: str, seconds: Mapping[str, float]) -> float:
        """Operations a second of the fastest matrix product, whose shape is noted."""
        rates = {product.name: product.operations / seconds[run] for run, product in PRODUCTS.items()}
        shape = max(rates, key=rates.__getitem__)
        self.note(f"{name}: peak is that of the matrix product {shape}")
        self.peak_rates[name] = rates[shape]
        return rates[shape]

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
    """The figures of a suite of :data:`SUITES`.

    A share is of the matrix products that took turns with its own work, for a machine's speed changes within minutes.
    """
    figures: list[Figure] = importlib.import_module(f"unimo.bench.suite_{name}").measure(bench)
    return figures


def _matrix_products(clock: Clock) -> dict[str, Run]:
    import paddle

    def run_of(product: Product) -> Run:
        left, right = paddle.rand([product.rows, product.inner]), paddle.rand([product.inner, product.columns])

        def multiply() -> None:
            for _ in range(product.times):
                paddle.matmul(left, right)

        return clock.timed(multiply)

    return {name: run_of(product) for name, product in PRODUCTS.items()}
