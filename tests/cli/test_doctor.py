from __future__ import annotations

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


def test_gains_compare_each_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[list[str]] = []

    def measure(names: list[str]) -> dict[str, float]:
        measured.append(names)
        return {"matmul_ms": 1.0, "relu_ms": 1.0, "transpose_ms": 1.0, "step_ms": 10.0 * (4 - len(names))}

    monkeypatch.setattr(doctor, "measure", measure)
    monkeypatch.setattr(
        "unimo.runtime.settings.setting_states",
        lambda: {each.name: "applied" for each in SETTINGS[:3]} | {"all_cores": "off"},
    )
    lines = list(doctor.describe_gains())
    assert [len(names) for names in measured] == [3, 2, 2, 2, 0]
    assert "2.00 times the step" in lines[1] and "4.00 times the step" in lines[-1]
