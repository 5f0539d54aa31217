"""Other processes that do the same work in the same run: they wait at a pipe between their turns.

A worker reads one JSON object a line and answers with one: ``{"work": name, "options": {...}}`` prepares (answer
``{"ready": versions}``), ``{"run": true}`` does the work once (answer ``{"seconds": float}``), end of input ends it.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from unimo.bench.timing import RunError
from unimo.runtime.settings import SWITCH, clean_environment

PEERS_VARIABLE = "UNIMO_PEERS"
REPOSITORY = Path(__file__).resolve().parents[2]


class PeerError(RunError):
    """A peer cannot do the work, or ended in the middle of it; the reason is shown, and its ratio left out."""


class Peer:
    """A worker with one kind of work, prepared."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], work: str, options: Mapping[str, Any]):
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115  (a pipe that nobody reads would fill)
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said, text=True, env=environment
        )
        self.versions: dict[str, str] = self._ask({"work": work, "options": dict(options)})["ready"]

    def run(self) -> float:
        """Do the work once; seconds by the worker's own clock.

        Raises:
            PeerError: the worker has ended.
        """
        return float(self._ask({"run": True})["seconds"])

    def _ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended: the empty answer below tells why
        answer = self._process.stdout.readline()
        if not answer:
            raise PeerError(self._last_words())
        found: dict[str, Any] = json.loads(answer)
        return found

    def _last_words(self) -> str:
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:  # it closed its output, and lives on
            self._process.kill()
        self._said.seek(0)
        lines = self._said.read().strip().splitlines()
        return lines[-1] if lines else "it ended without a word"

    def close(self) -> None:
        """Let the worker end."""
        for stream in (self._process.stdin, self._process.stdout, self._said):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        self._process.wait(timeout=60)

    def __enter__(self) -> Peer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def peer_python() -> Path | None:
    """The interpreter that run_scripts/bench_peers.sh prepared or UNIMO_PEERS names; None where there is none."""
    given = os.environ.get(PEERS_VARIABLE)
    python = Path(given) if given else REPOSITORY / ".venv-peers" / "bin" / "python"
    return python if python.is_file() else None


def pytorch(work: str, threads: int, options: Mapping[str, Any]) -> Peer:
    """PyTorch and transformers on the same work, with the same allocator settings.

    Raises:
        PeerError: they are not installed, or cannot do it.
    """
    python = peer_python()
    if python is None:
        raise PeerError("not installed; run_scripts/bench_peers.sh makes its environment")
    worker = Path(__file__).with_name("peer_worker.py")
    environment = clean_environment() | _thread_variables(threads)
    environment.pop("PYTHONPATH", None)
    return Peer([str(python), "-P", str(worker)], environment, work, {"threads": threads, **options})


def own(work: str, threads: int, clock_threads: int, options: Mapping[str, Any], settings: str = "1") -> Peer:
    """This package in another process: with other runtime settings ("0" is Paddle as installed) or other threads.

    ``clock_threads``: those of the run it takes part in, whose clock it is timed by.
    """
    environment = clean_environment() | _thread_variables(threads) | {SWITCH: settings}
    environment["PYTHONPATH"] = os.pathsep.join([str(REPOSITORY), environment.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    command = [sys.executable, "-W", "ignore", "-m", "unimo.bench.own_worker"]
    return Peer(command, environment, work, {"clock_threads": clock_threads, **options})


def _thread_variables(threads: int) -> dict[str, str]:
    return {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")}
