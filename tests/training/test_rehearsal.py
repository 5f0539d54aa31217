"""`train --dry_run`: what a step costs, by formula and measured, before anything is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SmallWorld
from tests.tasks.jobs import ARCH, job, write_job
from unimo.cli import main
from unimo.cli.jobs import load_job, rehearse_training
from unimo.config.architecture import UnimoConfig
from unimo.errors import InputError
from unimo.modeling.cost import encoder_flops, training_bytes
from unimo.tasks.assembly import assemble
from unimo.training.mixture import Mixture
from unimo.training.rehearsal import duration, num_parameters, rehearse, report_lines


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


def flops_by_hand(batch: Any, regions: int, features: int, vocabulary: int) -> int:
    """Forward and backward (two products more for each) of one batch of the small network, written out."""
    rows, length = batch.segment_ids.shape
    hidden, layers = int(ARCH["hidden_size"]), int(ARCH["num_hidden_layers"])
    dense = 4 * hidden * hidden + 2 * hidden * 4 * hidden
    encoder = 2 * rows * length * layers * (dense + 2 * length * hidden)
    projected = 2 * rows * regions * hidden * (features + 5)
    targets = 0 if batch.token_rows is None else len(batch.token_rows)
    return 3 * (encoder + projected + 2 * targets * hidden * (hidden + vocabulary))


@pytest.mark.parametrize("task", ["text_classification", "captioning"])
def test_costs_are_those_of_the_steps_that_were_made(small_world: SmallWorld, tmp_path: Path, task: str) -> None:
    values = job(small_world, task, tmp_path / "run")
    values["training"] |= {"gradient_accumulation_steps": 2}
    described, options = load_job((write_job(tmp_path / "job.yaml", values),), [])
    assembly = assemble(described, options)
    [cost] = rehearse(described, assembly.task, assembly.model)
    [stream] = assembly.task.streams()
    mixture = Mixture([stream], described.data, described.training.seed)
    # the first step does not count; the two that do begin after the job's six
    steps = [mixture.draw(6 + number).batches for number in range(3)][1:]
    batches = [batch for step in steps for batch in step.values()]
    assert len(batches) == 2 and cost.num_records == len(stream.lengths)
    positions = [batch.segment_ids.size for batch in batches]
    valid = sum(int((batch.segment_ids > 0).sum()) for batch in batches)
    assert cost.positions == sum(positions) / 2 and cost.positions > 100
    assert cost.padding_share == pytest.approx(1 - valid / sum(positions)) and 0 < cost.padding_share < 0.5
    config = assembly.model.config
    regions = [0 if batch.region_features is None else batch.region_features.shape[1] for batch in batches]
    assert any(regions) == (task == "captioning")
    by_hand = [
        flops_by_hand(batch, number, config.image_embedding_size, config.vocab_size)
        for batch, number in zip(batches, regions, strict=True)
    ]
    assert cost.flops == sum(by_hand) / 2
    states = 4 * num_parameters(assembly.model)  # weights, gradients, two moments
    activations = [
        2 * rows * length * (20 * 32 + 3 * 2 * length) for rows, length in (b.segment_ids.shape for b in batches)
    ]
    logits = [2 * config.vocab_size * (0 if b.token_rows is None else len(b.token_rows)) for b in batches]
    numbers = states + max(kept + each for kept, each in zip(activations, logits, strict=True))
    assert cost.memory == 4 * numbers
    line = next(line for line in report_lines(described, assembly.model, [cost]) if line.startswith(cost.name))
    assert f"{2 * cost.positions:,.0f} positions a step ({cost.padding_share:.1%} padding)" in line
    assert f"{2 * cost.flops / 1e9:,.1f} GFLOP, {cost.memory / 2**30:.2f} GiB by formula" in line


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (("--precision.compute", "bfloat16"), "precision.compute: bfloat16 needs a GPU"),
        (("--precision.compute", "float16"), "precision.compute: float16 needs a GPU"),
        (("--distributed.sharding_stage", "1"), "distributed.sharding_stage: 1 shares out over processes, but"),
        (("--devices", "2", "--distributed.sharding_stage", "2"), "distributed.sharding_stage: 2 needs GPUs"),
        (("--distributed.nccl.debug", "INFO"), "distributed.nccl.debug: needs GPUs"),
    ],
)
def test_what_training_refuses_is_refused(
    small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...], reason: str
) -> None:
    config = write_job(tmp_path / "job.yaml", job(small_world, "text_classification", tmp_path / "run"))
    assert main(["train", "--config", str(config), "--dry_run", *flags]) == 2
    assert reason in capsys.readouterr().err


def test_sharing_out_needs_several_processes(small_world: SmallWorld, tmp_path: Path) -> None:
    values = job(small_world, "text_classification", tmp_path / "run", distributed={"sharding_stage": 1})
    given = load_job((write_job(tmp_path / "job.yaml", values),), [])
    with pytest.raises(InputError, match="there is only one"):
        list(rehearse_training(*given, num_processes=1))
    assert any("GFLOP" in line for line in rehearse_training(*given, num_processes=2))


def test_all_bad_files_are_named_at_once(
    small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = job(small_world, "captioning", tmp_path / "run")
    absent = {name: str(tmp_path / f"no_{name}") for name in ("train", "regions")}
    values["data"] |= absent | {"evaluate": {"dev": str(tmp_path / "no_dev"), "test": str(tmp_path / "no_test")}}
    config = str(write_job(tmp_path / "job.yaml", values))
    assert main(["train", "--config", config, "--dry_run"]) == 2
    error = capsys.readouterr().err
    for key in ("data.train", "data.regions", "data.evaluate.dev", "data.evaluate.test"):
        assert f"{key}: {tmp_path / 'no_'}{key.rpartition('.')[2]}: no such file" in error
    assert len(error.strip().splitlines()) == 1
    assert main(["train", "--config", config]) == 2
    error = capsys.readouterr().err
    assert "data.evaluate.dev" in error and "data.evaluate.test" in error


def test_evaluation_files_are_read(small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = job(small_world, "captioning", tmp_path / "run")
    (tmp_path / "dev.jsonl").write_text('{"image_id": "nowhere", "captions": ["a red circle"]}\n')
    (tmp_path / "test.jsonl").write_text("{broken\n")
    values["data"]["evaluate"] = {name: str(tmp_path / f"{name}.jsonl") for name in ("dev", "test")}
    assert main(["train", "--config", str(write_job(tmp_path / "job.yaml", values)), "--dry_run"]) == 2
    error = capsys.readouterr().err
    assert "data.evaluate.dev: 1 of 1 images are not in" in error and "'nowhere'" in error
    assert f"{tmp_path / 'test.jsonl'}:1: not valid JSON" in error
