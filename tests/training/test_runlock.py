"""Two runs in one folder: the second is refused while the first lives, however that ends."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import REPOSITORY, SmallWorld
from tests.tasks.jobs import job, write_job
from unimo.cli import main
from unimo.errors import InputError
from unimo.training import runlock
from unimo.training.runlock import LOCK_NAME, run_lock

HOLDS = """import sys, time
from pathlib import Path
from unimo.training.runlock import run_lock
with run_lock(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])):
    print("holds", flush=True)
    time.sleep(600)
"""


@contextlib.contextmanager
def holder(folder: Path, master: str = "", node_rank: int = 0) -> Iterator[subprocess.Popen[bytes]]:
    """A process that holds the lock."""
    command = [sys.executable, "-c", HOLDS, str(folder), master, str(node_rank)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"holds\n"
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runlock, "PATIENCE_SECONDS", 0.2)


def test_the_second_is_refused_until_the_first_was_killed(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with holder(folder) as first:
        with pytest.raises(InputError, match=rf"{folder}: another run is at work there \(process {first.pid} on "):
            run_lock(folder).__enter__()
        first.send_signal(signal.SIGKILL)
        first.wait()
        assert (folder / LOCK_NAME).exists()  # which holds nothing any more
        with run_lock(folder):
            pass
    assert not (folder / LOCK_NAME).exists()


def test_a_folder_that_was_made_for_nothing_is_gone_and_any_other_is_kept(tmp_path: Path) -> None:
    for name in ("there", "written"):
        if name == "there":
            (tmp_path / name).mkdir()
        with run_lock(tmp_path / name):
            if name == "written":
                (tmp_path / name / "config.yaml").touch()
    with pytest.raises(ZeroDivisionError), run_lock(tmp_path / "runs" / "new"):
        raise ZeroDivisionError
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == [
        "runs",
        "there",
        "written",
        "written/config.yaml",
    ]


def test_a_lock_that_its_holder_removed_while_it_was_opened_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first look finds a file that is there no more."""
    lock, looks = fcntl.flock, []

    def removed_before(opened: int, how: int) -> None:
        looks.append(how)
        if len(looks) == 1:
            (tmp_path / LOCK_NAME).unlink()
        lock(opened, how)

    monkeypatch.setattr(fcntl, "flock", removed_before)
    with run_lock(tmp_path):
        assert len(looks) == 2
        with pytest.raises(InputError):
            run_lock(tmp_path).__enter__()


def test_the_lock_of_another_user_is_heeded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose file may be read, but not written to."""
    opened = os.open

    def reads_only(path: Any, flags: int, *mode: int, **more: Any) -> int:
        if Path(path).name == LOCK_NAME and flags & os.O_RDWR:
            raise PermissionError(errno.EACCES, "denied", str(path))
        return opened(path, flags, *mode, **more)

    with holder(tmp_path) as first:
        monkeypatch.setattr(os, "open", reads_only)
        with pytest.raises(InputError, match=f"process {first.pid} on "):
            run_lock(tmp_path).__enter__()
        first.kill()
        first.wait()
        with run_lock(tmp_path):
            monkeypatch.undo()
            monkeypatch.setattr(runlock, "PATIENCE_SECONDS", 0.2)
            with pytest.raises(InputError, match="another run is at work"):
                run_lock(tmp_path).__enter__()


def test_a_folder_that_the_run_waited_for_took_away_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, lock, looks = tmp_path / "run", fcntl.flock, []
    first = run_lock(folder)
    first.__enter__()

    def ends_meanwhile(opened: int, how: int) -> None:
        looks.append(how)
        if len(looks) == 2:
            first.__exit__(None, None, None)
            assert not folder.exists()
        lock(opened, how)

    monkeypatch.setattr(fcntl, "flock", ends_meanwhile)
    with run_lock(folder):
        assert (folder / LOCK_NAME).exists()
        with pytest.raises(InputError):
            run_lock(folder).__enter__()


@pytest.mark.parametrize(
    ("first", "second", "refused"),
    [
        (("a:1", 0), ("a:1", 1), False),
        (("a:1", 0), ("a:1", 0), True),  # the same node twice
        (("a:1", 0), ("b:1", 1), True),
        (("a:1", 0), ("", 0), True),
        (("", 0), ("a:1", 1), True),
        (("a:1", -1), ("a:1", -1), False),
        (("a:1", -1), ("b:1", -1), True),
        (("a:1", -1), ("", 0), True),
    ],
)
def test_machines_of_one_run_share_a_folder_and_others_do_not(
    tmp_path: Path, first: tuple[str, int], second: tuple[str, int], refused: bool
) -> None:
    refusal = pytest.raises(InputError) if refused else contextlib.nullcontext()
    with holder(tmp_path, *first), refusal, run_lock(tmp_path, *second):
        pass


def test_a_machine_that_only_looks_leaves_the_lock_to_node_0(tmp_path: Path) -> None:
    with run_lock(tmp_path, "a:1", 1):
        assert not (tmp_path / LOCK_NAME).exists()
        with run_lock(tmp_path, "a:1", 0):
            assert (tmp_path / LOCK_NAME).exists()


def test_a_file_system_without_locks_is_told_of_and_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unsupported(*_: Any) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    with run_lock(tmp_path):
        pass
    (told,) = capsys.readouterr().err.splitlines()
    assert told.startswith(f"unimo: {tmp_path}: not kept from other runs: ")


LAUNCHED = ["-m", "paddle.distributed.launch", "--nproc_per_node", "1", "--log_dir"]


@pytest.mark.multiprocess
@pytest.mark.parametrize(
    "first",
    [
        "alone",
        pytest.param("launched", marks=pytest.mark.slow),
        pytest.param("supervised", marks=pytest.mark.slow),
    ],
)
def test_a_second_run_writes_nothing_into_the_folder_of_one_at_work(
    small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str], first: str
) -> None:
    folder, training = tmp_path / "run", {"num_steps": 100_000, "save_every": 2, "keep_checkpoints": 1}
    values = job(small_world, "text_classification", folder, training=training)
    config = str(write_job(tmp_path / "a.yaml", values))
    words = {"alone": [], "supervised": [], "launched": [*LAUNCHED, str(tmp_path / "logs")]}[first]
    flags = ["--max_restarts", "1"] if first == "supervised" else []
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, *words, "-m", "unimo", "train", "--config", config, *flags]
    with open(tmp_path / "out", "wb") as output:
        running = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + 120
        while not (folder / "checkpoints" / "latest").exists():
            assert running.poll() is None and time.monotonic() < deadline, (tmp_path / "out").read_text()
            time.sleep(0.1)
        events = (folder / "events.jsonl").read_bytes() if first == "supervised" else b""
        for second in ([], ["--resume"], ["--max_restarts", "1", "--resume"]):
            assert main(["train", "--config", config, *second]) == 2
            (told,) = capsys.readouterr().err.splitlines()
            assert told.startswith(f"unimo: error: {folder}: another run is at work there")
        assert running.poll() is None
        assert first != "supervised" or (folder / "events.jsonl").read_bytes() == events
    finally:
        running.send_signal(signal.SIGTERM)
        status = running.wait(120)
    if first != "launched":  # Paddle's own launcher leaves its processes no time to end
        assert status == 75
        assert not (folder / LOCK_NAME).exists()


def test_a_run_that_is_refused_before_it_began_leaves_no_folder(small_world: SmallWorld, tmp_path: Path) -> None:
    """The supervised ones are in test_supervised_runs.py."""
    values = job(small_world, "text_classification", tmp_path / "run")
    for part in ({"train": "nowhere.tsv"}, {"evaluate": {"dev": "nowhere.tsv"}}):
        config = write_job(tmp_path / "a.yaml", {**values, "data": {**values["data"], **part}})
        assert main(["train", "--config", str(config)]) == 2
        assert not (tmp_path / "run").exists()
