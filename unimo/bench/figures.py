"""What a benchmark reports: figures with their ratios to peers, and the machine they were measured on."""

from __future__ import annotations

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


def describe_machine(threads: int, clock: str) -> dict[str, Any]:
    """Processor, cores, threads, versions, load and date, for beside the figures."""
    from unimo.runtime import describe_environment, setting_states, usable_cores

    environment = describe_environment()
    return {
        "processor": _processor(),
        "cores": usable_cores(),
        "threads": threads,
        "clock": clock,
        "load_average": os.getloadavg()[0],
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        "platform": platform.platform(),
        "python": environment["python"],
        "paddlepaddle": environment["packages"].get("paddlepaddle"),
        "git": environment["git"],
        "runtime_settings": setting_states(),
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
