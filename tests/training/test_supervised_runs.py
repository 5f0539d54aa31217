"""Real jobs of one machine under a supervisor: killed, hung, stopped, refused."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import REPOSITORY, SmallWorld
from tests.faults.jobs import Ground
from tests.tasks.jobs import job, write_job
from tests.training.supervised import train, worker_pid
from unimo.training.checkpoint import CheckpointFolder


@pytest.mark.multiprocess
@pytest.mark.slow
def test_killed_hung_and_stopped_the_run_ends_as_if_nothing_had_been(ground: Ground) -> None:
    whole, broken = ground.run("whole"), ground.run("broken", hang_seconds=20.0)
    whole.start()
    assert whole.wait() == 0
    broken.start()
    assert broken.wait_for(6)
    broken.kill_worker(1)
    assert broken.wait_for(15)
    os.kill(worker_pid(broken, 1), signal.SIGSTOP)  # as if stuck
    assert broken.wait_for(30)
    broken.signal_supervisor(signal.SIGTERM)
    assert broken.wait() == 75
    assert "--resume goes on" in broken.folder.with_suffix(".out").read_text()
    broken.start(resume=True)
    assert broken.wait() == 0
    assert broken.results() == whole.results()
    ends = [event["event"] for event in broken.events() if event["event"] != "started"]
    assert [event for event in ends if event != "hung"] == ["failed", "preempted", "finished"]
    assert "hung" in ends  # on a busy machine a step may take that long too
    assert list((broken.folder / "workers").iterdir()) == []


@pytest.mark.multiprocess
@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "key", "value", "named"),
    [("data", "train", "nowhere.tsv", "nowhere.tsv"), ("training", "sed", 3, "training.sed")],
)
def test_a_mistake_is_told_once_and_last_and_is_not_tried_again(
    small_world: SmallWorld, tmp_path: Path, part: str, key: str, value: Any, named: str
) -> None:
    """A run folder that was not there before is not there afterwards; one that was keeps what happened."""
    values = job(small_world, "text_classification", tmp_path / "run")
    values[part][key] = value
    config = write_job(tmp_path / "a.yaml", values)
    for is_there in (False, True):
        if is_there:
            (tmp_path / "run").mkdir()
        process = train(config, "--devices", "2", "--max_restarts", "3")
        printed, errors = process.communicate(timeout=120)
        assert process.returncode == 2
        assert errors.splitlines()[-1].startswith("unimo: error: process ")
        assert f"{printed}{errors}".count("unimo: error: ") == 1
        assert named in errors.splitlines()[-1]
        assert (tmp_path / "run").exists() == is_there
    events = [json.loads(line)["event"] for line in (tmp_path / "run" / "events.jsonl").read_text().splitlines()]
    assert events == ["started", "refused"]


@pytest.mark.multiprocess
@pytest.mark.parametrize("flags", [[], ["--max_restarts", "3"]], ids=["alone", "supervised"])
def test_no_space_at_all_is_one_refusal_and_costs_no_checkpoint(
    small_world: SmallWorld, tmp_path: Path, flags: list[str]
) -> None:
    from unimo.cli import main

    values = job(small_world, "text_classification", tmp_path / "run", training={"num_steps": 2})
    config = write_job(tmp_path / "a.yaml", values)
    assert main(["train", "--config", str(config)]) == 0
    process = subprocess.run(
        [sys.executable, "-m", "unimo", "train", "--config", str(config), "--resume", *flags],
        cwd=REPOSITORY,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)),
    )
    assert process.returncode == 2
    assert [line for line in process.stderr.splitlines() if "Traceback" in line or "error" in line] == [
        process.stderr.splitlines()[-1]
    ]
    assert "File too large; nothing more can be written" in process.stderr
    checkpoints = CheckpointFolder(tmp_path / "run" / "checkpoints", {})
    assert checkpoints.find_whole() == checkpoints.path(2)
