from __future__ import annotations

import subprocess
from typing import Any

import pytest

from unimo.cli import doctor
from unimo.runtime import SETTINGS


def test_quick_report_names_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.run(doctor.Arguments(quick=True)) == 0
    text = capsys.readouterr().out
    for word in ("paddlepaddle", "jsonargparse", "python", "cores", "memory", "OMP_NUM_THREADS", "java", "GPUs"):
        assert word in text, word
    for setting in SETTINGS:
        assert setting.name in text
    assert "with all" not in text


def test_a_missing_package_is_reported(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from unimo.runtime import environment

    monkeypatch.setattr(environment, "requirements", lambda: {"paddlepaddle": "==0.1", "no-such-package": "==1"})
    assert doctor.run(doctor.Arguments(quick=True)) == 1
    text = capsys.readouterr().out
    assert "no-such-package             missing" in text and "(wanted ==0.1)" in text


def apply_three(monkeypatch: pytest.MonkeyPatch) -> None:
    states = {each.name: "applied" if each in SETTINGS[:3] else "off" for each in SETTINGS}
    monkeypatch.setattr("unimo.runtime.settings.setting_states", lambda: states)


def test_gains_compare_each_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[list[str]] = []

    def measure(names: list[str]) -> dict[str, float]:
        measured.append(names)
        return {
            "matmul_ms": 1.0,
            "relu_ms": 1.0,
            "transpose_ms": 1.0,
            "denormal_ms": 1.0,
            "step_ms": 10.0 * (4 - len(names)),
        }

    monkeypatch.setattr(doctor, "measure", measure)
    apply_three(monkeypatch)
    lines = list(doctor.describe_gains())
    assert [len(names) for names in measured] == [3, 2, 2, 2, 0]
    assert "2.00 times the step" in lines[1] and "4.00 times the step" in lines[-1]


VALUES = '{"matmul_ms": 1.0, "relu_ms": 1.0, "transpose_ms": 1.0, "denormal_ms": 1.0, "step_ms": 10.0}'


def answer_in_turn(monkeypatch: pytest.MonkeyPatch, answers: list[Any]) -> None:
    """What the measuring processes do: an exception is raised, (status, output, error output) is how one ends."""
    apply_three(monkeypatch)

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return subprocess.CompletedProcess(command, *answer)

    monkeypatch.setattr(subprocess, "run", run)


def test_a_measurement_that_fails_is_told_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    good, late = (0, VALUES, ""), subprocess.TimeoutExpired("measure", 60)
    answer_in_turn(monkeypatch, [good, late, (1, "", "Traceback\nMemoryError: 3 GB\n"), good, (-9, "", "")])
    lines = list(doctor.describe_gains())
    assert "training step" in lines[0]
    assert lines[1].endswith("could not be measured: no answer in 60 seconds")
    assert lines[2].endswith("could not be measured: status 1, MemoryError: 3 GB")
    assert lines[3].endswith("1.00 times the step")
    assert lines[4].endswith("could not be measured: status -9, it said nothing")


def test_without_what_is_compared_with_there_are_no_gains(monkeypatch: pytest.MonkeyPatch) -> None:
    answer_in_turn(monkeypatch, [subprocess.TimeoutExpired("measure", 60), *[(0, VALUES, "")] * 4])
    lines = list(doctor.describe_gains())
    assert "could not be measured" in lines[0]
    assert all("training step" in line and "times the step" not in line for line in lines[1:])


def test_the_thread_count_is_left_out_whether_it_is_there_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[dict[str, str]] = []

    def run(command: list[str], env: dict[str, str], **_: object) -> subprocess.CompletedProcess[str]:
        given.append(env)
        return subprocess.CompletedProcess(command, 0, VALUES, "")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    doctor.measure(["all_cores"])
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    doctor.measure(["all_cores"])
    doctor.measure([])
    assert [each.get("OMP_NUM_THREADS") for each in given] == [None, None, "1"]
