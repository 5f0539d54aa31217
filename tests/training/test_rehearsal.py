"""`train --dry_run`: what a step costs, by formula and measured, before anything is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import SmallWorld
from tests.tasks.jobs import job, write_job
from unimo.cli import main
from unimo.config.architecture import UnimoConfig
from unimo.modeling.cost import encoder_flops, training_bytes
from unimo.training.rehearsal import duration


def test_flops_of_base_are_those_of_the_textbook() -> None:
    config = UnimoConfig()
    # 85 million parameters in the layers, two operations each a position, and attention's two products
    layers = 12 * (4 * 768**2 + 2 * 768 * 3072)
    expected = 2 * 1024 * layers + 12 * 8 * 2 * 2 * 128 * 128 * 768
    assert encoder_flops(config, 8, 128) == pytest.approx(expected)


def test_regions_cost_their_projection() -> None:
    config = UnimoConfig()
    more = encoder_flops(config, 2, 50, 20) - encoder_flops(config, 2, 50)
    assert more == 2 * 2 * 20 * 768 * (2048 + 5)


def test_memory_grows_with_the_batch() -> None:
    config = UnimoConfig()
    assert training_bytes(config, 10, 16, 128, 0) > 1.9 * training_bytes(config, 10, 8, 128, 0) - 1000


def test_the_verb_prints_and_writes_nothing(
    small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "run"
    config = write_job(tmp_path / "job.yaml", job(small_world, "pretraining", output))
    assert main(["train", "--config", str(config), "--dry_run"]) == 0
    printed = capsys.readouterr().out
    assert not output.exists()
    shares = ("texts: 25% of the steps", "images: 25% of the steps", "pairs: 50% of the steps")
    for expected in ("parameters: ", *shares, "1,000 steps on this machine"):
        assert expected in printed


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.36, "0.4 seconds"), (119, "119.0 seconds"), (150, "2.5 minutes"), (7200, "2.0 hours"), (4e6, "1,111.1 hours")],
)
def test_times_are_told_in_a_unit_that_shows_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text
