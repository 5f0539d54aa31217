"""What a benchmark reports: figures with their ratios to peers, and the machine they were measured on."""

from __future__ import annotations

import contextlib
import ctypes
import datetime
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One measured number."""

    name: str
    value: float
    unit: str
    share_of_peak: float | None = None
    """Of the matrix-product rate measured in the same run; None where the work is no matrix product."""

    peers: dict[str, float] = field(default_factory=dict)
    """Peer -> how many times as long it takes for the same work."""

    def line(self) -> str:
        """For people."""
        share = f"  {100 * self.share_of_peak:5.1f}% of peak" if self.share_of_peak is not None else ""
        peers = "".join(f"  {ratio:.2f} x {name}" for name, ratio in self.peers.items())
        return f"{self.name:<34}{self.value:>12.4g} {self.unit:<14}{share}{peers}"


def peer_ratios(seconds: Mapping[str, float], ours: str, peers: Sequence[str]) -> dict[str, float]:
    """Peer -> its seconds over ours, of those peers that were measured."""
    return {peer: seconds[peer] / seconds[ours] for peer in peers if peer in seconds}


THREAD_COUNTS: Mapping[str, tuple[str, str]] = {
    "MKL": ("libmklml_intel.so", "MKL_Get_Max_Threads"),
    "OpenMP": ("libiomp5.so", "omp_get_max_threads"),
}
"""Library of Paddle's -> its file, and the function that tells how many threads it takes."""


def effective_threads() -> dict[str, int]:
    """The threads that Paddle's libraries take in this process, of those that are loaded; none before Paddle is."""
    found = {}
    for name, (file, function) in THREAD_COUNTS.items():
        with contextlib.suppress(OSError, AttributeError):  # not loaded, or another library under this name
            found[name] = int(getattr(ctypes.CDLL(file, mode=os.RTLD_NOLOAD | os.RTLD_NOW), function)())
    return found


def describe_machine(threads: int, clock: str, load_before: float) -> dict[str, Any]:
    """Processor, cores, threads, versions, load and date, for beside the figures.

    Args:
        threads: those asked for, which stand over the setting `all_cores`.
        clock: what timings count.
        load_before: load average when the run began.
    """
    from unimo.runtime import describe_environment, setting_states, usable_cores

    environment = describe_environment()
    return {
        "processor": _processor(),
        "cores": usable_cores(),
        "threads": threads,
        "effective_threads": effective_threads(),
        "clock": clock,
        "load_average": {"before": load_before, "after": os.getloadavg()[0]},
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        "platform": platform.platform(),
        "python": environment["python"],
        "paddlepaddle": environment["packages"].get("paddlepaddle"),
        "git": environment["git"],
        "runtime_settings": setting_states() | {"all_cores": f"overridden by --threads {threads}"},
    }


def to_json(suite: str, figures: Sequence[Figure], machine: Mapping[str, Any], notes: Sequence[str]) -> dict[str, Any]:
    """What ``--json`` holds."""
    return {
        "suite": suite,
        "figures": [asdict(figure) for figure in figures],
        "machine": dict(machine),
        "notes": list(notes),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")
