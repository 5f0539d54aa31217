from __future__ import annotations

import json
import platform
import subprocess
from pathlib import Path

import pytest

from unimo.runtime import describe_environment, environment


def test_versions_of_every_requirement() -> None:
    described = describe_environment()
    assert described["python"] == platform.python_version()
    assert described["packages"]["paddlepaddle"] and described["packages"]["PyYAML"]
    assert "requirements-gpu.txt" not in described["packages"]
    json.dumps(described)


def test_git_state_of_a_checkout(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", "-C", str(tmp_path), *identity, *words], check=True, capture_output=True)

    git("init")
    (tmp_path / "__init__.py").write_text("")
    assert environment.git_state(tmp_path) is None  # not tracked
    git("add", "__init__.py")
    assert environment.git_state(tmp_path) is None  # no commit yet
    git("commit", "-m", "x")
    state = environment.git_state(tmp_path)
    assert state is not None and len(state["commit"]) == 40 and state["dirty"] is False
    (tmp_path / "new.py").write_text("")
    state = environment.git_state(tmp_path)
    assert state is not None and state["dirty"] is True


def test_no_checkout_or_no_git_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert environment.git_state(tmp_path) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert environment.git_state(tmp_path) is None


def test_missing_package_is_none() -> None:
    assert environment.installed_version("no-such-package") is None
