"""The command line: how long `--help` takes, of everything and of each verb, over `python -c "import paddle"`."""

from __future__ import annotations

import re
import resource
import subprocess
import sys
import time
from collections.abc import Sequence

from unimo.bench.figures import Figure
from unimo.bench.suites import Bench
from unimo.bench.timing import Run, in_turns

VERB_LINE = re.compile(r"^  ([a-z-]+(?: [a-z-]+)?)  ", re.MULTILINE)


def measure(bench: Bench) -> list[Figure]:
    """Milliseconds of each help text, and the ratio of importing Paddle to it."""
    verbs = VERB_LINE.findall(_output(["--help"]))
    runs: dict[str, Run] = {"import paddle": _process(bench, ["-c", "import paddle"])}
    for verb in ["", *(verbs if bench.size != "tiny" else verbs[:1])]:
        runs[f"startup.{verb or 'all'}"] = _process(bench, ["-m", "unimo", *verb.split(), "--help"])
    seconds = in_turns(runs, bench.repeats)
    return [
        Figure(name, 1e3 * value, "ms", None, {"import paddle": seconds["import paddle"] / value})
        for name, value in seconds.items()
        if name != "import paddle"
    ]


def _output(arguments: Sequence[str]) -> str:
    command = [sys.executable, "-m", "unimo", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _process(bench: Bench, arguments: Sequence[str]) -> Run:
    """A run of a new interpreter, by the processor time of it and its children or by the wall clock."""

    def now() -> float:
        if bench.threads > 1:
            return time.perf_counter()
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    def run() -> float:
        start = now()
        subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        return now() - start

    return run
