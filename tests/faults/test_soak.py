"""What the soak test calls growth."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.faults.soak import Sample, problems

MINUTES = 20.0
FLAT = [Sample(second, 500.0, 4, 5, 30) for second in range(0, 1200, 2)]


def test_a_flat_run_and_files_caught_while_they_are_written() -> None:
    assert problems(FLAT, MINUTES) == []
    caught = [replace(s, files=6, kept=33) if s.seconds % 100 == 98 and s.seconds > 600 else s for s in FLAT]
    assert problems(caught, MINUTES) == []


@pytest.mark.parametrize(
    ("field", "rate", "told"),
    [
        ("megabytes", 0.04, "resident memory"),
        ("files", 0.01, "open files"),
        ("threads", 0.01, "threads"),
        ("kept", 0.1, "run folder"),
    ],
)
def test_what_grows_is_told(field: str, rate: float, told: str) -> None:
    start = getattr(FLAT[0], field)
    grown = [replace(s, **{field: type(start)(start + rate * s.seconds)}) for s in FLAT]
    (found,) = problems(grown, MINUTES)
    assert told in found


def test_a_run_that_ends_early() -> None:
    assert problems(FLAT[:100], MINUTES) == ["the run ended early"]
