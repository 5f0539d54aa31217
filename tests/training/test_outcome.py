"""What the end of an attempt means, and whose fault it was."""

from __future__ import annotations

import pytest

from tests.training.supervised import worker
from unimo.training.outcome import NOT_SAVED, UNTOLD, Outcome, Worker, outcome_of


def test_a_killed_process_is_the_reason_and_not_those_that_it_took_along() -> None:
    workers = {0: worker(0, 10.3, status="failed", error="reset by peer", time=10.0), 1: worker(1, 10.2)}
    outcome = outcome_of(1, workers, None, stopped=False, devices=2)
    assert (outcome.status, outcome.culprit) == ("failed", workers[1])
    assert "was killed" in outcome.message


def test_an_error_is_the_reason_and_not_those_whom_the_launcher_killed_later() -> None:
    workers = {0: worker(0, 14.0), 1: worker(1, 10.1, status="failed", error="ValueError: no", time=10.0)}
    outcome = outcome_of(1, workers, None, stopped=False, devices=2)
    assert (outcome.culprit, outcome.message) == (workers[1], "ValueError: no")


@pytest.mark.parametrize(
    ("returncode", "workers", "stopped", "status"),
    [
        (0, {0: worker(0, 1.0, status="finished", time=1.0)}, False, "finished"),
        (1, {0: worker(0, 1.0, status="preempted", time=1.0), 1: worker(1, 1.0)}, False, "preempted"),
        (1, {0: worker(0, 1.0)}, True, "preempted"),
        (2, {0: worker(0, 1.0, status="refused", error="a.yaml: no", time=1.0)}, False, "refused"),
        (2, {0: worker(0, 1.0, status="refused", error="disk full", time=1.0)}, True, "refused"),
        (-9, {0: worker(0, 1.0)}, False, "launcher_died"),
        (-9, {}, False, "launcher_died"),
        (1, {}, False, "failed"),
        (139, {0: worker(0, 1.0, status="finished", time=1.0)}, False, "finished"),
        (1, {0: worker(0, 1.0, status="failed", error="no", time=1.0)}, True, "failed"),
        (1, {0: worker(0, 9.0, status="failed", error="no", time=9.0), 1: worker(1, 8.5)}, True, "preempted"),
    ],
)
def test_what_an_end_means(returncode: int, workers: dict[int, Worker], stopped: bool, status: str) -> None:
    assert outcome_of(returncode, workers, None, stopped, len(workers) or 1).status == status


def test_a_process_that_never_told_of_itself_is_the_reason_and_not_one_that_the_launcher_killed() -> None:
    outcome = outcome_of(1, {1: worker(1, 10.0)}, None, stopped=False, devices=2)
    assert (outcome.culprit, outcome.message) == (None, UNTOLD)


def test_a_missing_process_has_not_finished() -> None:
    workers = {0: worker(0, 1.0, status="finished", time=1.0)}
    assert outcome_of(139, workers, None, stopped=False, devices=2).status == "failed"


@pytest.mark.parametrize(("beat", "message"), [(0.0, ""), (5.0, NOT_SAVED)])
def test_a_stop_that_could_not_save_is_told_where_there_was_something_to_save(beat: float, message: str) -> None:
    killed = worker(0, 10.0)
    killed.beat = beat
    for cut_short in (None, Outcome("hung", killed, "did nothing")):
        outcome = outcome_of(-9, {0: killed}, cut_short, stopped=True, devices=1)
        assert (outcome.status, outcome.message) == ("preempted", message)
