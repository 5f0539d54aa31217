"""What an ablation of pre-training on the drawn world found: means and spreads over seeds, variant by variant."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from unimo.errors import InputError
from unimo.files import read_json
from unimo.reports.run import read_report

NEGATIVES_NAME = "negatives.json"
ON_THE_WAY = "negatives-at-{}.json"
"""Of a checkpoint on the way; in place of the braces its step."""

SHOWN = {
    "match.text_to_image.r1": "head T2I R@1",
    "match.image_to_text.r1": "head I2T R@1",
    "likelihood.text_to_image.r1": "lik. T2I R@1",
    "likelihood.image_to_text.r1": "lik. I2T R@1",
    "negatives.matching_head.accuracy": "head negatives",
    "negatives.matching_head.pairwise.object": "object",
    "negatives.matching_head.pairwise.attribute": "attribute",
    "negatives.matching_head.pairwise.relation": "relation",
    "negatives.matching_head.shuffled.accuracy": "images exchanged",
    "negatives.likelihood.accuracy": "lik. negatives",
    "negatives.likelihood.pairwise.relation": "lik. relation",
    "negatives.hidden_words.pairwise.relation": "hidden relation",
}
"""Metric -> heading of its column."""

KINDS = ("object", "attribute", "relation")


def ablation_report(folder: Path) -> dict[str, Any]:
    """``variants.<name>.<metric>.{mean, std, count}`` of a folder of runs ``<variant>-seed<n>``.

    Where checkpoints on the way were evaluated, ``curves.<name>.<step>.<metric>`` the same.

    The metrics are those of the test split (zero-shot retrieval) and of hard negatives, under ``negatives.``; ``std``
    is the standard deviation of a sample, null where there is one run.

    Raises:
        InputError: no finished run; or one without its report or its hard negatives, naming the file.
    """
    values: dict[str, dict[str, list[float]]] = {}
    curves: dict[str, dict[int, dict[str, list[float]]]] = {}
    for run in sorted(folder.glob("*-seed*")):
        if not (run / NEGATIVES_NAME).is_file():
            continue  # not finished
        found = read_report(run)["splits"].get("test") or {}
        metrics = {**_numbers(found), **_numbers(read_json(run / NEGATIVES_NAME), "negatives.")}
        variant = run.name.rpartition("-seed")[0]
        _append(values.setdefault(variant, {}), metrics)
        for path in run.glob(ON_THE_WAY.format("*")):
            step = int(path.stem.rpartition("-")[2])
            at_step = curves.setdefault(variant, {}).setdefault(step, {})
            _append(at_step, _numbers(read_json(path), "negatives."))
    if not values:
        raise InputError.at(folder, f"no finished run: no folder <variant>-seed<n> with {NEGATIVES_NAME} in it")
    return {
        "variants": {variant: _summaries(metrics) for variant, metrics in values.items()},
        "curves": {
            variant: {step: _summaries(metrics) for step, metrics in sorted(steps.items())}
            for variant, steps in curves.items()
        },
    }


def ablation_lines(report: Mapping[str, Any]) -> Iterator[str]:
    """The report as Markdown tables, in percent: mean, and spread where there are several seeds."""
    yield f"| variant | runs | {' | '.join(SHOWN.values())} |"
    yield f"| --- | --- | {' | '.join('---' for _ in SHOWN)} |"
    for variant, metrics in report["variants"].items():
        runs = max(each["count"] for each in metrics.values())
        yield f"| {variant} | {runs} | {' | '.join(_shown(metrics.get(name)) for name in SHOWN)} |"
    if report["curves"]:
        yield from ("", "Hidden words told from others on the way:", "", f"| variant | step | {' | '.join(KINDS)} |")
        yield f"| --- | --- | {' | '.join('---' for _ in KINDS)} |"
    for variant, steps in report["curves"].items():
        for step, metrics in steps.items():
            shown = (_shown(metrics.get(f"negatives.hidden_words.pairwise.{kind}")) for kind in KINDS)
            yield f"| {variant} | {step} | {' | '.join(shown)} |"


def _append(lists: dict[str, list[float]], values: Mapping[str, float]) -> None:
    for name, value in values.items():
        lists.setdefault(name, []).append(value)


def _numbers(values: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Every number of nested mappings under its dotted name."""
    found: dict[str, float] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= _numbers(value, f"{prefix}{key}.")
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            found[f"{prefix}{key}"] = float(value)
    return found


def _summaries(metrics: Mapping[str, list[float]]) -> dict[str, dict[str, float | int | None]]:
    return {name: _summary(values) for name, values in metrics.items()}


def _summary(values: list[float]) -> dict[str, float | int | None]:
    spread = statistics.stdev(values) if len(values) > 1 else None
    return {"mean": statistics.fmean(values), "std": spread, "count": len(values)}


def _shown(summary: Mapping[str, Any] | None) -> str:
    if summary is None:
        return "-"
    spread = "" if summary["std"] is None else f" ± {100 * summary['std']:.1f}"
    return f"{100 * summary['mean']:.1f}{spread}"
