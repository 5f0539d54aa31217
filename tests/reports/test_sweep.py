"""What came of a sweep."""

from __future__ import annotations

from unimo.reports.sweep import FAILED, FINISHED, SweptRun, sweep_lines, sweep_report


def run(rate: float, seed: int, value: float | None, status: str = FINISHED) -> SweptRun:
    message = "out of memory" if status == FAILED else ""
    return SweptRun(f"rate={rate}_seed={seed}", {"rate": rate, "training.seed": seed}, status, value, 1.0, message)


RUNS = [run(0.1, 1, 0.5), run(0.1, 2, 0.9), run(0.2, 1, 0.8), run(0.2, 2, None, FAILED), run(0.3, 1, None)]


def test_best_and_median() -> None:
    report = sweep_report(RUNS, "dev.accuracy", lower_is_better=False)
    assert report["best"] == {"name": "rate=0.1_seed=2", "values": {"rate": 0.1, "training.seed": 2}, "value": 0.9}
    assert report["median"] == 0.8
    assert (report["num_runs"], report["num_finished"], report["num_failed"]) == (5, 4, 1)
    assert sweep_report(RUNS, "dev.loss", lower_is_better=True)["best"]["value"] == 0.5


def test_medians_over_seeds() -> None:
    settings = sweep_report(RUNS, "dev.accuracy", lower_is_better=False)["settings"]
    assert [(each["values"], each["num_seeds"], each["median"]) for each in settings] == [
        ({"rate": 0.2}, 1, 0.8),
        ({"rate": 0.1}, 2, 0.7),
    ]


def test_lines_to_print() -> None:
    lines = list(sweep_lines(sweep_report(RUNS, "dev.accuracy", lower_is_better=False)))
    assert "failed: rate=0.2_seed=2: out of memory" in lines
    assert lines[-1] == "dev.accuracy: best 0.9000 (rate=0.1_seed=2), median 0.8000; 4 of 5 runs finished, 1 failed"


def test_nothing_finished() -> None:
    report = sweep_report([run(0.1, 1, None, FAILED)], "dev.accuracy", lower_is_better=False)
    assert (report["best"], report["median"]) == (None, None)
    assert list(sweep_lines(report))[-1] == "dev.accuracy: no value; 0 of 1 runs finished, 1 failed"
