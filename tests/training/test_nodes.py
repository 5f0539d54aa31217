"""Two supervisors with real processes that pose as two machines."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time

import pytest

from tests.faults.jobs import Ground, Run
from tests.training.supervised import train, worker_pid

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
    for told in (1, 0):
        before = two.newest_step()
        nodes = start_nodes(two, *flags, *(["--resume"] if before else []))
        assert two.wait_for(before + 1)  # a step that both have begun, wherever the first stop came
        nodes[told].send_signal(signal.SIGTERM)
        assert ends_of(nodes) == [75, 75]
        assert before < two.newest_step() < NODE_STEPS
        assert [of_node(two, node)[-1] for node in range(2)] == ["preempted", "preempted"]
    assert ends_of(start_nodes(two, *flags, "--resume")) == [0, 0]
    assert two.results(NODE_STEPS) == one_node.results(NODE_STEPS)
