"""Starts a job's processes through Paddle's launcher, watches them, and starts them again when one dies or hangs.

A process that died is noticed within 5 seconds (Paddle's launcher looks every second, and gives the others three), one
that hangs after the job's ``distributed.hang_seconds``, or ``distributed.start_seconds`` before its first sign of life,
a launcher that was killed at once. What happened stands in the run folder's events.jsonl, what the processes printed in
`logs/attempt-<n>/workerlog.<k>`. This file must not import Paddle: who watches should be small.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

from unimo.errors import InputError
from unimo.files import read_json, told_of_full_disk
from unimo.runtime.settings import clean_environment
from unimo.runtime.workers import die_with_parent
from unimo.training.events import EVENTS_NAME, Events
from unimo.training.health import EXIT_PREEMPTED, FOLDER_VARIABLE, is_running, process_start
from unimo.training.launch import Plan, find_meeting
from unimo.training.outcome import FINAL, NOT_SAVED, UNTOLD, Outcome, Worker, outcome_of
from unimo.training.presence import Presence
from unimo.training.processes import adopt_orphans, end_all, send_signal, wait_until_gone
from unimo.training.runlock import LOCK_NAME
from unimo.training.workerlogs import Tail, last_lines, newest_log

POLL_SECONDS = 0.25
LONGEST_BACKOFF = 60.0  # seconds between attempts; 1, 2, 4, ... while no new checkpoint appears
STOP_SECONDS = 240.0  # from SIGTERM until processes that have not saved are killed: schedulers wait 300 seconds
LOST_SECONDS = 120.0  # network file systems tell of a file's new time within a minute
NAME_SECONDS = 120.0  # for the master's name to be known
EXIT_REFUSED, EXIT_FAILED = 2, 1
ROOM_BYTES = 1 << 16  # that must fit into the run folder for processes to tell of themselves
OWN_NAMES = {EVENTS_NAME, "logs", "workers", LOCK_NAME}
"""What a supervisor itself puts into a run folder."""


class Supervisor:
    """Runs attempts of one plan until one finishes, or there is no use in another."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        name = f"{socket.gethostname()}-{os.getpid()}-{process_start(os.getpid())}"
        self.workers_folder = plan.folder / "workers" / name
        # workers number their logs by their place on the machine
        node = f"node-{socket.gethostname()}-{os.getpid()}" if plan.nodes > 1 else ""
        self.logs_folder = plan.folder / "logs" / node
        self._node = self._given_node()
        self._events = Events(plan.folder, name)
        self._presence = Presence(plan.folder / "workers", name, max(plan.hang_seconds, LOST_SECONDS))
        self._failed_while_stopping = False
        self._meeting = ""  # of the attempt, once this machine's launcher has found the others
        self._stop_asked = 0.0
        self._stop_signal = signal.SIGTERM  # what is named where a process was told to stop by others
        # a host's name may be the beginning of another's, and hold dashes
        self._own_leftovers = re.compile(rf"{re.escape(socket.gethostname())}-(\d+)-(\d*)")

    def _given_node(self) -> int | None:
        """This machine's number; None where the master counts, until a process has told its own."""
        if self.plan.nodes == 1:
            return 0
        return self.plan.node_rank if self.plan.node_rank >= 0 else None

    def run(self) -> int:
        """Returns the exit status: 0, 75 after SIGTERM or SIGINT, 2 for a refusal, 1 where restarts did not help."""
        handlers = {number: signal.signal(number, self._ask_to_stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            adopt_orphans()
            self._kill_leftovers()
            if full := _full_disk(self.plan.folder):
                return self._conclude(Outcome("refused", None, full))
            return self._run_attempts()
        finally:
            shutil.rmtree(self.workers_folder, ignore_errors=True)
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def _run_attempts(self) -> int:
        resume, waits = self.plan.resume, 0
        first = self._next_attempt_number()
        for attempt in range(first, first + self.plan.max_restarts + 1):
            before = self._latest_checkpoint()
            outcome = self._attempt(attempt, resume)
            if outcome.status in FINAL:
                return self._conclude(outcome)
            if self._failed_while_stopping:
                break
            resume, waits = True, 0 if self._latest_checkpoint() != before else waits + 1
            if attempt < first + self.plan.max_restarts:
                self._sleep(min(LONGEST_BACKOFF, 2.0**waits))
                if self._stop_asked:
                    self._note("preempted", attempt=attempt, process=None, message=self._stop_signal.name)
                    return self._conclude(Outcome("preempted"))
                if (elsewhere := self._events.end_elsewhere()) is not None:
                    return self._conclude(elsewhere)
        self._note("gave_up", attempt=attempt, process=None, message=outcome.message)
        return self._conclude(outcome)

    def _attempt(self, attempt: int, resume: bool) -> Outcome:
        """Start the processes, watch them to their end, and leave none behind."""
        self._node, self._meeting = self._given_node(), ""
        shutil.rmtree(self.workers_folder, ignore_errors=True)
        self.workers_folder.mkdir(parents=True)
        logs = self.logs_folder / f"attempt-{attempt}"
        logs.mkdir(parents=True, exist_ok=True)
        try:
            command = self._launcher_command(logs, resume)
        except OSError as error:
            told = f"master: {self.plan.master}: {error.strerror}"
            outcome = Outcome("preempted") if self._stop_asked else Outcome("failed", None, told)
            self._note_end(outcome, attempt)
            return outcome
        environment = {**clean_environment(), FOLDER_VARIABLE: str(self.workers_folder.absolute())}
        with open(logs / "launcher.log", "ab") as output:
            launcher = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                start_new_session=True,  # Ctrl-C reaches this process alone, which passes it on
                preexec_fn=die_with_parent,  # its workers then end too
            )
        self._note(
            "started", attempt=attempt, resume=resume, launcher=launcher.pid, checkpoint=self._latest_checkpoint()
        )
        workers: dict[int, Worker] = {}
        shown = Tail(logs / "workerlog.0")
        cut_short = self._watch(launcher, workers, shown, logs)
        for pid in end_all(launcher, [worker.info for worker in workers.values()]):
            print(f"unimo: warning: process {pid} was killed and does not end; it is left behind", file=sys.stderr)
        self._look(workers)
        is_stopping = bool(self._stop_asked)
        outcome = outcome_of(launcher.returncode, workers, cut_short, is_stopping, self.plan.devices)
        outcome = self._filled_in(outcome, workers, logs)
        self._failed_while_stopping = is_stopping and outcome.status not in FINAL
        if outcome.status != "refused":
            shown.release()
        self._note_end(outcome, attempt)
        return outcome

    def _filled_in(self, outcome: Outcome, workers: dict[int, Worker], logs: Path) -> Outcome:
        """An end with what only the run folder tells of it."""
        if outcome.status in ("failed", "launcher_died") and (full := _full_disk(self.plan.folder)):
            return Outcome("refused", None, full)  # who cannot write cannot tell why it ended either
        if outcome.message == NOT_SAVED:
            told = f"{NOT_SAVED}; goes on from {self._latest_checkpoint() or 'the start'}"
            return dataclasses.replace(outcome, message=told)
        if outcome.message == UNTOLD:
            log = newest_log(logs, {Path(worker.info.get("log", "")).name for worker in workers.values()})
            told = "there is no log" if log is None else f"{log} ends: {last_lines(log, 1)}"
            return dataclasses.replace(outcome, message=f"{UNTOLD}; {told}", log="" if log is None else str(log))
        return outcome

    def _note_end(self, outcome: Outcome, attempt: int) -> None:
        """Note how an attempt ended."""
        culprit = None if outcome.culprit is None else outcome.culprit.rank
        message, more = outcome.message, {}
        if outcome.status == "preempted":
            message = f"{self._stop_signal.name}; {message}" if message else self._stop_signal.name
            more = {} if not outcome.message else {"saved": False}
        self._note(outcome.status, attempt=attempt, process=culprit, message=message, **more)

    def _launcher_command(self, logs: Path, resume: bool) -> list[str]:
        """The launcher's command line; waits for a name of the master that is not known yet, as of a pod just made.

        Raises:
            OSError: it is not known after some time, or when this process was told to stop.
        """
        deadline = time.monotonic() + min(NAME_SECONDS, self.plan.start_seconds)
        while True:
            try:
                return self.plan.launcher(logs, resume)
            except OSError:
                if self._stop_asked or time.monotonic() > deadline:
                    raise
            self._sleep(1.0)

    def _watch(
        self, launcher: subprocess.Popen[bytes], workers: dict[int, Worker], shown: Tail, logs: Path
    ) -> Outcome | None:
        """Until the launcher ends; returns why it is not waited for, if it is not. Shows what a process prints."""
        told: set[int] = set()
        started = time.time()
        while True:
            ended = launcher.poll() is not None
            self._look(workers)
            shown.show()
            if ended:
                return None
            if (hung := self._hung(workers, started)) is not None:
                return hung
            if (elsewhere := self._elsewhere(workers, logs)) is not None:
                return elsewhere
            if self._stop_asked:
                for rank, worker in workers.items():
                    if rank not in told and worker.gone is None:
                        send_signal(int(worker.info["pid"]), signal.SIGTERM)
                        told.add(rank)
                if not workers:
                    return None  # nothing has begun: nothing is lost
                if time.time() - self._stop_asked > STOP_SECONDS:
                    return None
            time.sleep(POLL_SECONDS)

    def _elsewhere(self, workers: dict[int, Worker], logs: Path) -> Outcome | None:
        """What happened on another machine that lets this one wait in vain, if anything did."""
        if self.plan.nodes == 1:
            return None
        self._presence.show()
        self._meeting = self._meeting or find_meeting(logs)
        if any(worker.gone is not None and worker.end.get("status") != "finished" for worker in workers.values()):
            return None  # this machine has a reason of its own, and its launcher is about to end
        if not workers and (ended := self._events.end_elsewhere()) is not None:
            return ended
        if (broken := self._events.break_elsewhere(self._meeting)) is not None:
            return broken
        lost = self._presence.lost()
        return Outcome("broken_off", None, f"{lost} gives no sign of life any more") if lost else None

    def _hung(self, workers: dict[int, Worker], started: float) -> Outcome | None:
        """A process that has done nothing for too long, in the middle or at the start of an attempt."""
        now = time.time()
        present = [worker for worker in workers.values() if not worker.end and worker.gone is None]
        still = [worker for worker in present if worker.beat and now - worker.beat > self.plan.hang_seconds]
        if still:
            culprit = min(still, key=lambda worker: worker.beat)
            return Outcome("hung", culprit, f"did nothing for {self.plan.hang_seconds:g} s, and was killed")
        late = [worker for worker in present if not worker.beat]
        if now - started <= self.plan.start_seconds or not (late or len(workers) < self.plan.devices):
            return None
        limit = f"{self.plan.start_seconds:g} s after the start (distributed.start_seconds)"
        told = f"had not begun {limit}, and was killed"
        return Outcome("hung", late[0], told) if late else Outcome("hung", None, f"a process {told}; see logs/")

    def _look(self, workers: dict[int, Worker]) -> None:
        """Read the processes' files, and note who is gone."""
        for path in self.workers_folder.glob("rank-*.json"):
            if path.name.endswith(".end.json"):
                continue
            try:
                info, beat = read_json(path), path.stat().st_mtime
            except (OSError, InputError):
                continue
            worker = workers.setdefault(int(info["rank"]), Worker(info))
            if self._node is None:
                self._node = worker.rank // self.plan.devices
            worker.beat = beat
            end = path.with_suffix(".end.json")
            if not worker.end and end.is_file():
                worker.end = read_json(end)
            if worker.gone is None and not is_running(worker.info):
                worker.gone = time.time()

    def _conclude(self, outcome: Outcome) -> int:
        """Let the reason be the last thing that is seen."""
        if outcome.status == "finished":
            if outcome.message:
                print(f"unimo: warning: {outcome.message}", file=sys.stderr)
            return 0
        if outcome.status == "preempted":
            told = "SIGINT (Ctrl-C)" if self._stop_signal == signal.SIGINT else self._stop_signal.name
            told += f"; {outcome.message}" if outcome.message else ""
            print(f"unimo: stopped by {told}; the same command with --resume goes on", file=sys.stderr)
            return EXIT_PREEMPTED
        log = outcome.log or (outcome.culprit.info.get("log", "") if outcome.culprit is not None else "")
        if log and outcome.status != "refused":
            print(last_lines(log), file=sys.stderr)
        place = "" if outcome.culprit is None else f"process {outcome.culprit.rank}: "
        print(f"unimo: error: {place}{' '.join(outcome.message.split())}", file=sys.stderr)
        return EXIT_REFUSED if outcome.status == "refused" else EXIT_FAILED

    def _kill_leftovers(self) -> None:
        """End processes of an earlier supervisor of this run that was killed on this machine."""
        for folder in (self.plan.folder / "workers").glob("*"):
            supervisor = self._own_leftovers.fullmatch(folder.name)
            if supervisor is None or is_running({"pid": supervisor[1], "started": supervisor[2]}):
                continue  # of another machine, where its numbers mean other processes, or still watched
            for path in folder.glob("rank-*.json"):
                if not path.name.endswith(".end.json") and is_running(worker := read_json(path)):
                    send_signal(int(worker["pid"]), signal.SIGKILL)
                    wait_until_gone(worker)
            shutil.rmtree(folder, ignore_errors=True)

    def _next_attempt_number(self) -> int:
        numbers = [int(path.name.partition("-")[2]) for path in self.logs_folder.glob("attempt-*")]
        return max(numbers, default=0) + 1

    def _latest_checkpoint(self) -> str:
        latest = self.plan.folder / "checkpoints" / "latest"
        return os.readlink(latest) if latest.is_symlink() else ""

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        if not self._stop_asked:
            self._stop_asked, self._stop_signal = time.time(), signal.Signals(number)

    def _sleep(self, seconds: float) -> None:
        deadline = time.time() + seconds
        while time.time() < deadline and not self._stop_asked:
            if self.plan.nodes > 1:
                self._presence.show()
            time.sleep(min(POLL_SECONDS, seconds))

    def _note(self, event: str, **values: Any) -> None:
        if self.plan.nodes > 1 and event != "started":
            values["meeting"] = self._meeting
        self._events.note(event, self._node, **values)


def _full_disk(folder: Path) -> str:
    """Why nothing can be written into a folder; "" where it can, or where that is for another reason."""
    probe = folder / f".room-{os.getpid()}"
    try:
        with open(probe, "wb") as stream:
            stream.write(bytes(ROOM_BYTES))
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        told = told_of_full_disk(error)
        return "" if told is None else str(told)
    finally:
        with contextlib.suppress(OSError):
            probe.unlink(missing_ok=True)
    return ""


def forget_refused(folder: Path) -> None:
    """Remove what a supervisor put into a run folder that it made for a run that never began."""
    if {path.name for path in folder.iterdir()} <= OWN_NAMES:
        for path in folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != LOCK_NAME:  # which goes with its holder
                path.unlink()
