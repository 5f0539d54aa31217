"""Checkpoints named on the command line, and the help of the verbs that read a job."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import SmallWorld
from tests.tasks.jobs import TRAINING, job, write_job
from unimo.cli import main
from unimo.tasks import TASKS


@pytest.fixture(scope="module")
def run(small_world: SmallWorld, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a finished run."""
    folder = tmp_path_factory.mktemp("checkpoints")
    training = {**TRAINING, "num_steps": 1, "evaluate_every": 0}
    values = job(small_world, "text_classification", folder / "run", training=training)
    assert main(["train", "--config", str(write_job(folder / "job.yaml", values))]) == 0
    return folder / "run"


def refused(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    capsys.readouterr()
    assert main(argv) == 2
    return capsys.readouterr().err


VERBS = (["evaluate"], ["predict", "--task", "text_classification", "--texts", "a circle ||| a square"])


@pytest.mark.parametrize("verb", VERBS)
def test_what_is_no_checkpoint_says_what_to_name(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], verb: list[str]
) -> None:
    best = run / "checkpoints" / "best"
    assert f"{run}: is a run folder, not a checkpoint; name {best}" in refused(capsys, *verb, "--checkpoint", str(run))
    assert f"{tmp_path}: no config.json" in refused(capsys, *verb, "--checkpoint", str(tmp_path))
    assert "no such folder" in refused(capsys, *verb, "--checkpoint", str(tmp_path / "absent"))
    converted = tmp_path / "converted"
    shutil.copytree(best, converted, ignore=shutil.ignore_patterns("config.yaml"))
    message = refused(capsys, *verb, "--checkpoint", str(converted))
    assert "no config.yaml in this checkpoint" in message and "`convert ... --config JOB.yaml`" in message
    assert main([*verb, "--checkpoint", str(best)]) == 0


def test_evaluate_refuses_a_run_folder_to_write(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["evaluate", "--checkpoint", str(run / "checkpoints" / "best"), "--output", str(tmp_path / "scores")]
    assert "--predictions names the folder" in refused(capsys, *argv)


def test_help_names_the_tasks(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("train", "evaluate"):
        assert main([verb, "--help"]) == 0
        text = " ".join(capsys.readouterr().out.split())
        assert f"one of {', '.join(TASKS)}" in text
    assert main(["predict", "--help"]) == 0
    text = capsys.readouterr().out
    assert [name for name in TASKS if name not in text] == []


def test_help_of_evaluate_asks_for_nothing_but_a_checkpoint(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--checkpoint", str(run / "checkpoints" / "best"), "-h"]) == 0
    text = capsys.readouterr().out
    assert text.count("(required)") == 1 and "Checkpoint folder. (required)" in text
    assert "--output" not in text and "--options.token_dropout" in text
