"""What an ablation of pre-training on the drawn world found: means and spreads over seeds, variant by variant."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from unimo.config import read_yaml
from unimo.errors import InputError
from unimo.files import read_json
from unimo.reports.run import read_report

NEGATIVES_NAME = "negatives.json"
ON_THE_WAY = "negatives-at-{}.json"
"""Of a checkpoint on the way; in place of the braces its step."""

KINDS = ("object", "attribute", "relation")
_OF_TEN = {"all": "accuracy", "seen": "seen.accuracy", "unseen": "unseen.accuracy"}
_OF_TEN |= {kind: f"pairwise.{kind}" for kind in KINDS} | {"images exchanged": "shuffled.accuracy"}
TABLES = {
    "Zero-shot R@1": {
        f"{direction} by {scorer}": f"{'match' if scorer == 'head' else scorer}.{name}.r1"
        for scorer in ("head", "likelihood")
        for direction, name in {"text to image": "text_to_image", "image to text": "image_to_text"}.items()
    },
    "Against ten wrong captions, by the matching head (kinds: against one)": {
        heading: f"negatives.matching_head.{name}" for heading, name in _OF_TEN.items()
    },
    "The same by likelihood": {heading: f"negatives.likelihood.{name}" for heading, name in _OF_TEN.items()},
    "Hidden words, the right ones against others": {kind: f"negatives.hidden_words.pairwise.{kind}" for kind in KINDS},
}
"""Title -> heading of a column -> metric."""

OF_HEAD = ("match.", "negatives.matching_head.")
"""Metrics of the matching head, which say nothing where it was not trained."""


def ablation_report(folder: Path) -> dict[str, Any]:
    """``variants.<name>.<metric>.{mean, std, count}`` of a folder of runs ``<variant>-seed<n>``.

    Where checkpoints on the way were evaluated, ``curves.<name>.<step>.<metric>`` the same.

    The metrics are those of the test split (zero-shot retrieval) and of hard negatives, under ``negatives.``; those of
    the matching head are left out where nothing trained it. ``std`` is the standard deviation of a sample, null where
    there is one run.

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
        if not _trains_head(run):
            metrics = {name: value for name, value in metrics.items() if not name.startswith(OF_HEAD)}
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
    for title, columns in TABLES.items():
        rows = {
            variant: [metrics.get(name) for name in columns.values()] for variant, metrics in report["variants"].items()
        }
        if not any(any(row) for row in rows.values()):
            continue
        yield from (f"{title}:", "", f"| variant | runs | {' | '.join(columns)} |")
        yield f"| --- | --- | {' | '.join('---' for _ in columns)} |"
        for variant, row in rows.items():
            if any(row):
                runs = max(each["count"] for each in row if each)
                yield f"| {variant} | {runs} | {' | '.join(map(_shown, row))} |"
        yield ""
    if report["curves"]:
        yield from ("Hidden words on the way:", "", f"| variant | step | {' | '.join(KINDS)} |")
        yield f"| --- | --- | {' | '.join('---' for _ in KINDS)} |"
    for variant, steps in report["curves"].items():
        for step, metrics in steps.items():
            shown = (_shown(metrics.get(f"negatives.hidden_words.pairwise.{kind}")) for kind in KINDS)
            yield f"| {variant} | {step} | {' | '.join(shown)} |"


def _trains_head(run: Path) -> bool:
    """Whether the job had contrastive learning; true where its config is gone."""
    if not (run / "config.yaml").is_file():
        return True
    options = read_yaml([run / "config.yaml"], []).get("options") or {}
    return bool((options.get("contrastive") or {}).get("num_pairs", 1))


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
