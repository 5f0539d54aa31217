"""Every recipe runs from the release's files: only the names of files and columns differ from what the yaml says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.data.formats.released import (
    caption_line,
    entailment_line,
    feature_line,
    numbers_of,
    object_line,
    retrieval_line,
    write,
    write_filelist,
)
from tests.tasks.recipe_data import DATASETS, SENTENCES, SHRUNK, write_checkpoint
from unimo.cli import main
from unimo.tokenization import UnimoTokenizer

RECIPES = REPOSITORY / "model_configs" / "finetune"
STEPS = ["--training.num_epochs", "0", "--training.evaluate_every", "2", "--training.save_every", "1"]
Overrides = dict[str, object]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("start")
    write_checkpoint(folder / "model", folder / "corpus.txt")
    return folder / "model"


def _labelled(columns: dict[str, str], labels: list[str]) -> Callable[[UnimoTokenizer], Overrides]:
    def make(tokenizer: UnimoTokenizer) -> Overrides:
        rows = []
        for number, text in enumerate(SENTENCES):
            cells = [str(number), text, *([SENTENCES[0]] if "text_b" in columns else [])]
            rows.append("\t".join([*cells, labels[number % len(labels)]]) + "\n")
        write(Path("all.tsv"), ["\t".join(["qid", *columns.values()]) + "\n", *rows])
        return {"data.train": "all.tsv", "options.columns": columns | {"names": []}}

    return make


def _generation(tokenizer: UnimoTokenizer) -> Overrides:
    numbers = [numbers_of(tokenizer, text) for text in SENTENCES]
    write(Path("all.tsv"), ["src\ttgt\n", *(f"{each}\t{each}\n" for each in numbers)])
    return {"data.train": "all.tsv", "options.tokenized_input": True}


def _conversation(tokenizer: UnimoTokenizer) -> Overrides:
    numbers = [numbers_of(tokenizer, text) for text in SENTENCES]
    rows = [f"{' [SEP] '.join(numbers[:count])}\t{numbers[0]}\t{numbers[1]}\n" for count in range(1, 6)]
    write(Path("all.tsv"), ["src\ttgt\tknowledge\n", *rows])
    return {"data.train": "all.tsv", "options.tokenized_input": True}


def _captions(tokenizer: UnimoTokenizer) -> Overrides:
    lines = [caption_line(1 + n // 2, tokenizer.encode(text)) for n, text in enumerate(SENTENCES)]
    files = [write(Path("in/a.txt"), lines[:3]), write(Path("in/b.txt.gz"), lines[3:])]
    write(Path("objects.ids"), [object_line(n, tokenizer.encode("red circle")) for n in (1, 2, 3)])
    filelist = write_filelist(Path("filelist"), files)
    _import_regions("release-captions", filelist)
    return {"data.train": str(filelist), "options.object_tags": "objects.ids"}


def _retrieval(tokenizer: UnimoTokenizer) -> Overrides:
    write(
        Path("captions.ids"),
        [retrieval_line(1 + n // 2, n, tokenizer.encode(text)) for n, text in enumerate(SENTENCES)],
    )
    write(Path("features/a.tsv"), [feature_line(n) for n in (1, 2, 3)])
    _import_regions("release-retrieval", Path("features"))
    return {"data.train": "captions.ids"}


def _entailment(tokenizer: UnimoTokenizer) -> Overrides:
    lines = [entailment_line(n // 2, str(n % 3), tokenizer.encode(text)) for n, text in enumerate(SENTENCES)]
    _import_regions("release-entailment", write(Path("ve.txt"), lines))
    return {"data.train": "ve.txt"}


def _import_regions(kind: str, path: Path) -> None:
    assert main(["regions", "import", "--format", kind, "--input", str(path), "--output", "regions"]) == 0


ONE = {"text_a": "text_a", "label": "label"}
PAIR = {"text_a": "text_a", "text_b": "text_b", "label": "label"}
RELEASED: dict[str, Callable[[UnimoTokenizer], Overrides]] = {
    "sst2": _labelled(ONE, ["0", "1"]),
    "cola": _labelled(ONE, ["0", "1"]),
    "mnli": _labelled(PAIR, ["0", "1", "2"]),
    "stsb": _labelled(PAIR, ["0.5", "3.5", "4.0"]),
    "cnndm": _generation,
    "gigaword": _generation,
    "squad_qg": _generation,
    "coqa": _conversation,
    "flickr30k": _retrieval,
    "snli_ve": _entailment,
    "coco_captions": _captions,
}


def overrides_of(name: str, checkpoint: Path, splits: list[str]) -> list[str]:
    """Flags that put the release's files into a recipe."""
    values = RELEASED[name.removesuffix("_large")](UnimoTokenizer.from_pretrained(checkpoint))
    values["data.evaluate"] = {split: values["data.train"] for split in splits}
    flags = []
    for key, value in values.items():
        flags += [f"--{key}", value if isinstance(value, str) else json.dumps(value)]
    return flags


def test_every_recipe_of_the_release_is_here() -> None:
    assert set(RELEASED) == set(DATASETS) - {"vqa"}


@pytest.mark.slow
@pytest.mark.usefixtures("without_java")
@pytest.mark.parametrize("name", [f"{name}{suffix}" for name in RELEASED for suffix in ("", "_large")])
def test_recipe(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    from unimo.config import read_yaml

    monkeypatch.chdir(tmp_path)
    recipe = RECIPES / f"{name}.yaml"
    splits = list(read_yaml([recipe], [])["data"]["evaluate"])
    start = ["--init_from", str(checkpoint), "--tokenizer", str(checkpoint), "--output", "run", *SHRUNK]
    train = ["train", "--config", str(recipe), *start, *overrides_of(name, checkpoint, splits), *STEPS]
    assert main([*train, "--training.num_steps", "2"]) == 0
    assert main([*train, "--training.num_steps", "4", "--resume"]) == 0
    report = json.loads(Path("run/report.json").read_text())
    split, _, metric = report["best_metric"].partition(".")
    assert report["steps"] == 4
    assert metric in report["splits"][split]
    assert main(["evaluate", "--checkpoint", "run/checkpoints/best", "--predictions", "scores"]) == 0
    assert {path.stem for path in Path("scores/predictions").iterdir()} == set(splits)
    assert main(["data", "check", "--config", str(recipe), *train[3:]]) == 0
