"""A supervisor whose launcher is a few lines of Python: hangs, signals, full disks, crashes."""

from __future__ import annotations

import itertools
import json
import os
import signal
import time
from pathlib import Path

import pytest

from tests.training.supervised import SELF, WAITS, at_look, event_names, stubbed, worker
from unimo.training import processes, supervisor
from unimo.training.health import Heartbeat, is_running
from unimo.training.launch import Plan
from unimo.training.outcome import Outcome, Worker
from unimo.training.supervisor import Supervisor
from unimo.training.workerlogs import Tail


def test_a_number_used_again_is_not_the_process() -> None:
    assert is_running(SELF)
    assert not is_running({**SELF, "started": "1"})
    assert not is_running({"pid": 2**22 + 1, "started": "1"})


def test_reading_data_counts_as_no_sign_of_life_yet(tmp_path: Path) -> None:
    heartbeat = Heartbeat(3, tmp_path)
    assert (tmp_path / "rank-3.json").stat().st_mtime == 0
    heartbeat.beat()
    assert (tmp_path / "rank-3.json").stat().st_mtime > 0
    heartbeat.end("failed", "reason")
    assert json.loads((tmp_path / "rank-3.end.json").read_text())["error"] == "reason"


def test_a_disk_that_fills_up_is_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The process dies without a word, for there is no room for one."""
    looks = iter(["", "runs: No space left on device"])
    monkeypatch.setattr(supervisor, "_full_disk", lambda folder: next(looks))
    assert stubbed(tmp_path / "run", monkeypatch, "raise SystemExit(1)", max_restarts=5).run() == 2
    assert event_names(tmp_path / "run") == ["started", "refused"]
    assert capsys.readouterr().err == "unimo: error: runs: No space left on device\n"


PRINTS = """
log = open({log!r}, "w")
print("step 1", "unimo: error: a.tsv: no", "the end", sep=chr(10), file=log, flush=True)
"""


@pytest.mark.parametrize("status", ["refused", "failed"])
def test_a_line_that_tells_of_a_refusal_is_held_back_and_never_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], status: str
) -> None:
    monkeypatch.setattr(supervisor, "outcome_of", lambda *_: Outcome(status, None, "a.tsv: no"))
    log = tmp_path / "run" / "logs" / "attempt-1" / "workerlog.0"
    supervised = stubbed(tmp_path / "run", monkeypatch, PRINTS.format(log=str(log)))
    assert supervised.run() == (2 if status == "refused" else 1)
    captured = capsys.readouterr()
    again = "unimo: error: a.tsv: no\n" if status == "failed" else ""
    assert captured.out == f"step 1\nthe end\n{again}"
    assert captured.err == "unimo: error: a.tsv: no\n"


def test_a_start_that_hangs_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every attempt would sleep for ten minutes, and is killed."""
    supervised = stubbed(
        tmp_path / "run", monkeypatch, "import time; time.sleep(600)", start_seconds=0.5, max_restarts=1
    )
    monkeypatch.setattr(supervised, "_sleep", lambda seconds: None)
    assert supervised.run() == 1
    assert event_names(tmp_path / "run") == ["started", "hung", "started", "hung", "gave_up"]
    told = capsys.readouterr().err.splitlines()[-1]
    assert "a process had not begun 0.5 s after the start (distributed.start_seconds)" in told


def test_a_process_that_has_begun_is_given_its_time(tmp_path: Path) -> None:
    watching = Supervisor(Plan([], tmp_path, devices=2, hang_seconds=1e12, start_seconds=5.0))
    begun, late = worker(0), worker(1)
    begun.beat = 1.0
    assert watching._hung({0: begun, 1: late}, time.time()) is None
    found = watching._hung({0: begun, 1: late}, time.time() - 6)
    assert found is not None and found.culprit is late
    late.beat = 2.0
    assert watching._hung({0: begun, 1: late}, time.time() - 6) is None
    assert watching._hung({0: begun}, time.time() - 6) is not None  # the other one has not even a file


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_the_signal_that_stopped_a_run_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    supervised = stubbed(
        tmp_path / "run", monkeypatch, "import time; time.sleep(600)", start_seconds=1e6, max_restarts=9
    )
    look, looks = supervised._look, iter(range(10**6))

    def told(workers: dict[int, Worker]) -> None:
        if next(looks) == 2:
            os.kill(os.getpid(), number)
        look(workers)

    monkeypatch.setattr(supervised, "_look", told)
    assert supervised.run() == 75
    assert f"stopped by {number.name}" in capsys.readouterr().err
    events = [json.loads(line) for line in (tmp_path / "run" / "events.jsonl").read_text().splitlines()]
    assert [(event["event"], event.get("message")) for event in events[1:]] == [("preempted", number.name)]


def test_processes_that_the_kernel_keeps_are_told_and_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in state D: SIGKILL has no effect on the worker and on an orphan."""
    supervised = stubbed(tmp_path, monkeypatch, "import time; time.sleep(600)", start_seconds=0.5)
    monkeypatch.setattr(processes, "ORPHAN_SECONDS", 0.3)
    monkeypatch.setattr(processes, "_children", lambda: [2**22 + 1])
    monkeypatch.setattr(processes.os, "waitpid", lambda pid, flags: (0, 0))
    assert supervised.run() == 1
    told = capsys.readouterr().err.splitlines()
    assert told[0] == f"unimo: warning: process {2**22 + 1} was killed and does not end; it is left behind"
    assert event_names(tmp_path) == ["started", "hung", "gave_up"]


CRASHES = """
import pathlib, sys
pathlib.Path({logs!r}, "workerlog.0").write_text("")
pathlib.Path({logs!r}, "workerlog.1").write_text("Traceback\\nImportError: libcudart.so\\n")
print("INFO Pod failed", flush=True)
sys.exit(1)
"""


@pytest.mark.parametrize(
    ("code", "log", "last"),
    [
        (CRASHES, "workerlog.1", "ImportError: libcudart.so"),
        ("raise SystemExit('no paddle')", "launcher.log", "no paddle"),
    ],
)
def test_who_dies_before_telling_why_is_told_by_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], code: str, log: str, last: str
) -> None:
    logs = tmp_path / "logs" / "attempt-1"
    supervised = stubbed(tmp_path, monkeypatch, code.format(logs=str(logs)))
    assert supervised.run() == 1
    told = f"a process ended before it could tell why; {logs / log} ends: {last}"
    assert capsys.readouterr().err.splitlines()[-2:] == [last, f"unimo: error: {told}"]
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [each.get("message") for each in events] == [None, told, told]


ENDS_AS = """
import json, os, pathlib, sys, time
folder = pathlib.Path(os.environ["UNIMO_WORKERS"])
(folder / "rank-0.end.json").write_text(json.dumps({end}))
(folder / "rank-0.json").write_text(json.dumps({{"rank": 0, "pid": 2**22 + 1, "started": "1", "log": ""}}))
time.sleep({seconds})
sys.exit({status})
"""


def test_a_launcher_that_crashes_at_its_end_does_not_undo_a_finished_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    end = {"status": "finished", "error": "", "time": 1.0}
    code = ENDS_AS.format(end=end, seconds=0, status=139)
    assert stubbed(tmp_path, monkeypatch, code, max_restarts=3).run() == 0
    assert event_names(tmp_path) == ["started", "finished"]
    told = "unimo: warning: the launcher ended with status 139 after all processes had finished\n"
    assert capsys.readouterr().err == told


def test_a_failure_after_a_stop_was_asked_for_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    end = {"status": "failed", "error": "ValueError: cannot save", "time": 1.0}
    code = ENDS_AS.format(end=end, seconds=2, status=1)
    supervised = stubbed(tmp_path, monkeypatch, code, max_restarts=3)
    at_look(supervised, monkeypatch, 2, lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert supervised.run() == 1
    assert event_names(tmp_path) == ["started", "failed", "gave_up"]
    assert capsys.readouterr().err.splitlines()[-1] == "unimo: error: process 0: ValueError: cannot save"


def test_processes_that_did_not_save_in_time_are_killed_and_that_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(supervisor, "STOP_SECONDS", 0.5)
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    (tmp_path / "run" / "checkpoints" / "latest").symlink_to("step-00000012")
    logs = tmp_path / "run"
    code = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + WAITS.format(logs=str(logs))
    supervised = stubbed(tmp_path / "run", monkeypatch, code, max_restarts=3)
    at_look(supervised, monkeypatch, 8, lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert supervised.run() == 75
    told = "stopped by SIGTERM; not saved; goes on from step-00000012; the same command with --resume goes on"
    assert capsys.readouterr().err == f"unimo: {told}\n"
    event = json.loads((tmp_path / "run" / "events.jsonl").read_text().splitlines()[-1])
    assert (event["message"], event["saved"]) == ("SIGTERM; not saved; goes on from step-00000012", False)


@pytest.mark.parametrize("pieces", [1, 2, 7])
def test_a_refusal_behind_a_progress_bar_is_held_back_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], pieces: int
) -> None:
    bar = "\rstep:   0%|          | 0/60\rstep:  10%|#         | 6/60 [00:01<00:09]"
    written, log = f"begins\n{bar}unimo: error: a.json: no\n", tmp_path / "log"
    tail = Tail(log)
    cut = written.index("unimo: error")
    places = [cut * number // pieces for number in range(pieces)] + [len(written)]
    with open(log, "w", newline="") as stream:
        for start, end in itertools.pairwise([0, *places[1:]]):
            stream.write(written[start:end])
            stream.flush()
            tail.show()
    assert capsys.readouterr().out == f"begins\n{bar}\n"
    tail.release()
    assert capsys.readouterr().out == "unimo: error: a.json: no\n"


def test_a_supervisor_needs_a_config_that_names_a_folder(tmp_path: Path) -> None:
    from unimo.cli import main

    config = tmp_path / "a.yaml"
    config.write_text("task: captioning\n")
    assert main(["train", "--config", str(config), "--devices", "2"]) == 2
    assert main(["train", "--config", str(config), "--nodes", "2"]) == 2
