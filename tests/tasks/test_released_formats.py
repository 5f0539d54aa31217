"""Every task of the release trains, evaluates, predicts and resumes from the release's files, ours and its way."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.data.formats.released import (
    FEATURE_SIZE,
    caption_line,
    entailment_line,
    feature_line,
    numbers_of,
    object_line,
    retrieval_line,
    write,
    write_filelist,
)
from tests.tasks.jobs import ARCH, TRAINING, write_job
from unimo.cli import main
from unimo.tokenization import UnimoTokenizer

TEXTS = ["a dog runs", "the cat sleeps", "a cat and a dog", "two dogs play in the snow", "the dog is old", "a cat"]


@dataclass(frozen=True)
class Released:
    """A job over released files, and the format that its regions are imported from ("" for none)."""

    train: Path
    options: dict[str, Any]
    regions: Path | None = None
    regions_format: str = ""


def encoded(tokenizer: UnimoTokenizer) -> list[list[int]]:
    return [tokenizer.encode(text) for text in TEXTS]


def classification(folder: Path, tokenizer: UnimoTokenizer) -> Released:
    lines = [f"{number}\t{text}\t{other}\t{number % 2}\n" for number, (text, other) in enumerate(pairwise(TEXTS))]
    return Released(
        write(folder / "cls.tsv", ["qid\ttext_a\ttext_b\tlabel\n", *lines]), {"columns": {"text_b": "text_b"}}
    )


def regression(folder: Path, tokenizer: UnimoTokenizer) -> Released:
    lines = [f"{text}\t{number * 0.3}\n" for number, text in enumerate(TEXTS)]
    return Released(write(folder / "reg.tsv", ["text_a\tlabel\n", *lines]), {})


def generation(folder: Path, tokenizer: UnimoTokenizer) -> Released:
    lines = [f"{numbers_of(tokenizer, text)}\t{numbers_of(tokenizer, text[:5])}\n" for text in TEXTS]
    options = {"tokenized_input": True, "decoding": {"beam_size": 2, "max_length": 6}}
    return Released(write(folder / "s2s.tsv", ["src\ttgt\n", *lines]), options)


def dialogue(folder: Path, tokenizer: UnimoTokenizer) -> Released:
    turns = [numbers_of(tokenizer, text) for text in TEXTS]
    lines = [f"{' [SEP] '.join(turns[:count])}\t{turns[count]}\t{turns[0]}\n" for count in range(1, len(TEXTS))]
    options = {"tokenized_input": True, "num_turns": 4, "decoding": {"beam_size": 2, "max_length": 6}}
    return Released(write(folder / "dialog.tsv", ["src\ttgt\tknowledge\n", *lines]), options)


def captioning(folder: Path, tokenizer: UnimoTokenizer) -> Released:
    ids = encoded(tokenizer)
    files = [
        write(folder / "in" / "a.txt", [caption_line(7, ids[0]), caption_line(8, ids[1]), caption_line(7, ids[2])]),
        write(folder / "in" / "b.txt.gz", [caption_line(9, ids[3]), caption_line(8, ids[4])]),
    ]
    objects = write(folder / "obj.ids", [object_line(number, ids[5]) for number in (7, 8, 9)])
    options = {"object_tags": str(objects), "decoding": {"beam_size": 2, "max_length": 6, "min_length": 1}}
    filelist = write_filelist(folder / "train_filelist", files)
    return Released(filelist, options, filelist, "release-captions")


def entailment(folder: Path, tokenizer: UnimoTokenizer) -> Released:
    lines = [entailment_line(number // 2, str(number % 3), ids) for number, ids in enumerate(encoded(tokenizer))]
    path = write(folder / "ve.txt", lines)
    return Released(path, {}, path, "release-entailment")


def retrieval(folder: Path, tokenizer: UnimoTokenizer) -> Released:
    lines = [retrieval_line(1000 + number // 2, number, ids) for number, ids in enumerate(encoded(tokenizer))]
    write(folder / "features" / "a.tsv", [feature_line(1000), feature_line(1001)])
    write(folder / "features" / "b.tsv", [feature_line(1002)])
    return Released(write(folder / "cap.ids", lines), {}, folder / "features", "release-retrieval")


JOBS: dict[str, tuple[str, Callable[[Path, UnimoTokenizer], Released], str]] = {
    "classification": ("text_classification", classification, "accuracy"),
    "regression": ("text_regression", regression, "pearson"),
    "generation": ("text_generation", generation, "perplexity"),
    "dialogue": ("text_generation", dialogue, "perplexity"),
    "captioning": ("captioning", captioning, "cider"),
    "entailment": ("visual_entailment", entailment, "accuracy"),
    "retrieval": ("retrieval", retrieval, "mean_r1"),
}


def write_released_job(folder: Path, name: str, compat: str) -> Path:
    task, make, _ = JOBS[name]
    tokenizer = UnimoTokenizer.train([*TEXTS, *TEXTS], 300)
    tokenizer.save_pretrained(folder / "tokenizer")
    released = make(folder, tokenizer)
    regions = str(released.regions or "")
    if released.regions and not compat:
        regions = str(folder / "regions")
        files = ["--input", str(released.regions), "--output", regions]
        assert main(["regions", "import", "--format", released.regions_format, *files]) == 0
    data = {"train": str(released.train), "evaluate": {"dev": str(released.train)}, "regions": regions}
    values = {
        "task": task,
        "output": str(folder / "run"),
        "tokenizer": str(folder / "tokenizer"),
        "arch": dict(ARCH),
        "data": {**data, "max_text_length": 32, "compat": compat, "max_examples_per_batch": 2},
        "training": dict(TRAINING),
        "options": released.options,
    }
    return write_job(folder / "job.yaml", values)


@pytest.mark.parametrize("compat", ["", "original"])
@pytest.mark.parametrize("name", list(JOBS))
def test_train_evaluate_resume(tmp_path: Path, name: str, compat: str) -> None:
    config = write_released_job(tmp_path, name, compat)
    assert main(["train", "--config", str(config)]) == 0
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert JOBS[name][2] in report["splits"]["dev"]
    assert (tmp_path / "run" / "predictions" / "dev.jsonl").read_text().strip()
    checkpoint = str(tmp_path / "run" / "checkpoints" / "best")
    assert main(["evaluate", "--checkpoint", checkpoint, "--predictions", str(tmp_path / "scores")]) == 0
    again = json.loads((tmp_path / "scores" / "report.json").read_text())
    assert again["splits"]["dev"] == pytest.approx(report["splits"]["dev"])
    assert main(["train", "--config", str(config), "--resume", "--training.num_steps", "8"]) == 0
    assert json.loads((tmp_path / "run" / "report.json").read_text())["steps"] == 8


@pytest.mark.parametrize("name", ["classification", "generation", "dialogue"])
def test_predict_from_words(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert main(["train", "--config", str(write_released_job(tmp_path, name, ""))]) == 0
    capsys.readouterr()
    checkpoint = str(tmp_path / "run" / "checkpoints" / "best")
    assert main(["predict", "--task", JOBS[name][0], "--checkpoint", checkpoint, "--texts", "a dog ||| the cat"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_captions_of_test_data_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = write_released_job(tmp_path, "captioning", "original")
    unknown = write(tmp_path / "in" / "test.txt", [caption_line(7, None), caption_line(9, None)])
    change = ["--data.evaluate", json.dumps({"test": str(unknown)}), "--training.best_metric", ""]
    assert main(["train", "--config", str(config), *change]) == 0
    lines = (tmp_path / "run" / "predictions" / "test.jsonl").read_text().splitlines()
    assert [json.loads(line)["image_id"] for line in lines] == ["7", "9"]


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("classification", ["--options.token_dropout", "0.1"], "options.token_dropout: not together with data.compat"),
        ("entailment", ["--data.max_examples_per_batch", "0"], "data.max_examples_per_batch"),
        ("entailment", ["--data.pack", "true"], "pack: not together with compat"),
        ("entailment", ["--task", "question_answering"], "data.compat: the original release has no task"),
    ],
)
def test_what_the_original_has_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, change: list[str], message: str
) -> None:
    config = write_released_job(tmp_path, name, "original")
    assert main(["train", "--config", str(config), *change]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_feature_size_is_that_of_the_files(tmp_path: Path) -> None:
    from unimo.config.job import DataConfig
    from unimo.data.images import open_images

    released = entailment(tmp_path, UnimoTokenizer.train(TEXTS, 300))
    images = open_images(DataConfig(compat="original", regions=str(released.regions)))
    assert images is not None
    assert images.spec.feature_size == FEATURE_SIZE
