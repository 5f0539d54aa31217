"""The examples' scripts, run on an interpreter that only pretends and keeps a log."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.checkouts import Checkout
from tests.conftest import REPOSITORY


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


@pytest.mark.parametrize(
    ("script", "starts"),
    [
        ("shapes_questions.sh", ["{root}/runs/shapes/pretraining", "runs/q/questions"]),
        ("shapes_search.sh", ["{root}/runs/shapes/pretraining"]),
    ],
)
def test_examples_of_shapes_start_from_a_quickstart(checkout: Checkout, script: str, starts: list[str]) -> None:
    script = f"run_scripts/examples/{script}"
    checkout.interpreter()
    shutil.copytree(REPOSITORY / "run_scripts/examples", checkout.root / "run_scripts/examples")
    refused = checkout.run(script)
    assert refused.returncode == 2 and "pretraining/ or world/ is missing" in refused.stderr
    for words in (["--help"], ["runs/shapes", "runs/q", "--dry_run"]):
        assert checkout.run(script, *words).stderr.startswith(f"usage: bash {script} [QUICKSTART] [OUTPUT]")
    for folder in ("pretraining", "world"):
        (checkout.root / "runs/shapes" / folder).mkdir(parents=True)
    (checkout.root / "runs/q/world").mkdir(parents=True)
    (checkout.root / "runs/q/world/captions_test.jsonl").touch()
    assert checkout.run(script, "runs/shapes", "runs/q").returncode == 0
    trained = [line for line in checkout.logged() if " -m unimo train " in line]
    for start, line in zip(starts, trained, strict=True):
        assert f"--init_from {start.format(root=checkout.root)}/checkpoints/best " in line
