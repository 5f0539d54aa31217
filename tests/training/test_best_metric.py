"""Which weights are kept as the best: by the metric that the job names, in the direction that this metric has."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import REPOSITORY, SmallWorld
from tests.tasks.jobs import TRAINING, job, write_job
from unimo.cli import main
from unimo.cli.jobs import load_job
from unimo.metrics.direction import lower_is_better
from unimo.tasks import TASKS, task_class
from unimo.training.evaluation import BestMetric

RECIPES = sorted((REPOSITORY / "model_configs" / "finetune").rglob("*.yaml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_keeps_its_best_score(path: Path) -> None:
    values, _ = load_job([path], ["--data.evaluate.dev", "dev.tsv"])
    best = BestMetric.of(values, task_class(values.task))  # type: ignore[arg-type]
    lower = path.stem == "squad_qg_small"  # decided by perplexity
    assert best.is_better(0.9, 0.1) is not lower and best.is_better(0.1, 0.9) is lower


@pytest.mark.parametrize("metric", ["loss", "perplexity", "dev.loss", "dev.perplexity"])
def test_losses_are_better_when_lower(metric: str) -> None:
    assert lower_is_better(metric)
    split, _, name = f"dev.{metric}".rpartition(".")
    best = BestMetric(split, name)
    assert best.is_better(0.1, 0.9) and not best.is_better(0.9, 0.1) and not best.is_better(None, 0.9)


def test_only_generation_is_decided_by_a_lower_metric_of_its_own() -> None:
    assert [name for name in TASKS if lower_is_better(task_class(name).best_metric)] == ["text_generation"]


def test_a_metric_that_no_evaluation_has_is_told(
    small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    training = {**TRAINING, "num_steps": 2, "evaluate_every": 1, "best_metric": "dev.acuracy"}
    values = job(small_world, "text_classification", tmp_path / "run", training=training)
    assert main(["train", "--config", str(write_job(tmp_path / "job.yaml", values))]) == 0
    out = capsys.readouterr().out
    assert out.count("training.best_metric: dev has no acuracy, but accuracy, loss") == 1
