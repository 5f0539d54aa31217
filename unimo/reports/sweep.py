"""What came of a sweep: every run's value of the metric that decides, the best, the median, and what failed."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

FINISHED, FAILED, WAITING = "finished", "failed", "waiting"
SEED_KEY = "training.seed"


@dataclass(frozen=True)
class SweptRun:
    """One run of a sweep."""

    name: str
    values: Mapping[str, Any]
    """Dotted key -> what the run has in it."""

    status: str = WAITING
    value: float | None = None
    """Of the metric that decides, at the run's best step; None where it is undefined or the run did not finish."""

    seconds: float | None = None
    message: str = ""
    """Why it failed."""


def sweep_report(runs: Sequence[SweptRun], metric: str, lower_is_better: bool) -> dict[str, Any]:
    """What sweep.json holds.

    Args:
        runs: in their order.
        metric: `split.metric` that decides.
        lower_is_better: of that metric.
    """
    scored = [run for run in runs if run.value is not None]
    best = (min if lower_is_better else max)(scored, key=_value, default=None)
    return {
        "metric": metric,
        "num_runs": len(runs),
        "num_finished": sum(run.status == FINISHED for run in runs),
        "num_failed": sum(run.status == FAILED for run in runs),
        "best": None if best is None else {"name": best.name, "values": dict(best.values), "value": best.value},
        "median": statistics.median(map(_value, scored)) if scored else None,
        "settings": _settings(scored, lower_is_better),
        "runs": [asdict(run) for run in runs],
    }


def sweep_lines(report: Mapping[str, Any]) -> Iterator[str]:
    """The report as lines to print: a table of all runs, medians over seeds, failures, best and median."""
    runs = report["runs"]
    width = max([len(run["name"]) for run in runs] + [len("run")])
    yield f"{'run':<{width}}  {report['metric']:>16}  status"
    for run in runs:
        yield f"{run['name']:<{width}}  {_text(run['value']):>16}  {run['status']}"
    for setting in report["settings"]:
        values = " ".join(f"{key}={value}" for key, value in setting["values"].items())
        spread = f"{_text(setting['lowest'])} to {_text(setting['highest'])}"
        yield f"median of {setting['num_seeds']} seeds, {values or 'all'}: {_text(setting['median'])} ({spread})"
    for run in runs:
        if run["status"] == FAILED:
            yield f"failed: {run['name']}: {run['message']}"
    counts = f"{report['num_finished']} of {report['num_runs']} runs finished, {report['num_failed']} failed"
    best = report["best"]
    if best is None:
        yield f"{report['metric']}: no value; {counts}"
        return
    best_text = f"best {_text(best['value'])} ({best['name']})"
    yield f"{report['metric']}: {best_text}, median {_text(report['median'])}; {counts}"


def _settings(scored: Sequence[SweptRun], lower_is_better: bool) -> list[dict[str, Any]]:
    """Medians over seeds of what is otherwise the same, the best setting first; none where no seeds are swept."""
    groups: dict[str, list[SweptRun]] = {}
    for run in scored:
        if SEED_KEY in run.values:
            groups.setdefault(repr(_without_seed(run)), []).append(run)
    settings = [
        {
            "values": _without_seed(runs[0]),
            "num_seeds": len(runs),
            "median": statistics.median(map(_value, runs)),
            "lowest": min(map(_value, runs)),
            "highest": max(map(_value, runs)),
        }
        for runs in groups.values()
    ]
    return sorted(settings, key=lambda setting: setting["median"], reverse=not lower_is_better)


def _without_seed(run: SweptRun) -> dict[str, Any]:
    return {key: value for key, value in run.values.items() if key != SEED_KEY}


def _value(run: SweptRun) -> float:
    assert run.value is not None
    return run.value


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
