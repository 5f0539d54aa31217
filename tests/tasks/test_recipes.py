"""Every recipe runs, from data check to resume and prediction, on a few records of its dataset as it is published.

Only the network (a tiny checkpoint to start from) and the number of steps differ from what a user runs.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.tasks.recipe_data import DATASETS, SHRUNK, write_checkpoint
from unimo.cli import main

RECIPES = REPOSITORY / "model_configs" / "finetune"
NAMES = [f"{name}{suffix}" for name in DATASETS for suffix in ("", "_large")]
STEPS = ["--training.num_epochs", "0", "--training.evaluate_every", "2", "--training.save_every", "1"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("start")
    write_checkpoint(folder / "model", folder / "corpus.txt")
    return folder / "model"


def test_every_recipe_has_data_and_a_script() -> None:
    recipes = {path.stem for path in RECIPES.glob("*.yaml")} - {"sst2_small", "squad_qg_small"}
    assert recipes == set(NAMES)
    assert {path.stem for path in (REPOSITORY / "run_scripts" / "finetune").glob("*.sh")} == {*DATASETS, "run"}


@pytest.mark.slow
@pytest.mark.usefixtures("without_java")
@pytest.mark.parametrize("name", NAMES)
def test_recipe(
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    published = DATASETS[name.removesuffix("_large")]
    published.write(tmp_path / "data")
    monkeypatch.chdir(tmp_path / "data")  # as run_scripts/finetune/run.sh does
    run = tmp_path / "run"
    start = ["--init_from", str(checkpoint), "--tokenizer", str(checkpoint), "--output", str(run), *SHRUNK]
    train = ["train", "--config", str(RECIPES / f"{name}.yaml"), *start, *STEPS]
    assert main(["data", "check", *train[1:]]) == 0
    assert main([*train, "--training.num_steps", "2"]) == 0
    assert main([*train, "--training.num_steps", "4", "--resume"]) == 0
    report = json.loads((run / "report.json").read_text())
    assert report["steps"] == 4
    assert report["best_metric"].split(".")[1] in report["splits"][report["best_metric"].split(".")[0]]
    best = str(run / "checkpoints" / "best")
    assert main(["evaluate", "--checkpoint", best, "--predictions", str(tmp_path / "scores")]) == 0
    assert {path.stem for path in (tmp_path / "scores" / "predictions").iterdir()} == set(report["splits"])
    capsys.readouterr()
    asked = ["--texts", *published.texts] if published.texts else []
    asked += ["--images", published.image, "--regions", "regions"] if published.image else []
    assert main(["predict", "--task", published.task, "--checkpoint", best, *asked]) == 0
    assert capsys.readouterr().out.strip()
