"""How fast this is: each suite's figures beside the machine's own rate and beside what users would pick instead."""

from unimo.bench.figures import Figure
from unimo.bench.suites import SUITES, Bench, run_suite

__all__ = ["SUITES", "Bench", "Figure", "run_suite"]
