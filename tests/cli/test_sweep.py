"""Sweeps: each combination in a folder and process of its own, failures counted, finished kept, interrupted resumed."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from tests.conftest import REPOSITORY, SmallWorld
from tests.tasks.jobs import job, write_job
from unimo.cli import main


class InProcess:
    """A process that is none: the command runs here, and its words go where a process's would."""

    started: list[str]

    def __init__(self, words: Sequence[str], stdout: Any, **others: Any) -> None:
        assert words[:3] == [sys.executable, "-m", "unimo"]
        type(self).started.append(words[words.index("--output") + 1])
        text = io.StringIO()
        with contextlib.redirect_stderr(text), contextlib.redirect_stdout(text):
            self.status = main(words[3:])
        stdout.write(text.getvalue().encode())

    def wait(self) -> int:
        return self.status

    def terminate(self) -> None:
        raise AssertionError("nobody asked it to stop")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Run folders of the processes that a sweep starts, which all run in this one."""
    InProcess.started = []
    stand_in = SimpleNamespace(Popen=InProcess, DEVNULL=subprocess.DEVNULL)
    monkeypatch.setattr("unimo.cli.sweep.subprocess", stand_in)  # in that file only: Paddle starts processes too
    return InProcess.started


def write_sweep(small: SmallWorld, folder: Path, **block: Any) -> Path:
    values = job(small, "text_classification", folder / "sweep", sweep=block)
    values["training"]["num_steps"] = 4
    return write_job(folder / "job.yaml", values)


def read_report(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "sweep" / "sweep.json").read_text())


def test_a_sweep_goes_on_where_it_stopped(
    small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str], started: list[str]
) -> None:
    files = [str(small_world.world / "statements_train.tsv"), str(tmp_path / "absent.tsv")]
    config = write_sweep(small_world, tmp_path, **{"training.seed": [1, 2], "data.train": files})
    assert main(["sweep", "--config", str(config)]) == 1
    out = capsys.readouterr().out
    report = read_report(tmp_path)
    assert (report["num_runs"], report["num_finished"], report["num_failed"]) == (4, 2, 2)
    values = [run["value"] for run in report["runs"] if run["status"] == "finished"]
    assert report["best"]["value"] == max(values)
    assert report["median"] == pytest.approx(sum(values) / 2)
    assert "absent.tsv: no such file" in next(run["message"] for run in report["runs"] if run["status"] == "failed")
    assert f"dev.accuracy: best {max(values):.4f}" in out.splitlines()[-1]
    assert len(started) == 4

    done = [Path(folder) for folder in started if (Path(folder) / "report.json").is_file()]
    resolved = [yaml.safe_load((folder / "config.yaml").read_text()) for folder in done]
    assert [(each["training"]["seed"], each["sweep"]) for each in resolved] == [(1, {}), (2, {})]

    (tmp_path / "absent.tsv").write_bytes(Path(files[0]).read_bytes())
    (done[0] / "report.json").unlink()  # as if it had been stopped before its end
    started.clear()
    assert main(["sweep", "--config", str(config)]) == 0
    failed = [str(tmp_path / "sweep" / run["name"]) for run in report["runs"] if run["status"] == "failed"]
    assert sorted(started) == sorted([str(done[0]), *failed])
    events = [json.loads(line) for line in (done[0] / "metrics.jsonl").read_text().splitlines()]
    assert [event["step"] for event in events if event["split"] == "train"] == [2, 4]  # resumed, not begun again
    assert read_report(tmp_path)["num_finished"] == 4


def test_runs_of_another_job_are_not_taken_for_its_own(
    small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str], started: list[str]
) -> None:
    config = write_sweep(small_world, tmp_path, **{"training.seed": [1]})
    assert main(["sweep", "--config", str(config)]) == 0
    assert main(["sweep", "--config", str(config), "--optimizer.learning_rate", "0.5"]) == 1
    assert "holds a run of another job (differs in optimizer.learning_rate)" in capsys.readouterr().out
    assert len(started) == 1


def test_train_leaves_the_sweep_out_and_says_so(
    small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_sweep(small_world, tmp_path, **{"training.seed": [1, 2]})
    assert main(["train", "--config", str(config)]) == 0
    assert "sweep: left out; this trains the job's own values" in capsys.readouterr().out
    assert (tmp_path / "sweep" / "report.json").is_file()


def test_a_broken_file_is_told_before_anything_is_trained(
    small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str], started: list[str]
) -> None:
    broken = tmp_path / "train.tsv"
    broken.write_text("text_a\ttext_b\tlabel\na circle\tis red\t1\na circle\t0\n")
    config = write_sweep(small_world, tmp_path, **{"training.seed": [1, 2]})
    argv = ["sweep", "--config", str(config)]
    assert main([*argv, "--data.train", str(broken)]) == 2
    captured = capsys.readouterr()
    assert f"{broken}:3: 2 columns, the header has 3" in captured.err
    assert len(captured.err.splitlines()) == 1 and captured.out == ""
    assert not started and not (tmp_path / "sweep").exists()
    assert main([*argv, "--options.labels", "['0', 'yes']"]) == 2
    assert "labels cannot be used" in (error := capsys.readouterr().err) and "; 2 errors more, see" in error


@pytest.mark.parametrize("verb", ["train", "sweep"])
def test_a_mistake_in_the_block_is_named(
    small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    config = write_sweep(small_world, tmp_path, **{"optimizer.learning_rat": [0.1]})
    assert main([verb, "--config", str(config)]) == 2
    error = capsys.readouterr().err
    assert "job.yaml:" in error
    assert "optimizer.learning_rat: unknown key; did you mean optimizer.learning_rate?" in error
    assert not (tmp_path / "sweep").exists()


def test_a_job_without_the_block(small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", "--config", str(write_sweep(small_world, tmp_path))]) == 2
    assert "no key `sweep`" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.multiprocess
def test_a_sweep_that_is_stopped_saves_its_run(small_world: SmallWorld, tmp_path: Path) -> None:
    config = write_sweep(small_world, tmp_path, **{"training.seed": [1, 2]})
    words = [sys.executable, "-m", "unimo", "sweep", "--config", str(config), "--training.evaluate_every", "0"]
    words += ["--training.num_steps", "400", "--training.save_every", "100000"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    log = tmp_path / "sweep" / "seed=1" / "metrics.jsonl"
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 120
        while not (log.is_file() and log.stat().st_size) and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=120) == 75
    assert list((tmp_path / "sweep" / "seed=1" / "checkpoints").glob("step-*"))
    assert not (tmp_path / "sweep" / "seed=2").exists()
    subprocess.run(words, env=environment, check=True, capture_output=True, timeout=300)
    assert read_report(tmp_path)["num_finished"] == 2
    events = [json.loads(line) for line in log.read_text().splitlines()]
    steps = [event["step"] for event in events if event["split"] == "train"]
    assert steps == sorted(set(steps))
    assert steps[-1] == 400
