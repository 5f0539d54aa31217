"""A run goes on under the job that it began with: what decides its result is compared, and told by its key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SmallWorld
from tests.tasks.jobs import TRAINING, job, write_job
from unimo.cli import main
from unimo.config.job import DataConfig
from unimo.errors import InputError
from unimo.training.mixture import Mixture
from unimo.training.task import TrainingStream


@pytest.fixture(scope="module")
def begun(small_world: SmallWorld, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the yaml of a pre-training, `run` in it after 4 of its steps."""
    folder = tmp_path_factory.mktemp("begun")
    training = {**TRAINING, "num_steps": 4, "evaluate_every": 0}
    config = write_job(folder / "job.yaml", job(small_world, "pretraining", folder / "run", training=training))
    assert main(["train", "--config", str(config)]) == 0
    return folder


def resume(begun: Path, *changes: str) -> int:
    return main(["train", "--config", str(begun / "job.yaml"), "--resume", *changes])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (("--training.seed", "4"), "training.seed: 4, but the run to resume has 3"),
        (("--training.average_decay", "0.9"), "training.average_decay: 0.9, but the run to resume has 0.0"),
        (("--training.gradient_accumulation_steps", "2"), "training.gradient_accumulation_steps: 2, but"),
        (("--optimizer.learning_rate", "0.5"), "optimizer.learning_rate: 0.5, but the run to resume has 0.001"),
        (("--arch.hidden_size", "16"), "arch.hidden_size: 16, but the run to resume has 32"),
        (("--data.tokens_per_batch", "300"), "data.tokens_per_batch: 300, but the run to resume has 512"),
        (("--options.texts", "[]", "--options.shares", "{images: 1, pairs: 2}"), "options."),
        (("--training.num_steps", "3"), "training.num_steps: 3 steps, fewer than the 4 of the run to resume"),
    ],
)
def test_what_decides_the_result_may_not_change(
    begun: Path, capsys: pytest.CaptureFixture[str], changes: tuple[str, ...], told: str
) -> None:
    before = (begun / "run" / "config.yaml").read_bytes()
    assert resume(begun, *changes) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert "checkpoints/step-00000004/config.yaml: " in line and told in line
    assert (begun / "run" / "config.yaml").read_bytes() == before


def test_cadence_length_and_processes_may_change(small_world: SmallWorld, tmp_path: Path) -> None:
    values = job(small_world, "text_classification", tmp_path / "run", training={"num_steps": 2, "seed": 3})
    config = str(write_job(tmp_path / "job.yaml", values))
    assert main(["train", "--config", config]) == 0
    changes = ["--training.num_steps", "4", "--training.evaluate_every", "1", "--training.log_every", "1"]
    changes += ["--training.save_every", "1", "--training.keep_checkpoints", "1", "--distributed.hang_seconds", "9"]
    assert main(["train", "--config", config, "--resume", *changes]) == 0
    assert sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir()) == [
        "best",
        "latest",
        "step-00000004",
    ]


def test_other_streams_are_refused_without_a_job_to_compare() -> None:
    def mixture(*names: str) -> Mixture:
        streams = [TrainingStream(name, [3, 3], lambda indices, epoch, step: {}) for name in names]
        return Mixture(streams, DataConfig(), 1)

    state: Any = mixture("texts", "pairs").state()
    for names in (("texts", "captions"), ("texts",), ("texts", "pairs", "images")):
        with pytest.raises(InputError, match="streams of training data: "):
            mixture(*names).load_state(state)
    mixture("pairs", "texts").load_state(state)
