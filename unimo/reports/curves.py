"""Loss curves: read from the run logs, smoothed, drawn as small SVG charts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np

from unimo.reports.page import Curve
from unimo.training.runlog import read_events

WIDTH, HEIGHT = 300, 150  # of the drawing, in its own units
LEFT, RIGHT, TOP, BOTTOM = 40, 8, 8, 20  # margins that hold the labels
MOST_POINTS = 300  # a chart is no wider in pixels than that, more points only make the file heavy
SMOOTHED_SHARE = 1 / 15  # width of the moving mean as a share of the curve


def read_curves(folder: Path, run: str) -> tuple[Curve, ...]:
    """One curve for every named loss of a run folder's metrics.jsonl, in order of appearance.

    The sum `loss` is left out where there is one named loss only, as both are then the same. Points without a finite
    value (null in the log) have no place in a chart and are left out of it.
    """
    found: dict[str, tuple[list[int], list[float]]] = {}
    for event in read_events(folder / "metrics.jsonl"):
        if event.get("split") != "train":
            continue
        for key, value in event.items():
            if (key == "loss" or key.startswith("loss.")) and isinstance(value, int | float) and math.isfinite(value):
                steps, values = found.setdefault(key, ([], []))
                steps.append(int(event["step"]))
                values.append(float(value))
    if len(found) == 2:
        found.pop("loss", None)
    named = {"sum of losses" if key == "loss" else key.removeprefix("loss."): found[key] for key in found}
    return tuple(Curve(run, name, tuple(steps), tuple(values)) for name, (steps, values) in named.items())


def smooth(values: Sequence[float]) -> np.ndarray:
    """[N] centred moving mean; towards the ends the window narrows, so that the curve does not bend there."""
    data = np.asarray(values, float)
    half = max(1, round(len(data) * SMOOTHED_SHARE / 2))
    total = np.concatenate([[0.0], np.cumsum(data)])
    index = np.arange(len(data))
    reach = np.minimum(half, np.minimum(index, len(data) - 1 - index))
    return (total[index + reach + 1] - total[index - reach]) / (2 * reach + 1)


def chart_svg(curve: Curve) -> str:
    """An SVG chart of a curve: faint raw line, smoothed line over it, first and last step, nice vertical labels."""
    if not curve.values:
        return ""
    keep = np.unique(np.linspace(0, len(curve.values) - 1, MOST_POINTS).round().astype(int))
    steps, raw = np.asarray(curve.steps, float)[keep], np.asarray(curve.values)[keep]
    soft = smooth(curve.values)[keep]
    ticks = nice_ticks(float(raw.min()), float(raw.max()))
    first, last, low, high = float(steps[0]), float(steps[-1]), ticks[0], ticks[-1]
    x = LEFT + (steps - first) / max(last - first, 1.0) * (WIDTH - LEFT - RIGHT)
    lines = "".join(_tick(value, _height(np.asarray([value]), low, high)[0]) for value in ticks)
    label = f"{curve.run}, {curve.name}: {curve.values[0]:.3g} at step {curve.steps[0]}, "
    label += f"{curve.values[-1]:.3g} at step {curve.steps[-1]}"
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">{lines}'
        f'<polyline class="raw" points="{_points(x, _height(raw, low, high))}"/>'
        f'<polyline class="soft" points="{_points(x, _height(soft, low, high))}"/>'
        f'<text x="{LEFT}" y="{HEIGHT - 5}">{int(first)}</text>'
        f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 5}" text-anchor="end">step {int(last)}</text></svg>'
    )


def nice_ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Round numbers, two at least, from at or below `low` to at or above `high`, in steps of 1, 2 or 5 times 10^n."""
    span = high - low or max(abs(high), 1.0)
    power = 10.0 ** math.floor(math.log10(span / count))
    step = next(factor * power for factor in (1, 2, 5, 10) if span / (factor * power) <= count)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [index * step for index in range(first, max(last, first + 1) + 1)]


def _height(values: np.ndarray, low: float, high: float) -> np.ndarray:
    return HEIGHT - BOTTOM - (values - low) / (high - low) * (HEIGHT - TOP - BOTTOM)


def _tick(value: float, y: float) -> str:
    return (
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text x="{LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end">{value:.4g}</text>'
    )


def _points(x: np.ndarray, y: np.ndarray) -> str:
    """Points of a polyline; a single one becomes a short dash, or nothing would be seen."""
    if len(x) == 1:
        return f"{x[0]:.1f},{y[0]:.1f} {x[0] + 4:.1f},{y[0]:.1f}"
    return " ".join(f"{left:.1f},{top:.1f}" for left, top in zip(x, y, strict=True))
