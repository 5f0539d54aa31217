"""A small pre-training on the drawn world, in two processes under the supervisor, and the ways to hurt it."""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import REPOSITORY, SmallWorld, make_small_world
from tests.tasks.jobs import job, write_job

NUM_STEPS, SAVE_EVERY = 60, 3
WHOLE_RUN_SECONDS = 400.0
EXIT_PREEMPTED, EXIT_REFUSED = 75, 2


class FaultError(Exception):
    """A run did not survive."""


@dataclass
class Run:
    """One training under the supervisor, in one folder."""

    config: Path
    folder: Path
    process: subprocess.Popen[bytes] | None = None
    num_earlier_events: int = 0

    def start(self, resume: bool = False, file_limit: int = 0) -> None:
        """Start the supervisor; ``file_limit``: the largest file that it and its workers may write, in bytes."""
        self.num_earlier_events = len(self.events())
        command = [sys.executable, "-m", "unimo", "train", "--config", str(self.config), "--devices", "2"]
        command += ["--max_restarts", "20", *(["--resume"] if resume else [])]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}

        def limit() -> None:
            if file_limit:
                resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))

        with open(self.folder.with_suffix(".out"), "ab") as output:
            self.process = subprocess.Popen(
                command, cwd=REPOSITORY, env=environment, stdout=output, stderr=output, preexec_fn=limit
            )

    @property
    def status(self) -> int | None:
        """Exit status of the supervisor; None while it runs."""
        assert self.process is not None
        return self.process.poll()

    def wait(self) -> int:
        """The supervisor's exit status."""
        assert self.process is not None
        try:
            return self.process.wait(WHOLE_RUN_SECONDS)
        except subprocess.TimeoutExpired as error:
            self.process.kill()
            raise FaultError(f"did not end within {WHOLE_RUN_SECONDS:.0f} s") from error

    def newest_step(self) -> int:
        """The step that `latest` names; 0 before the first checkpoint."""
        latest = self.folder / "checkpoints" / "latest"
        return int(os.readlink(latest).partition("-")[2]) if latest.is_symlink() else 0

    def is_saving(self) -> bool:
        """Whether a checkpoint is being written just now."""
        return any((self.folder / "checkpoints").glob(".step-*.tmp"))

    def wait_for(self, step: int, saving: bool = False) -> bool:
        """Wait for a checkpoint of a step (and for one being written); False where the run ended before."""
        deadline = time.monotonic() + WHOLE_RUN_SECONDS
        while self.newest_step() < step or (saving and not self.is_saving()):
            if self.status is not None:
                return False
            if time.monotonic() > deadline:
                raise FaultError(f"no checkpoint of step {step} within {WHOLE_RUN_SECONDS:.0f} s")
            time.sleep(0.002 if saving else 0.02)
        return True

    def kill_worker(self, rank: int) -> bool:
        """SIGKILL for one worker of the present attempt; whether it was there."""
        for path in (self.folder / "workers").glob(f"*/rank-{rank}.json"):
            with contextlib.suppress(OSError, ValueError, ProcessLookupError):
                os.kill(json.loads(path.read_text())["pid"], signal.SIGKILL)
                return True
        return False

    def kill_launcher(self) -> bool:
        """SIGKILL for the launcher of the present attempt; whether it was there."""
        started = [event for event in self.events() if event["event"] == "started"]
        with contextlib.suppress(ProcessLookupError, IndexError):
            os.kill(started[-1]["launcher"], signal.SIGKILL)
            return True
        return False

    def signal_supervisor(self, number: int) -> None:
        """A signal for the supervisor."""
        assert self.process is not None
        self.process.send_signal(number)

    def is_supervised(self) -> bool:
        """Whether the supervisor that was started last has begun its work."""
        return len(self.events()) > self.num_earlier_events

    def events(self) -> list[dict[str, Any]]:
        """What the supervisor noted."""
        path = self.folder / "events.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []

    def results(self, steps: int = NUM_STEPS) -> dict[str, bytes]:
        """The final weights and moments, and the best weights."""
        last = self.folder / "checkpoints" / f"step-{steps:08d}"
        paths = [last / "model.safetensors", *sorted(last.glob("optimizer*.safetensors"))]
        paths.append(self.folder / "checkpoints" / "best" / "model.safetensors")
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in paths}


class Ground:
    """A folder with a world and configs."""

    def __init__(self, folder: Path, small: SmallWorld | None = None) -> None:
        self.folder = folder
        self.small = small or make_small_world(folder / "small")

    def run(self, name: str, steps: int = NUM_STEPS, **distributed: Any) -> Run:
        """A run that has not been started."""
        output = self.folder / name
        training = {"num_steps": steps, "seed": 5, "log_every": 10, "save_every": SAVE_EVERY, "evaluate_every": 30}
        values = job(self.small, "pretraining", output, training=training, distributed=distributed)
        return Run(write_job(self.folder / f"{name}.yaml", values), output)


def damage(folder: Path, how: str, rng: random.Random) -> None:
    """Cut off or change a file of a checkpoint: ``how`` is `truncate` or `flip`."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size > 0)
    path = rng.choice(paths)
    content = bytearray(path.read_bytes())
    if how == "truncate":
        content = content[: rng.randrange(len(content))]
    else:
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(bytes(content))


def expect(found: int, wanted: Sequence[int], what: str) -> None:
    """Compare an exit status."""
    if found not in wanted:
        raise FaultError(f"{what}: exit status {found}, expected {' or '.join(map(str, wanted))}")
