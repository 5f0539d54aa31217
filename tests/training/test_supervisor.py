"""Who failed first, what an attempt's end means, and runs under a real supervisor that are killed, hang and stop."""

from __future__ import annotations

import json
import os
import resource
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
from unimo.training import processes, supervisor
from unimo.training.checkpoint import CheckpointFolder
from unimo.training.health import Heartbeat, is_running, process_start
from unimo.training.launch import Plan
from unimo.training.outcome import Outcome, Worker, outcome_of
from unimo.training.supervisor import Supervisor

SELF = {"pid": os.getpid(), "started": process_start(os.getpid())}


def worker(rank: int, gone: float | None = None, **end: Any) -> Worker:
    return Worker({"rank": rank, **SELF}, gone=gone, end=end)


def test_a_killed_process_is_the_reason_and_not_those_that_it_took_along() -> None:
    workers = {0: worker(0, 10.3, status="failed", error="reset by peer", time=10.0), 1: worker(1, 10.2)}
    outcome = outcome_of(1, workers, None, stopped=False)
    assert (outcome.status, outcome.culprit) == ("failed", workers[1])
    assert "was killed" in outcome.message


def test_an_error_is_the_reason_and_not_those_whom_the_launcher_killed_later() -> None:
    workers = {0: worker(0, 14.0), 1: worker(1, 10.1, status="failed", error="ValueError: no", time=10.0)}
    outcome = outcome_of(1, workers, None, stopped=False)
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
    ],
)
def test_what_an_end_means(returncode: int, workers: dict[int, Worker], stopped: bool, status: str) -> None:
    assert outcome_of(returncode, workers, None, stopped).status == status


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


def start_nodes(
    run: Run, *flags: str, numbered: bool = True, host: str = "127.0.0.1"
) -> list[subprocess.Popen[str]]:
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
        assert events.count("failed") >= 2


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
    assert event_names(tmp_path / "run") == ["started", "hung"] * 2
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


def write_event(folder: Path, event: str) -> None:
    """As the supervisor of another machine does."""
    values = {"time": time.time(), "host": "other", "node": 0, "event": event, "message": "a.tsv: no such file"}
    with open(folder / "events.jsonl", "a", encoding="utf-8") as stream:
        stream.write(json.dumps(values) + "\n")


@pytest.mark.parametrize(("event", "status"), [("refused", 2), ("preempted", 75)])
def test_a_machine_that_ended_for_good_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], event: str, status: int
) -> None:
    supervisor = Supervisor(Plan(["true"], tmp_path, nodes=2, master="here:1", node_rank=1, max_restarts=3))
    attempts = []

    def fail(attempt: int, resume: bool) -> Outcome:
        attempts.append(attempt)
        write_event(tmp_path, event)
        return Outcome("failed", None, "connection reset")

    monkeypatch.setattr(supervisor, "_attempt", fail)
    monkeypatch.setattr(supervisor, "_sleep", lambda seconds: None)
    assert supervisor.run() == status
    assert attempts == [1]
    told = {"refused": "other, node 0: a.tsv: no such file", "preempted": "--resume goes on"}
    assert told[event] in capsys.readouterr().err


@pytest.mark.parametrize(("event", "status"), [("refused", 2), ("preempted", 75)])
def test_a_machine_that_ended_for_good_is_not_waited_for_at_the_master(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, event: str, status: int
) -> None:
    """The launcher would wait for ten minutes, and has started no process yet."""
    code = "import time; time.sleep(600)"
    supervised = stubbed(tmp_path / "run", monkeypatch, code, nodes=2, master="here:1", max_restarts=3)
    look, looks = supervised._look, iter(range(10**6))

    def told(workers: dict[int, Worker]) -> None:
        if next(looks) == 2:
            write_event(tmp_path / "run", event)
        look(workers)

    monkeypatch.setattr(supervised, "_look", told)
    assert supervised.run() == status


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
    assert [event["node"] for event in events] == nodes


def test_a_supervisor_needs_a_config_that_names_a_folder(tmp_path: Path) -> None:
    from unimo.cli import main

    config = tmp_path / "a.yaml"
    config.write_text("task: captioning\n")
    assert main(["train", "--config", str(config), "--devices", "2"]) == 2
    assert main(["train", "--config", str(config), "--nodes", "2"]) == 2
