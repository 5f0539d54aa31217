"""The paper's numbers beside those of one's own runs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unimo.errors import InputError
from unimo.files import read_json
from unimo.metrics.direction import lower_is_better
from unimo.reports.run import read_report

RESULTS = Path(__file__).with_name("paper_results.json")
"""Where each number stands in which paper, the recipe that aims at it, and its name in a run's report."""

SIZES = ("base", "large")
_SCRIPT = "bash run_scripts/finetune/RECIPE.sh DATA CHECKPOINT"
_COLUMNS = ("table", "model", "task", "metric", "expected", "found", "difference", "runs", "command")


@dataclass(frozen=True)
class Row:
    """One number of the paper."""

    table: str
    size: str
    """`base` or `large`."""

    task: str
    metric: str
    recipe: str
    """Name of its yaml in model_configs/finetune, without suffix."""

    script: str
    """Name of its script in run_scripts/finetune, without suffix; empty where another command is used."""

    run: str
    """Name of the folder that its runs lie in, directly or as the runs of a sweep."""

    command: str
    score: str
    """`split.metric` in a run's report; empty where only a server can tell."""

    expected: float
    """In percent, as every number of these tables."""


@dataclass(frozen=True)
class Finding:
    """A row, and what one's own runs reached."""

    row: Row
    found: float | None = None
    """Of the best run, in percent; None where there is none."""

    num_runs: int = 0
    """How many runs have the number."""

    @property
    def difference(self) -> float | None:
        """Found less expected, in points."""
        return None if self.found is None else self.found - self.row.expected


def read_rows() -> list[Row]:
    """All rows, those of the base model first within each task."""
    return [
        row
        for result in read_json(RESULTS)["results"]
        for size in SIZES
        for row in _rows(result, size, "" if size == "base" else f"_{size}")
    ]


def _rows(result: Mapping[str, Any], size: str, suffix: str) -> Iterator[Row]:
    recipe, run = result["recipe"] + suffix, result.get("run", result["recipe"]) + suffix
    prefix = "" if size == "base" or "command" in result else f"SIZE={size} "
    command = prefix + result.get("command", _SCRIPT).replace("RUN", f"runs/{run}")
    command = command.replace("RECIPE", recipe if "command" in result else result["recipe"])
    script = "" if "command" in result else result["recipe"]
    for metric in result["metrics"]:
        yield Row(
            result["table"],
            size,
            result["task"],
            metric["name"],
            recipe,
            script,
            run,
            command,
            metric["score"],
            metric[size],
        )


def find_results(rows: Sequence[Row], folder: Path) -> list[Finding]:
    """Look for the rows' numbers in the report.json of every run below a folder.

    A run belongs to a recipe if its folder or one above it has the recipe's name: `runs/cola`, or
    `runs/cola/learning_rate=1e-05_seed=1` of a sweep. Of several runs the one counts that is best by the metric that
    decided within it (so none is chosen by its test score).

    Raises:
        InputError: there is no such folder, or a report.json is not a run's.
    """
    if not folder.is_dir():
        raise InputError.at(folder, "no such folder")
    wanted = {row.run for row in rows}
    reports: dict[str, list[Mapping[str, Any]]] = {name: [] for name in wanted}
    for path in sorted(folder.rglob("report.json")):
        for name in wanted & {folder.resolve().name, *path.relative_to(folder).parts[:-1]}:
            reports[name].append(read_report(path.parent))
    return [_finding(row, reports[row.run]) for row in rows]


def _finding(row: Row, reports: Sequence[Mapping[str, Any]]) -> Finding:
    having = [report for report in reports if _score(report, row.score) is not None]
    if not having:
        return Finding(row)
    chosen = max(having, key=_decisive)
    value = _score(chosen, row.score)
    assert value is not None
    return Finding(row, 100 * value, len(having))


def _decisive(report: Mapping[str, Any]) -> float:
    """The value that chose a run's weights, turned so that more is better; a run without it comes last."""
    name = str(report.get("best_metric", ""))
    value = _score(report, name)
    if value is None:
        return -math.inf
    return -value if lower_is_better(name) else value


def _score(report: Mapping[str, Any], name: str) -> float | None:
    """A number of a report by `split.metric`."""
    split, _, metric = name.partition(".")
    value = report["splits"].get(split, {}).get(metric)
    return float(value) if isinstance(value, int | float) else None


def table_lines(findings: Sequence[Finding], markdown: bool = False) -> list[str]:
    """The table, for a terminal or as Markdown, with the sources below it; a dash stands where nothing was found."""
    cells = [_COLUMNS, *map(_cells, findings)]
    sources = [f"{table}: {text}" for table, text in read_json(RESULTS)["source"].items()]
    if markdown:
        rows = [f"| {' | '.join(row[:-1])} | `{row[-1]}` |" for row in cells[1:]]
        heading = [f"| {' | '.join(_COLUMNS)} |", "| --- | --- | --- | --- | ---: | ---: | ---: | ---: | --- |"]
        return [*heading, *rows, "", *(f"- {source}" for source in sources)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(_COLUMNS))]
    lines = ["  ".join(_padded(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return [*lines, "", *sources]


def _cells(finding: Finding) -> tuple[str, ...]:
    row = finding.row
    found, difference = finding.found, finding.difference
    return (
        row.table,
        f"UNIMO-{row.size}",
        row.task,
        row.metric,
        f"{row.expected:.2f}",
        "-" if found is None else f"{found:.2f}",
        "-" if difference is None else f"{difference:+.2f}",
        str(finding.num_runs) if finding.num_runs else "-",
        row.command,
    )


def _padded(cell: str, width: int) -> str:
    number = cell == "-" or cell.lstrip("+-").replace(".", "").isdigit()
    return cell.rjust(width) if number else cell.ljust(width)
