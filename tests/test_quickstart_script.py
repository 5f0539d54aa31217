"""Quickstart's script on tools that only pretend: which stages run when, and what comes of failures and signals."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.checkouts import Checkout

QUICKSTART = "run_scripts/quickstart.sh"
STAGES = [
    "world",
    "regions",
    "tokenizer",
    "augment",
    "pretraining",
    "negatives",
    "captioning",
    "retrieval",
    "statements",
]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def jobs(lines: list[str]) -> dict[str, list[str]]:
    """Name of a trained model -> the words of its command."""
    commands = [line.split() for line in lines if " -m unimo train " in line]
    return {Path(words[words.index("--output") + 1]).name: words for words in commands}


@pytest.mark.parametrize(
    ("cores", "given", "together", "apart", "threads"),
    [
        (1, "", 1, 1, ""),
        (2, "", 2, 1, "1"),
        (8, "", 2, 1, "4"),
        (8, "3", 3, 1, "4"),
        (8, "4", 4, 2, "2"),
        (8, "1", 1, 1, ""),
        (2, "8", 8, 4, "1"),
    ],
)
def test_quickstart_runs_every_stage_once(
    checkout: Checkout, cores: int, given: str, together: int, apart: int, threads: str
) -> None:
    checkout.interpreter()
    found = checkout.run(QUICKSTART, "--output", "runs/a", DEVICES=given, FAKE_CORES=str(cores))
    assert found.returncode == 0, found.stderr
    lines = (checkout.root / "runs/a/stages.tsv").read_text().splitlines()
    assert sorted(line.split("\t")[0] for line in lines) == sorted(STAGES)
    trained = jobs(checkout.logged())
    assert set(trained) == {"pretraining", "captioning", "retrieval", "statements"}
    for name, words in trained.items():
        assert words[words.index("--devices") + 1] == str(together if name == "pretraining" else apart), name
        wanted = [] if name == "pretraining" or not threads else [f"OMP_NUM_THREADS={threads}"]
        assert [word for word in words if word.startswith("OMP_")] == wanted, name
    assert checkout.run(QUICKSTART, "--output", "runs/a").returncode == 0
    (report,) = checkout.logged()
    assert " -m unimo report --run runs/a" in report


@pytest.mark.parametrize("failing", ["captioning", "retrieval"])
def test_quickstart_ends_where_one_of_two_fails_and_goes_on_there(checkout: Checkout, failing: str) -> None:
    """The other one would go on for ever; when it is ended, what failed is told."""
    checkout.interpreter()
    other = "captioning" if failing == "retrieval" else "retrieval"
    failed = checkout.run(
        QUICKSTART, FAKE_FAIL=f"shapes/{failing}.yaml", FAKE_STATUS="7", FAKE_SLEEP=f"shapes/{other}.yaml"
    )
    assert failed.returncode == 7
    assert ("captioning or statements failed" in failed.stderr) == (failing == "captioning")
    assert not any(" report " in line for line in checkout.logged())
    assert checkout.run(QUICKSTART).returncode == 0
    assert set(jobs(checkout.logged())) == {"captioning", "retrieval", "statements"}


@pytest.mark.parametrize("group", [True, False], ids=["a terminal's", "kill PID"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
@pytest.mark.parametrize(
    ("devices", "sleeping", "jobs_asleep"),
    [
        (2, "pretrain/tiny.yaml", {"pretraining"}),
        (2, "shapes/captioning.yaml", {"captioning"}),
        (2, "shapes/retrieval.yaml", {"retrieval"}),
        (2, "finetune/shapes", {"captioning", "retrieval"}),
        (1, "shapes/retrieval.yaml", {"retrieval"}),
    ],
)
def test_quickstart_that_is_stopped_waits_until_all_has_saved(
    checkout: Checkout, devices: int, sleeping: str, jobs_asleep: set[str], number: signal.Signals, group: bool
) -> None:
    """The signal is given twice: an impatient user ends it no sooner, and leaves nothing running."""
    checkout.interpreter()
    process = subprocess.Popen(
        ["bash", str(checkout.root / QUICKSTART)],
        env=checkout.environment(DEVICES=str(devices), FAKE_SLEEP=sleeping),
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL) and None,  # perhaps ignored here
    )
    try:
        deadline = time.monotonic() + 60
        while len(sleeping_of(process.pid)) < len(jobs_asleep) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(sleeping_of(process.pid)) == len(jobs_asleep)
        for _ in range(2):
            time.sleep(0.3)  # the other job has ended, or not begun: both are to be met
            (os.killpg if group else os.kill)(process.pid, number)
        assert process.wait(timeout=60) == 128 + number
        saved = Path(f"{checkout.log}.saved").read_text().splitlines()
        assert set(jobs(saved)) == jobs_asleep and len(saved) == len(jobs_asleep)
        assert sleeping_of(process.pid) == []
    finally:
        process.kill()
        for pid in sleeping_of(process.pid):
            os.kill(pid, signal.SIGKILL)
    stages = (checkout.root / "runs/shapes/stages.tsv").read_text().splitlines()
    assert jobs_asleep.isdisjoint(line.split("\t")[0] for line in stages) and len(stages) >= 4


def sleeping_of(session: int) -> list[int]:
    """The processes `sleep 611` of a session."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            is_it = (folder / "cmdline").read_bytes() == b"sleep\x00611\x00" and os.getsid(int(folder.name)) == session
        except OSError:
            continue
        found += [int(folder.name)] * is_it
    return found
