"""`unimo ablation`: means and spreads over the runs of `run_scripts/ablation_shapes.sh`.

Example::

    python -m unimo ablation --runs runs/ablation --json runs/ablation/ablation.json

A run is a folder `<variant>-seed<n>` that holds report.json and negatives.json; others are not finished and left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SUMMARY = "the table of a pre-training ablation: means and spreads over seeds"


@dataclass(frozen=True)
class Arguments:
    """Runs in, a table out."""

    runs: Path
    """Folder of the runs."""

    json: Path | None = None
    """File for the numbers; without it they are only printed."""


def run(arguments: Arguments) -> int:
    """Print the table, and write it."""
    from unimo.files import write_json
    from unimo.reports.ablation import ablation_lines, ablation_report

    report = ablation_report(arguments.runs)
    for line in ablation_lines(report):
        print(line)
    if arguments.json is not None:
        write_json(arguments.json, report)
    return 0
