"""What a job asks of the network and what its checkpoint has, compared before training begins."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import SmallWorld
from tests.tasks.jobs import ARCH, job, write_job
from unimo.cli import main
from unimo.cli.jobs import load_job
from unimo.config.architecture import UnimoConfig
from unimo.config.job import JobConfig
from unimo.errors import InputError
from unimo.modeling.pretrained import read_config
from unimo.tasks.assembly import assemble, with_dropout_of
from unimo.tasks.text_classification import TextClassificationOptions
from unimo.training.continuity import check_same_job
from unimo.training.mixture import Mixture

SAVED = UnimoConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, region_norm="separate")


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"hidden_size": 64}, "arch.hidden_size: 64, but start has 32"),
        ({"num_hidden_layers": 3}, "arch.num_hidden_layers: 3, but start has 2"),
        ({"intermediate_size": 64}, "arch.feed_forward_size: 64, but start has 128"),
        ({"region_norm": "joint"}, "arch.region_norm: joint, but start has separate"),
    ],
)
def test_another_architecture_than_the_checkpoints_is_refused(change: dict[str, Any], key: str) -> None:
    with pytest.raises(InputError, match=key):
        with_dropout_of(replace(SAVED, **change), SAVED, "start")


def test_the_jobs_dropout_is_taken_and_all_else_is_the_checkpoints() -> None:
    given = replace(SAVED, intermediate_size=128, hidden_dropout_prob=0.3, attention_probs_dropout_prob=0.2)
    saved = replace(SAVED, vocab_size=7, hidden_dropout_prob=0.1)
    found = with_dropout_of(given, saved, "start")
    assert found == replace(saved, hidden_dropout_prob=0.3, attention_probs_dropout_prob=0.2)


def test_training_from_a_checkpoint(
    small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without `arch` the checkpoint's own network, with it one of the same size and other dropout, or none at all."""
    once = {"num_steps": 1, "seed": 1}
    first = job(small_world, "text_classification", tmp_path / "first", training=once)
    assert main(["train", "--config", str(write_job(tmp_path / "first.yaml", first))]) == 0
    start = {"init_from": str(tmp_path / "first" / "checkpoints" / "best"), "training": once}
    for name, arch in (("own", None), ("dropout", ARCH | {"hidden_dropout_prob": 0.4})):
        values = job(small_world, "text_classification", tmp_path / name, arch=arch, **start)
        assert main(["train", "--config", str(write_job(tmp_path / f"{name}.yaml", values))]) == 0
        config, _ = read_config(tmp_path / name / "checkpoints" / "best")
        assert (config.hidden_size, config.hidden_dropout_prob) == (32, 0.1 if arch is None else 0.4)
    kept = tmp_path / "own" / "checkpoints" / "step-00000001" / "config.yaml"
    assert "arch: null" in kept.read_text()
    capsys.readouterr()
    large = job(small_world, "text_classification", tmp_path / "large", arch=ARCH | {"hidden_size": 64}, **start)
    assert main(["train", "--config", str(write_job(tmp_path / "large.yaml", large))]) == 2
    assert f"arch.hidden_size: 64, but {start['init_from']} has 32" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("task", "limits", "key"),
    [
        ("text_classification", "", "data.max_text_length: 64, but the network has positions for 46 tokens"),
        (
            "captioning",
            "data.max_text_length=40 options.decoding.max_length=47",
            "options.decoding.max_length: 47, but",
        ),
    ],
)
def test_texts_longer_than_the_position_table_are_refused(
    small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str], task: str, limits: str, key: str
) -> None:
    values = job(small_world, task, tmp_path / "run", arch=ARCH | {"max_position_embeddings": 48})
    assert main(["train", "--config", str(write_job(tmp_path / "job.yaml", values)), *limits.split()]) == 2
    assert key in capsys.readouterr().err


@pytest.mark.parametrize(
    ("limits", "key"),
    [
        ("", "options.max_source_length: 512, but the network has positions for 62 tokens"),
        (
            "options.max_source_length=32 options.max_target_length=31 options.continuous_positions=true",
            "options.max_source_length + options.max_target_length: 63, but",
        ),
    ],
)
def test_sources_and_targets_longer_than_the_position_table_are_refused(
    small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str], limits: str, key: str
) -> None:
    (tmp_path / "pairs.tsv").write_text("src\ttgt\na red circle\ta circle\n")
    data = {"train": str(tmp_path / "pairs.tsv"), "evaluate": {}}
    arch = ARCH | {"max_position_embeddings": 64}
    values = job(small_world, "text_generation", tmp_path / "run", arch=arch, data=data, options={})
    assert main(["train", "--config", str(write_job(tmp_path / "job.yaml", values)), *limits.split()]) == 2
    assert key in capsys.readouterr().err


def test_packing_is_refused_where_a_row_has_a_perturbation_of_its_own(
    small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = job(small_world, "captioning", tmp_path / "run")
    values["data"] |= {"pack": True}
    values["options"] |= {"adversarial": {"kind": "villa"}}
    assert main(["train", "--config", str(write_job(tmp_path / "job.yaml", values))]) == 2
    assert "data.pack: not together with options.adversarial" in capsys.readouterr().err


@pytest.mark.parametrize("stream", ["images", "texts", "pairs"])
def test_every_stream_of_pre_training_can_be_packed(small_world: SmallWorld, tmp_path: Path, stream: str) -> None:
    values = job(small_world, "pretraining", tmp_path / "run", training={"num_steps": 3, "seed": 1, "log_every": 1})
    values["data"] |= {"pack": True, "evaluate": {}}
    values["options"]["shares"] = {name: float(name == stream) for name in ("images", "texts", "pairs")}
    values["options"]["contrastive"]["num_pairs"] = 0
    assert main(["train", "--config", str(write_job(tmp_path / "job.yaml", values))]) == 0
    logged = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [each["loss"] > 0 for each in logged] == [True] * 3
    if stream == "images":  # of the same number of regions each: rows are full
        assert max(each["padding_share"] for each in logged) < 0.3


def test_packed_texts_keep_to_their_budget_when_they_are_generated(
    small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    words = ["red", "circle", "star", "above", "left", "large", "blue", "of"]
    lengths = np.clip(rng.lognormal(4.5, 1.0, 600), 8, 600).astype(int)
    texts = [" ".join(rng.choice(words, length)) for length in lengths]
    (tmp_path / "texts.txt").write_text("\n".join(texts))
    values = job(small_world, "pretraining", tmp_path / "run", arch=ARCH | {"max_position_embeddings": 514})
    values["data"] |= {"pack": True, "evaluate": {}, "tokens_per_batch": 8192, "max_text_length": 512}
    values["options"] = {"texts": [str(tmp_path / "texts.txt")], "generation_share": 1.0}
    assembly = assemble(*load_job([write_job(tmp_path / "job.yaml", values)], []))
    mixture = Mixture(assembly.task.streams(), assembly.task.context.data, 1)
    cut = sum(length > 510 for length in map(len, assembly.task.context.tokenizer.encode_batch(texts)))
    assert (
        cut > 0 and f"options.texts: {cut} of 600 texts are cut to data.max_text_length 512" in capsys.readouterr().err
    )
    positions = [mixture.draw(step).batches["generation"].num_positions for step in range(40)]
    assert max(positions) < 1.05 * 8192 and 0.85 * 8192 < np.mean(positions) < 8192


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("fragments.scheme", "unifrom", "two_scale"),
        ("scenegraph_kinds", "{relations: 5}", "there is no 'relations'; there are object, attribute, relation"),
        ("scenegraph_kinds", "{object: -2}", "object: -2"),
        ("contrastive.rewrite_kinds", "{relatoin: 3}", "there is no 'relatoin'"),
        ("contrastive.temperature", "0", "is not above 0"),
        ("contrastive.counts.rewrites", "-3", "is not at least 0"),
        ("region_share", "7", "7.0 is not in [0, 1]"),
        ("spans.ratio", "2", "2.0 is not in [0, 1]"),
        ("shares", "{images: -1}", "images: -1"),
        ("shares", "{images: 0, texts: 0, pairs: 0}", "all are 0"),
        ("loss_weights.language", "-1", "language: -1.0 is not at least 0"),
    ],
)
def test_options_of_pre_training_that_mean_nothing_are_refused(
    small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str, value: str, told: str
) -> None:
    config = str(write_job(tmp_path / "job.yaml", job(small_world, "pretraining", tmp_path / "run")))
    assert main(["train", "--config", config, f"--options.{key}", value]) == 2
    error = capsys.readouterr().err
    assert told in error and key.split(".")[-1] in error


def test_a_run_whose_config_names_an_architecture_nobody_gave_goes_on(tmp_path: Path) -> None:
    """As runs from a checkpoint had it that were begun before `arch` could be null."""
    (tmp_path / "config.yaml").write_text("task: text_classification\narch: {hidden_size: 768}\n")
    options = TextClassificationOptions()
    now = JobConfig(task="text_classification", output="run", init_from="start")
    check_same_job(tmp_path, now, options, 1, 1)
    with pytest.raises(InputError, match="arch: "):
        check_same_job(tmp_path, replace(now, init_from=""), options, 1, 1)
