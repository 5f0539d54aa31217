"""Adversarial training that a task cannot have is refused before anything is read, by the key's name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SmallWorld
from tests.tasks.jobs import job, write_job
from unimo.cli import main


def refusal(
    small: SmallWorld, folder: Path, task: str, adversarial: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> str:
    """What training says to these options."""
    values = job(small, task, folder / "run")
    values["options"] = {"adversarial": adversarial}
    assert main(["train", "--config", str(write_job(folder / "job.yaml", values))]) == 2
    assert not (folder / "run").exists()
    return capsys.readouterr().err


@pytest.mark.parametrize("task", ["text_classification", "text_regression", "text_generation"])
@pytest.mark.parametrize("kind", ["villa", "freelb_image"])
def test_perturbed_images_of_a_task_without_images(
    small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str], task: str, kind: str
) -> None:
    said = refusal(small_world, tmp_path, task, {"kind": kind}, capsys)
    assert f"options.adversarial.kind: {kind}, but {task} reads no images; use freelb_text" in said


def test_options_are_named(small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refusal(small_world, tmp_path, "captioning", {"kind": "villa", "num_steps": 0}, capsys)
    assert "job.yaml:" in said and "options.adversarial.num_steps" in said


@pytest.mark.parametrize(
    ("task", "kind"),
    [("text_classification", "freelb_text"), ("captioning", "freelb_image"), ("visual_entailment", "villa")],
)
def test_kinds_that_fit(small_world: SmallWorld, tmp_path: Path, task: str, kind: str) -> None:
    values = job(small_world, task, tmp_path / "run")
    values["options"] = {"adversarial": {"kind": kind, "num_steps": 1}}
    if task == "visual_entailment":
        train = str(small_world.world / "entailment_train.jsonl")
        values["data"] |= {"regions": str(small_world.regions), "train": train}
    else:
        values["options"] |= job(small_world, task, tmp_path)["options"]
    values["data"]["evaluate"] = {}
    values["training"]["num_steps"] = 1
    assert main(["train", "--config", str(write_job(tmp_path / "job.yaml", values))]) == 0
