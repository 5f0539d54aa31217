"""CoLA and STS-B train and are scored from the public files, by the recipes and the real command."""

from __future__ import annotations

import gzip
import itertools
import json
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from unimo.cli import main
from unimo.tokenization import UnimoTokenizer

NUM_LINES = 400  # that the tokenizer is trained on
TINY = {
    "vocab_size": 0,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_embedding_size": 0,
    "image_class_size": 0,
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "train", "dev", "metric", "num_records"),
    [
        ("cola", "in_domain_train.tsv.gz", "in_domain_dev.tsv", "matthews", 527),
        ("stsb", "train.csv.gz", "dev.csv", "pearson", 1500),
    ],
)
def test_recipe(shared: Path, tmp_path: Path, recipe: str, train: str, dev: str, metric: str, num_records: int) -> None:
    data, run = shared / "data" / recipe, tmp_path / "run"
    with gzip.open(data / train, "rt", encoding="utf-8") as stream:
        (tmp_path / "corpus.txt").write_text("".join(itertools.islice(stream, NUM_LINES)), encoding="utf-8")
    UnimoTokenizer.train([tmp_path / "corpus.txt"], 500).save_pretrained(tmp_path / "tokenizer")
    settings = {
        "output": run,
        "init_from": "",
        "tokenizer": tmp_path / "tokenizer",
        "data.train": data / train,
        "data.evaluate": json.dumps({"dev": str(data / dev)}),
        "training.num_epochs": 0,
        "training.num_steps": 6,
        **{f"arch.{key}": value for key, value in TINY.items()},
    }
    words = [word for key, value in settings.items() for word in (f"--{key}", str(value))]
    assert main(["train", "--config", str(REPOSITORY / "model_configs" / "finetune" / f"{recipe}.yaml"), *words]) == 0
    report = json.loads((run / "report.json").read_text())
    assert (report["steps"], report["best_metric"]) == (6, f"dev.{metric}")
    score = report["splits"]["dev"][metric]
    assert score is None or -1 <= score <= 1  # None: one class for all, of which Matthews' correlation is undefined
    lines = (run / "predictions" / "dev.jsonl").read_text().splitlines()
    assert len(lines) == num_records == len((data / dev).read_text("utf-8").splitlines())
