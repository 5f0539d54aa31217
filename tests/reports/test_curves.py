"""Curves: read, smoothed, drawn."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.reports.conftest import read_page, write_lines
from unimo.reports.curves import HEIGHT, MOST_POINTS, WIDTH, chart_svg, nice_ticks, read_curves, smooth
from unimo.reports.page import Curve

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: round(value, 3))


def test_one_named_loss_is_not_drawn_twice(tmp_path: Path) -> None:
    lines = [{"step": step, "split": "train", "loss": 1.0, "loss.circle": 1.0, "learning_rate": 1} for step in (1, 2)]
    write_lines(tmp_path / "metrics.jsonl", [*lines, {"step": 2, "split": "dev", "loss": 9.0}])
    assert read_curves(tmp_path, "run") == (Curve("run", "circle", (1, 2), (1.0, 1.0)),)


def test_losses_that_start_late_and_null_values(tmp_path: Path) -> None:
    write_lines(
        tmp_path / "metrics.jsonl",
        [
            {"step": 1, "split": "train", "loss": 3.0, "loss.a": 3.0},
            {"step": 2, "split": "train", "loss": None, "loss.a": None, "loss.b": 1.0},
            {"step": 3, "split": "train", "loss": 4.0, "loss.a": 2.0, "loss.b": 2.0},
        ],
    )
    curves = {curve.name: (curve.steps, curve.values) for curve in read_curves(tmp_path, "run")}
    assert curves == {
        "sum of losses": ((1, 3), (3.0, 4.0)),
        "a": ((1, 3), (3.0, 2.0)),
        "b": ((2, 3), (1.0, 2.0)),
    }


def test_no_log_no_curves(tmp_path: Path) -> None:
    assert read_curves(tmp_path, "run") == ()


@given(st.lists(NUMBERS, min_size=1, max_size=60))
def test_smooth_is_a_mean(values: list[float]) -> None:
    smoothed = smooth(values)
    assert len(smoothed) == len(values)
    assert smoothed.min() >= min(values) - 1e-3 and smoothed.max() <= max(values) + 1e-3
    assert np.isclose(smoothed[0], values[0], atol=1e-3) and np.isclose(smoothed[-1], values[-1], atol=1e-3)


def test_smooth_keeps_straight_lines_and_calms_noise() -> None:
    line = np.linspace(5, 1, 90)
    assert np.allclose(smooth(line), line)
    noisy = line + np.random.default_rng(0).normal(0, 0.5, 90)
    assert np.abs(smooth(noisy) - line)[5:-5].mean() < 0.6 * np.abs(noisy - line)[5:-5].mean()


@given(NUMBERS, NUMBERS)
def test_ticks_enclose_the_values(first: float, second: float) -> None:
    low, high = sorted((first, second))
    ticks = nice_ticks(low, high)
    slack = 1e-9 * max(abs(low), abs(high), 1.0)
    assert 2 <= len(ticks) <= 7
    assert ticks[0] <= low + slack and ticks[-1] >= high - slack


@given(st.lists(NUMBERS, min_size=1, max_size=40))
def test_points_lie_in_the_drawing(values: list[float]) -> None:
    svg = chart_svg(Curve("run", "a_loss", tuple(range(10, 10 + len(values))), tuple(values)))
    read_page(svg)
    for points in re.findall(r'points="([^"]*)"', svg):
        pairs = [tuple(map(float, pair.split(","))) for pair in points.split()]
        assert len(pairs) >= 2
        assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in pairs)


def test_long_curves_are_thinned() -> None:
    count = 20_000
    svg = chart_svg(Curve("run", "loss", tuple(range(count)), tuple(np.linspace(2, 1, count))))
    assert all(len(points.split()) == MOST_POINTS for points in re.findall(r'points="([^"]*)"', svg))
    assert "step 19999" in svg
