"""Who failed first, what an attempt's end means, and runs under a real supervisor that are killed, hang and stop."""

from __future__ import annotations

import itertools
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import REPOSITORY, SmallWorld
from tests.faults.jobs import Ground, Run
from tests.tasks.jobs import job, write_job
from unimo.training import presence, processes, supervisor
from unimo.training.checkpoint import CheckpointFolder
from unimo.training.health import Heartbeat, is_running, process_start
from unimo.training.launch import Plan
from unimo.training.outcome import NOT_SAVED, UNTOLD, Outcome, Worker, outcome_of
from unimo.training.presence import Presence
from unimo.training.supervisor import Supervisor
from unimo.training.workerlogs import Tail

SELF = {"pid": os.getpid(), "started": process_start(os.getpid())}


def worker(rank: int, gone: float | None = None, **end: Any) -> Worker:
    return Worker({"rank": rank, **SELF}, gone=gone, end=end)


def test_a_killed_process_is_the_reason_and_not_those_that_it_took_along() -> None:
    workers = {0: worker(0, 10.3, status="failed", error="reset by peer", time=10.0), 1: worker(1, 10.2)}
    outcome = outcome_of(1, workers, None, stopped=False, devices=2)
    assert (outcome.status, outcome.culprit) == ("failed", workers[1])
    assert "was killed" in outcome.message


def test_an_error_is_the_reason_and_not_those_whom_the_launcher_killed_later() -> None:
    workers = {0: worker(0, 14.0), 1: worker(1, 10.1, status="failed", error="ValueError: no", time=10.0)}
    outcome = outcome_of(1, workers, None, stopped=False, devices=2)
    assert (outcome.culprit, outcome.message) == (workers[1], "ValueError: no")


@pytest.mark.parametrize(
    ("returncode", "workers", "stopped", "status"),
    [
        (0, {0: worker(0, 1.0, status="finished", time=1.0)}, False, "finished"),
        (1, {0: worker(0, 1.0, status="preempted", time=1.0), 1: worker(1, 1.0)}, False, "preempted"),
        (1, {0: worker(0, 1.0)}, True, "preempted"),
        (2, {0: worker(0, 1.0, status="refused", error="a.yaml: no", time=1.0)}, False, "refused"),
        (2, {0: worker(0, 1.0, status="refused", error="disk full", time=1.0)}, True, "refused"),
        (-9, {0: worker(0, 1.0)}, False, "launcher_died"),
        (-9, {}, False, "launcher_died"),
        (1, {}, False, "failed"),
        (139, {0: worker(0, 1.0, status="finished", time=1.0)}, False, "finished"),
        (1, {0: worker(0, 1.0, status="failed", error="no", time=1.0)}, True, "failed"),
        (1, {0: worker(0, 9.0, status="failed", error="no", time=9.0), 1: worker(1, 8.5)}, True, "preempted"),
    ],
)
def test_what_an_end_means(returncode: int, workers: dict[int, Worker], stopped: bool, status: str) -> None:
    assert outcome_of(returncode, workers, None, stopped, len(workers) or 1).status == status


def test_a_process_that_never_told_of_itself_is_the_reason_and_not_one_that_the_launcher_killed() -> None:
    outcome = outcome_of(1, {1: worker(1, 10.0)}, None, stopped=False, devices=2)
    assert (outcome.culprit, outcome.message) == (None, UNTOLD)


def test_a_missing_process_has_not_finished() -> None:
    workers = {0: worker(0, 1.0, status="finished", time=1.0)}
    assert outcome_of(139, workers, None, stopped=False, devices=2).status == "failed"


@pytest.mark.parametrize(("beat", "message"), [(0.0, ""), (5.0, NOT_SAVED)])
def test_a_stop_that_could_not_save_is_told_where_there_was_something_to_save(beat: float, message: str) -> None:
    killed = worker(0, 10.0)
    killed.beat = beat
    for cut_short in (None, Outcome("hung", killed, "did nothing")):
        outcome = outcome_of(-9, {0: killed}, cut_short, stopped=True, devices=1)
        assert (outcome.status, outcome.message) == ("preempted", message)


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


@pytest.fixture(scope="module")
def ground(small_world: SmallWorld, tmp_path_factory: pytest.TempPathFactory) -> Ground:
    return Ground(tmp_path_factory.mktemp("ground"), small_world)


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


def worker_pid(run: Run, rank: int) -> int:
    (path,) = (run.folder / "workers").glob(f"*/rank-{rank}.json")
    return int(json.loads(path.read_text())["pid"])


def train(config: Path, *flags: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "unimo", "train", "--config", str(config), *flags]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=pipe, stderr=pipe, text=True)


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


NODE_STEPS = 30


@pytest.fixture(scope="module")
def one_node(ground: Ground) -> Run:
    """An undisturbed run of two processes on one machine."""
    run = ground.run("one_node", steps=NODE_STEPS)
    run.start()
    assert run.wait() == 0
    return run


def start_nodes(run: Run, *flags: str, numbered: bool = True, host: str = "127.0.0.1") -> list[subprocess.Popen[str]]:
    """Two supervisors on this machine that pose as two, with a process each."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        master = f"{host}:{found.getsockname()[1]}"
    words = ["--nodes", "2", "--master", master, *flags]
    nodes = [train(run.config, *words, *(["--node_rank", str(node)] if numbered else [])) for node in range(2)]
    run.process = nodes[0]  # type: ignore[assignment]
    return nodes


@pytest.mark.multiprocess
@pytest.mark.slow
@pytest.mark.parametrize("host", ["localhost", socket.gethostname()], ids=["localhost", "own name"])
def test_two_nodes_find_each_other_by_the_masters_name(ground: Ground, host: str) -> None:
    two = ground.run(f"named_{host}", steps=3)
    assert ends_of(start_nodes(two, host=host)) == [0, 0]
    assert {event["event"] for event in two.events()} == {"started", "finished"}


def ends_of(nodes: list[subprocess.Popen[str]]) -> list[int]:
    """Exit statuses; shows what was printed where a test fails."""
    for node in nodes:
        print(*node.communicate(timeout=240))
    return [node.returncode for node in nodes]


def of_node(run: Run, node: int) -> list[str]:
    return [event["event"] for event in run.events() if event["node"] == node]


@pytest.mark.multiprocess
@pytest.mark.slow
def test_two_launchers_that_pose_as_two_nodes_equal_one_with_two_processes(ground: Ground, one_node: Run) -> None:
    two = ground.run("two_nodes", steps=NODE_STEPS)
    assert ends_of(start_nodes(two, numbered=False)) == [0, 0]
    assert two.results(NODE_STEPS) == one_node.results(NODE_STEPS)


@pytest.mark.multiprocess
@pytest.mark.slow
def test_two_nodes_of_which_one_loses_a_process_end_as_if_nothing_had_been(ground: Ground, one_node: Run) -> None:
    """First the process of node 1 is killed, later that of node 0, with which all others meet."""
    two = ground.run("killed_nodes", steps=NODE_STEPS)
    nodes = start_nodes(two, "--max_restarts", "5")
    for step, rank in ((6, 1), (15, 0)):
        assert two.wait_for(step)
        two.kill_worker(rank)
    assert ends_of(nodes) == [0, 0]
    assert two.results(NODE_STEPS) == one_node.results(NODE_STEPS)
    for node in range(2):
        events = of_node(two, node)
        assert events[0] == "started" and events[-1] == "finished"
        assert sum(event in ("failed", "broken_off") for event in events) >= 2


@pytest.mark.multiprocess
@pytest.mark.slow
def test_two_nodes_of_which_one_loses_a_process_within_an_evaluation_start_again(ground: Ground, one_node: Run) -> None:
    """The process of node 0 has done its part, and waits for that of node 1 while it gives signs of life."""
    two = ground.run("killed_evaluation", steps=NODE_STEPS)
    nodes = start_nodes(two, "--max_restarts", "5")
    assert two.wait_for(NODE_STEPS - 3)
    log = two.folder / "metrics.jsonl"
    deadline = time.monotonic() + 60
    while f'"step": {NODE_STEPS}' not in log.read_text() and time.monotonic() < deadline:
        time.sleep(0.002)
    os.kill(worker_pid(two, 1), signal.SIGSTOP)
    time.sleep(5)
    (waiting,) = (two.folder / "workers").glob("*/rank-0.json")
    before = waiting.stat().st_mtime
    time.sleep(2)
    assert waiting.stat().st_mtime > before
    assert two.newest_step() < NODE_STEPS
    two.kill_worker(1)
    assert ends_of(nodes) == [0, 0]
    assert two.results(NODE_STEPS) == one_node.results(NODE_STEPS)
    assert of_node(two, 0) == ["started", "broken_off", "started", "finished"]
    assert of_node(two, 1) == ["started", "failed", "started", "finished"]


@pytest.mark.multiprocess
@pytest.mark.slow
def test_two_nodes_of_which_one_is_told_to_stop_both_save_and_stop(ground: Ground, one_node: Run) -> None:
    """First node 1 is told, then, of the resumed run, node 0."""
    two, flags = ground.run("stopped_nodes", steps=NODE_STEPS), ["--max_restarts", "5"]
    for step, told in ((6, 1), (15, 0)):
        nodes = start_nodes(two, *flags, *(["--resume"] if step > 6 else []))
        assert two.wait_for(step)
        nodes[told].send_signal(signal.SIGTERM)
        assert ends_of(nodes) == [75, 75]
        assert step <= two.newest_step() < NODE_STEPS
        assert [of_node(two, node)[-1] for node in range(2)] == ["preempted", "preempted"]
    assert ends_of(start_nodes(two, *flags, "--resume")) == [0, 0]
    assert two.results(NODE_STEPS) == one_node.results(NODE_STEPS)


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


def stubbed(folder: Path, monkeypatch: pytest.MonkeyPatch, code: str, **plan: Any) -> Supervisor:
    """A supervisor whose launcher is a few lines of Python."""
    monkeypatch.setattr(Plan, "launcher", lambda *_: [sys.executable, "-c", code])
    # this process has children of its own, which must live
    monkeypatch.setattr(supervisor, "adopt_orphans", lambda: None)
    monkeypatch.setattr(processes, "_children", lambda: [])
    folder.mkdir(exist_ok=True)
    return Supervisor(Plan([], folder, **plan))


def event_names(folder: Path) -> list[str]:
    return [json.loads(line)["event"] for line in (folder / "events.jsonl").read_text().splitlines()]


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


def test_leftovers_of_other_machines_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All supervisors have gone; the processes of two are on hosts whose names begin or end like this one's."""
    killed: list[int] = []
    monkeypatch.setattr(supervisor.socket, "gethostname", lambda: "host-1")
    monkeypatch.setattr(supervisor, "send_signal", lambda pid, number: killed.append(pid))
    monkeypatch.setattr(supervisor, "wait_until_gone", lambda worker: None)
    monkeypatch.setattr(supervisor, "is_running", lambda worker: worker["pid"] in (11, 12, 13, 14))
    names = {11: "host-1-999-5", 12: "host-10-999-5", 13: "host-1-0-999-5", 14: "other-host-1-999-5"}
    for pid, name in names.items():
        (tmp_path / "workers" / name).mkdir(parents=True)
        (tmp_path / "workers" / name / "rank-0.json").write_text(json.dumps({"pid": pid, "started": "5", "rank": 0}))
    Supervisor(Plan([], tmp_path))._kill_leftovers()
    assert killed == [11]
    assert sorted(path.name for path in (tmp_path / "workers").iterdir()) == sorted(
        name for pid, name in names.items() if pid != 11
    )


OTHER = "other-7-7"


def write_event(folder: Path, event: str, supervisor: str = OTHER, **more: Any) -> None:
    """As the supervisor of another machine does."""
    values = {"time": time.time(), "host": "other", "node": 0, "event": event, "supervisor": supervisor, **more}
    with open(folder / "events.jsonl", "a", encoding="utf-8") as stream:
        stream.write(json.dumps({**values, "message": "a.tsv: no such file"}) + "\n")


ENDS = [("refused", 2), ("preempted", 75), ("gave_up", 1)]


@pytest.mark.parametrize(("event", "status"), ENDS)
def test_a_machine_that_ended_for_good_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], event: str, status: int
) -> None:
    supervisor = Supervisor(Plan(["true"], tmp_path, nodes=2, master="here:1", node_rank=1, max_restarts=3))
    attempts = []

    def fail(attempt: int, resume: bool) -> Outcome:
        attempts.append(attempt)
        write_event(tmp_path, event)  # perhaps it never started, for it did not know the master
        return Outcome("failed", None, "connection reset")

    monkeypatch.setattr(supervisor, "_attempt", fail)
    monkeypatch.setattr(supervisor, "_sleep", lambda seconds: None)
    assert supervisor.run() == status
    assert attempts == [1]
    told = "--resume goes on" if event == "preempted" else "other, node 0: a.tsv: no such file"
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(("event", "status"), ENDS)
def test_a_machine_that_ended_for_good_is_not_waited_for_at_the_master(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, event: str, status: int
) -> None:
    """The launcher would wait for ten minutes, and has started no process yet."""
    code = "import time; time.sleep(600)"
    supervised = stubbed(tmp_path / "run", monkeypatch, code, nodes=2, master="here:1", max_restarts=3)
    at_look(supervised, monkeypatch, 2, lambda: write_event(tmp_path / "run", event))
    assert supervised.run() == status


def at_look(supervised: Supervisor, monkeypatch: pytest.MonkeyPatch, number: int, act: Any) -> None:
    """Do something when the supervisor looks at its processes for a certain time."""
    look, looks = supervised._look, iter(range(10**6))

    def told(workers: dict[int, Worker]) -> None:
        if next(looks) == number:
            act()
        look(workers)

    monkeypatch.setattr(supervised, "_look", told)


@pytest.mark.parametrize("event", ["refused", "preempted", "gave_up"])
def test_a_late_end_of_the_run_before_does_not_end_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, event: str
) -> None:
    """Node 0 of that run had ended, and its node 1 was still ending; node 2 of this run has begun already."""
    write_event(tmp_path, "started", "old-1-1")
    write_event(tmp_path, "preempted", "old-0-0")
    write_event(tmp_path, "started", "new-2-2")
    supervised = stubbed(tmp_path, monkeypatch, "import time; time.sleep(2)", nodes=2, master="here:1")
    at_look(supervised, monkeypatch, 2, lambda: write_event(tmp_path, event, "old-1-1"))
    assert supervised._events.end_elsewhere() is None
    assert supervised.run() == 1
    assert event_names(tmp_path)[-2:] == ["failed", "gave_up"]
    write_event(tmp_path, event, "new-2-2")
    ended = supervised._events.end_elsewhere()
    assert ended is not None and ended.status == event


WAITS = """
import json, os, pathlib, time
pathlib.Path({logs!r}, "envlog.0").write_text("PADDLE_MASTER=here:4000" + chr(10))
folder = pathlib.Path(os.environ["UNIMO_WORKERS"])
started = pathlib.Path("/proc/self/stat").read_text().rpartition(") ")[2].split()[19]
(folder / "rank-0.json").write_text(json.dumps({{"rank": 0, "pid": os.getpid(), "started": started, "log": ""}}))
time.sleep(600)
"""


@pytest.mark.parametrize(
    ("event", "more", "own"),
    [
        ("failed", {"process": 3}, ["broken_off", "gave_up"]),
        ("hung", {}, ["broken_off", "gave_up"]),
        ("launcher_died", {}, ["broken_off", "gave_up"]),
        ("refused", {}, ["refused"]),
        ("preempted", {"saved": False}, ["preempted"]),
    ],
)
def test_an_attempt_whose_other_half_broke_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, event: str, more: dict[str, Any], own: list[str]
) -> None:
    """Its process would wait for ever, giving signs of life; the end of an earlier attempt does not matter."""
    folder = tmp_path / "run"
    folder.mkdir()
    supervised = stubbed(folder, monkeypatch, "", nodes=2, master="here:1", node_rank=1)
    logs = supervised.logs_folder / "attempt-1"
    monkeypatch.setattr(Plan, "launcher", lambda *_: [sys.executable, "-c", WAITS.format(logs=str(logs))])
    write_event(folder, "started")
    write_event(folder, "failed", meeting="here:3999", **more)
    at_look(supervised, monkeypatch, 8, lambda: write_event(folder, event, meeting="here:4000", **more))
    assert supervised.run() == {"refused": 2, "preempted": 75}.get(event, 1)
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    mine = [each for each in events if each["supervisor"] != OTHER]
    assert [each["event"] for each in mine] == ["started", *own]
    assert mine[1]["meeting"] == "here:4000"  # it was watched until then
    if event == "failed":
        assert mine[1]["message"] == "other, node 0: process 3: a.tsv: no such file"


def test_a_machine_that_gives_no_sign_of_life_any_more_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that never gave any while this machine looked is of a run before; one that ended removed its file."""
    now = [0.0]
    monkeypatch.setattr(presence.time, "monotonic", lambda: now[0])
    for name in ("own-1-1", "lost-1-1", "ended-1-1", "before-1-1"):
        (tmp_path / name).mkdir()
    present = Presence(tmp_path, "own-1-1", 100.0)
    others = [Presence(tmp_path, name, 100.0) for name in ("lost-1-1", "ended-1-1", "before-1-1")]
    for each in (present, *others):
        each.show()
    assert present.lost() == ""
    for each in others[:2]:
        now[0] += 10
        each.show()
        assert present.lost() == ""
    shutil.rmtree(tmp_path / "ended-1-1")
    now[0] += 99
    assert present.lost() == "lost-1-1"
    assert present.lost() == ""


def test_a_lost_machine_ends_the_attempt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import time; time.sleep(600)"
    supervised = stubbed(tmp_path, monkeypatch, code, nodes=2, master="here:1", node_rank=1)
    looks = iter(["", "", "other-7-7"])
    monkeypatch.setattr(supervised._presence, "lost", lambda: next(looks))
    assert supervised.run() == 1
    assert event_names(tmp_path) == ["started", "broken_off", "gave_up"]


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


@pytest.mark.parametrize(
    ("plan", "nodes"),
    [({}, [0, 0]), ({"nodes": 2, "node_rank": 1}, [1, 1]), ({"nodes": 2, "devices": 4}, [None, 1])],
    ids=["alone", "numbered", "counted by the master"],
)
def test_events_tell_nodes_of_one_host_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plan: dict[str, Any], nodes: list[int | None]
) -> None:
    """Where the master counts, a node's number is known when one of its processes has told its own."""
    supervised = stubbed(tmp_path / "run", monkeypatch, "", **plan)

    def watch(*_: Any) -> None:
        (supervised.workers_folder / "rank-5.json").write_text(json.dumps({"rank": 5, **SELF}))

    monkeypatch.setattr(supervised, "_watch", watch)
    supervised.run()
    events = [json.loads(line) for line in (tmp_path / "run" / "events.jsonl").read_text().splitlines()]
    assert [event["node"] for event in events[:2]] == nodes


def test_a_supervisor_needs_a_config_that_names_a_folder(tmp_path: Path) -> None:
    from unimo.cli import main

    config = tmp_path / "a.yaml"
    config.write_text("task: captioning\n")
    assert main(["train", "--config", str(config), "--devices", "2"]) == 2
    assert main(["train", "--config", str(config), "--nodes", "2"]) == 2
