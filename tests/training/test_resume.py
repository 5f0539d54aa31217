"""A run that was killed and resumed ends with the weights of one that was not, bit for bit."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.conftest import REPOSITORY, SmallWorld
from tests.tasks.jobs import ARCH, TRAINING, job, write_job
from unimo.files import read_json
from unimo.modeling.pretrained import WEIGHTS_NAME

STEPS = {**TRAINING, "num_steps": 40, "save_every": 4, "evaluate_every": 0}


def train(config: Path, *flags: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "unimo", "train", "--config", str(config), *flags]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, cwd=REPOSITORY, env=environment, stderr=subprocess.DEVNULL)


def kill_after_checkpoint(process: subprocess.Popen[bytes], folder: Path, step: int) -> None:
    deadline = time.monotonic() + 60
    while not (folder / "checkpoints" / f"step-{step:08d}").is_dir():
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.multiprocess
@pytest.mark.parametrize("task", [pytest.param("pretraining", marks=pytest.mark.slow), "captioning"])
def test_killed_and_resumed_equals_uninterrupted(small_world: SmallWorld, tmp_path: Path, task: str) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    changes = {"training": {**STEPS, "average_decay": 0.9 if task == "captioning" else 0.0}}
    whole_config = write_job(tmp_path / "whole.yaml", job(small_world, task, whole, **changes))
    broken_config = write_job(tmp_path / "broken.yaml", job(small_world, task, broken, **changes))
    assert train(whole_config).wait() == 0
    kill_after_checkpoint(train(broken_config), broken, 12)
    assert not (broken / "report.json").exists()
    assert train(broken_config, "--resume").wait() == 0
    last = Path("checkpoints") / "step-00000040"
    for kept in (last, Path("checkpoints") / "best"):
        assert (whole / kept / WEIGHTS_NAME).read_bytes() == (broken / kept / WEIGHTS_NAME).read_bytes()
    assert read_json(whole / "report.json")["splits"] == read_json(broken / "report.json")["splits"]


def cut_back(whole: Path, folder: Path) -> None:
    """A copy of a run of 12 steps as it was after the sixth."""
    shutil.copytree(whole, folder, symlinks=True)
    for gone in ("step-00000009", "step-00000012", "best"):
        shutil.rmtree(folder / "checkpoints" / gone)
    (folder / "checkpoints" / "latest").unlink()
    (folder / "checkpoints" / "latest").symlink_to("step-00000006")


@pytest.mark.multiprocess
@pytest.mark.slow
def test_a_shared_out_optimizer_resumes_in_as_many_processes_or_one(small_world: SmallWorld, tmp_path: Path) -> None:
    """Two processes: bit for bit; one that shares nothing out: the same sample order, up to rounding."""
    still = {**ARCH, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    training = {**TRAINING, "num_steps": 12, "save_every": 3, "evaluate_every": 0, "keep_checkpoints": 9}
    whole = tmp_path / "whole"
    values = job(small_world, "pretraining", whole, training=training, arch=still)
    values["distributed"] = {"sharding_stage": 1}
    config = write_job(tmp_path / "job.yaml", values)
    assert train(config, "--devices", "2").wait() == 0
    last = Path("checkpoints") / "step-00000012" / WEIGHTS_NAME
    expected = load_file(whole / last)
    for name, flags in (("two", ("--devices", "2")), ("one", ("--distributed.sharding_stage", "0"))):
        folder = tmp_path / name
        cut_back(whole, folder)
        assert train(config, "--resume", "--output", str(folder), *flags).wait() == 0
        found = load_file(folder / last)
        apart = max(float(np.abs(found[key] - expected[key]).max()) for key in expected)
        assert apart == 0 if name == "two" else apart < 1e-4


@pytest.mark.multiprocess
@pytest.mark.slow
@pytest.mark.parametrize("stage", ["0", "1"], ids=["whole", "shared out"])
def test_one_process_resumes_in_two(small_world: SmallWorld, tmp_path: Path, stage: str) -> None:
    """The same sample order, up to rounding, whether or not the two share the moments out."""
    still = {**ARCH, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    training = {**TRAINING, "num_steps": 12, "save_every": 3, "evaluate_every": 0, "keep_checkpoints": 9}
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    config = write_job(tmp_path / "job.yaml", job(small_world, "pretraining", whole, training=training, arch=still))
    assert train(config).wait() == 0
    cut_back(whole, broken)
    flags = ("--devices", "2", "--distributed.sharding_stage", stage)
    assert train(config, "--resume", "--output", str(broken), *flags).wait() == 0
    assert (broken / "checkpoints" / "step-00000012" / "optimizer-1-of-2.safetensors").exists() == (stage == "1")
    last = Path("checkpoints") / "step-00000012" / WEIGHTS_NAME
    found, expected = load_file(broken / last), load_file(whole / last)
    assert max(float(np.abs(found[key] - expected[key]).max()) for key in expected) < 1e-4
