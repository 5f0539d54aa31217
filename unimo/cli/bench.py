"""Measure how fast this machine runs a part of the work, beside its own matrix-product rate and beside peers.

Suites are encoder, decode, tokenizer, reader, padding, retrieval, pretrain, export and startup. Every figure and its
peers are measured in turns in one run, medians of --repeats; read the ratios and the shares, for the bare times belong
to the machine.
Everything runs on the processor, a GPU is left alone.
PyTorch and transformers take part once run_scripts/bench_peers.sh has made their environment.

Examples::

    python -m unimo bench encoder
    python -m unimo bench decode --threads 2 --json decode.json
    python -m unimo bench encoder --size small --peers false
    python -m unimo bench padding --texts SST-2/train.tsv --captions captions.txt --dictionary dict
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from unimo.errors import InputError

if TYPE_CHECKING:
    from unimo.bench import Bench, Figure

SUMMARY = "measure speed: shares of the machine's peak, ratios to peers"
POSITIONAL = "suite"


@dataclass(frozen=True)
class Arguments:
    """What is measured, and how often."""

    suite: str
    """Which suite."""

    threads: int = 1
    """Threads of every program that is measured."""

    repeats: int = 5
    """Timings whose median is taken, after one that does not count."""

    size: Literal["base", "small", "tiny"] = "base"
    """Network that is timed: `base`, `small` with 3 of its 12 layers, or `tiny`, which is for tests."""

    peers: bool = True
    """Measure other programs too, where they are installed."""

    texts: Path | None = None
    """For `padding`: file of texts, one a line or in the first column; without it texts are made up."""

    captions: Path | None = None
    """For `padding`: file of captions, one a line."""

    dictionary: Path | None = None
    """For `padding`: folder of the released dictionary, which counts the tokens of both."""

    json: Path | None = None
    """File for the figures and the machine."""


def run(arguments: Arguments) -> int:
    """Measure, print a line a figure, and write the file."""
    if arguments.threads < 1 or arguments.repeats < 1:
        raise InputError("threads and repeats: at least 1")
    given = [name for name in ("texts", "captions", "dictionary") if getattr(arguments, name)]
    if given and arguments.suite != "padding":
        raise InputError(f"{given[0]}: only the suite padding reads it")
    if (arguments.texts or arguments.captions) and arguments.dictionary is None:
        raise InputError("dictionary: texts and captions need one to count their tokens")
    set_threads(arguments.threads)
    from unimo.bench import SUITES, Bench, run_suite
    from unimo.bench.figures import describe_machine, to_json
    from unimo.files import write_json

    if arguments.suite not in SUITES:
        raise InputError(f"suite: there is no {arguments.suite!r}; there are {', '.join(SUITES)}")
    import paddle

    paddle.set_device("cpu")  # peers and clocks are the processor's
    files = {name: getattr(arguments, name) for name in ("texts", "captions", "dictionary")}
    bench = Bench(arguments.threads, arguments.repeats, arguments.size, arguments.peers, **files)
    load_before = os.getloadavg()[0]
    figures = run_suite(arguments.suite, bench)
    machine = describe_machine(arguments.threads, bench.clock.name, load_before)
    if bench.peak_rates:
        machine["matrix_product_gflops"] = max(bench.peak_rates.values()) / 1e9
    for line in report_lines(arguments, bench, figures, machine):
        print(line)
    if arguments.json is not None:
        write_json(arguments.json, to_json(arguments.suite, figures, machine, bench.notes))
    return 0


def report_lines(
    arguments: Arguments, bench: Bench, figures: Sequence[Figure], machine: Mapping[str, Any]
) -> Iterator[str]:
    """The machine, then a line a figure, then notes."""
    threads = f"{arguments.threads} thread" + ("s" if arguments.threads > 1 else "")
    yield f"{arguments.suite}, {arguments.size}: {machine['processor']}, {threads}, {machine['clock']}"
    for library, count in machine["effective_threads"].items():
        if count != arguments.threads:
            yield f"{library} takes {count} and not {threads}"
    load = "load average {before:.1f} before, {after:.1f} after".format(**machine["load_average"])
    if bench.peak_rates:
        low, high = min(bench.peak_rates.values()) / 1e9, max(bench.peak_rates.values()) / 1e9
        load = f"matrix product {low:.1f} to {high:.1f} GFLOP/s; {load}"
    yield load
    if any(figure.peers for figure in figures):
        yield "peers: how many times as long they take for the same"
    yield from (figure.line() for figure in figures)
    yield from bench.notes


def set_threads(threads: int) -> None:
    """Fix the thread count of this process and of those it starts; counts only before Paddle is imported."""
    for name in ("MKL_NUM_THREADS", "OMP_NUM_THREADS", "RAYON_NUM_THREADS"):
        os.environ[name] = str(threads)
