"""`unimo reproduce`: every number of the paper's Tables 1 and 2, its command, and what your runs reached.

Examples::

    python -m unimo reproduce --runs runs
    python -m unimo reproduce --runs runs --markdown > table.md

A run belongs to a recipe if its folder, or one above it, has the recipe's name, as `run_scripts/finetune` names it:
`runs/cola`, `runs/cola_large`, and the runs of a sweep below them. Of several runs the one counts that is best by the
metric that decided within it. Numbers are in percent; a dash stands where nothing was found. VQA's test sets are scored
by their server alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SUMMARY = "the paper's numbers beside those of your runs, with the command of each"


@dataclass(frozen=True)
class Arguments:
    """Where to look, and how to show it."""

    runs: Path = Path("runs")
    """Folder that run folders lie in, at any depth; where it is not there, nothing has been found."""

    markdown: bool = False
    """Print a Markdown table."""


def run(arguments: Arguments) -> int:
    """Print the table."""
    from unimo.reports.reproduction import Finding, find_results, read_rows, table_lines

    rows = read_rows()
    default_is_absent = arguments.runs == Arguments.runs and not arguments.runs.exists()
    findings = [Finding(row) for row in rows] if default_is_absent else find_results(rows, arguments.runs)
    for line in table_lines(findings, arguments.markdown):
        print(line)
    return 0
