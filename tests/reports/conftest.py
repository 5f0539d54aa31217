"""A reader of pages, and a small quickstart folder with made-up runs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unimo.augment.job import augment
from unimo.augment.options import AugmentConfig, PairFiles
from unimo.regions.extract import extract
from unimo.regions.proposals.options import ProposalOptions
from unimo.tasks.hard_negatives import NegativeScores, predictions, summarize
from unimo.worlds.shapes import ShapesOptions, generate, read_scenes
from unimo.worlds.shapes.negatives import hard_negatives

VOID = {"meta", "img", "br", "line", "polyline"}

WORLD = ShapesOptions(
    num_train=30,
    num_dev=8,
    num_test=20,
    num_images_without_text=4,
    num_texts=20,
    num_statements_train=20,
    num_statements_dev=10,
    num_statements_test=20,
    image_size=64,
)


class PageReader(HTMLParser):
    """Collects elements, attributes and text, and checks that every element is closed where it should be."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.text.append(data)

    def of_class(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for _, attributes in self.elements if name in (attributes.get("class") or "").split()]

    @property
    def all_text(self) -> str:
        return " ".join("".join(self.text).split())

    @property
    def sections(self) -> list[str | None]:
        return [attributes["id"] for tag, attributes in self.elements if tag == "section"]

    @property
    def images(self) -> list[str]:
        return [attributes["src"] or "" for tag, attributes in self.elements if tag == "img"]


def read_page(text: str) -> PageReader:
    reader = PageReader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader


def write_lines(path: Path, values: Iterable[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(value) + "\n" for value in values), encoding="utf-8")


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write_run(folder: Path, task: str, test: dict[str, float], losses: tuple[str, ...], best: str) -> None:
    events = [
        {"step": step, "split": "train", "loss": 2.0 * len(losses) / step, "tokens_per_second": 900.0}
        | {"padding_share": 0.1, "data_wait_share": 0.05, "seconds": 0.1}
        | {f"loss.{name}": 2.0 / step for name in losses}
        for step in range(1, 31)
    ]
    write_lines(folder / "metrics.jsonl", [*events, {"step": 30, "split": "test", **test}])
    report = {"task": task, "steps": 31, "best_step": 30, "best_metric": best, "splits": {"test": test}, "seconds": 3.5}
    (folder / "report.json").write_text(json.dumps(report), encoding="utf-8")


def recalls(prefix: str, first: float) -> dict[str, float]:
    ways = ("text_to_image", "image_to_text")
    return {f"{prefix}{way}.r{k}": first + k / 100 + n / 1000 for n, way in enumerate(ways) for k in (1, 5, 10)}


def write_negatives(folder: Path) -> None:
    """Made-up scores: by the matching head every fourth right caption is third, by likelihood all are alike."""
    scenes = [scene for scene in read_scenes(folder / "world").values() if scene.split == "test"]
    items = hard_negatives(scenes, WORLD, captions_per_image=1)
    head = np.tile(-np.arange(11.0), (len(items), 1))
    head[::4, 0] = -2.5
    exchanged, alike = np.roll(head, 1, axis=1), np.zeros_like(head)
    scores = {"matching_head": NegativeScores(head, exchanged), "likelihood": NegativeScores(alike, alike)}
    (folder / "negatives.json").write_text(json.dumps(summarize(items, scores)), encoding="utf-8")
    write_lines(folder / "negatives.jsonl", predictions(items, scores))


def write_corpus(folder: Path) -> None:
    world, regions = folder / "world", folder / "regions"
    extract(world / "images", regions, ProposalOptions(feature_size=16, num_classes=4, max_regions=4))
    pairs = PairFiles((str(world / "captions_train.jsonl"),))
    images: dict[str, Any] = {"images": (str(world / "images_train.jsonl"),), "regions": str(regions)}
    texts = (str(world / "texts_train.jsonl"),)
    augment(AugmentConfig(pairs, str(folder / "augmented"), texts=texts, **images), quiet=True)


@pytest.fixture(scope="session")
def shapes_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A quickstart folder: true captions for all images but two, every third query's image ranked second."""
    folder = tmp_path_factory.mktemp("quickstart") / "shapes"
    world = folder / "world"
    generate(world, WORLD)
    write_run(
        folder / "pretraining",
        "pretraining",
        recalls("match.", 0.1) | recalls("likelihood.", 0.2),
        ("masked_language", "generation", "region_features"),
        "test.match.mean_r1",
    )
    write_run(folder / "captioning", "captioning", {"cider": 3.25, "bleu4": 0.5}, ("captioning",), "dev.cider")
    write_run(folder / "retrieval", "retrieval", recalls("", 0.3), ("circle",), "dev.mean_r1")
    write_run(folder / "statements", "text_classification", {"accuracy": 0.75}, ("classification",), "dev.accuracy")
    references = read_jsonl(world / "captioning_test.jsonl")
    captions = [{"image_id": each["image_id"], "caption": each["captions"][0]} for each in references]
    captions[0]["caption"], captions[1]["caption"] = "a <b>cat</b> & a dog", ""
    write_lines(folder / "captioning" / "predictions" / "test.jsonl", captions)
    queries = read_jsonl(world / "retrieval_test.jsonl")
    ids = [query["image_id"] for query in queries]
    rankings = []
    for number, query in enumerate(queries):
        ranked = [image_id for image_id in ids if image_id != query["image_id"]][:9]
        ranked.insert(1 if number % 3 == 0 else 0, query["image_id"])
        rankings.append(
            {
                "caption": query["captions"][0],
                "image_id": query["image_id"],
                "ranked_images": ranked,
                "scores": [float(10 - rank) for rank in range(10)],
            }
        )
    for run in ("retrieval", "pretraining"):
        write_lines(folder / run / "predictions" / "test.jsonl", rankings)
    labels = [line.split("\t")[2] for line in (world / "statements_test.tsv").read_text().splitlines()[1:]]
    answers = [label if index >= 5 else str(1 - int(label)) for index, label in enumerate(labels)]
    write_lines(
        folder / "statements" / "predictions" / "test.jsonl",
        ({"record_id": f"statements_test.tsv:{line}", "label": label} for line, label in enumerate(answers, start=2)),
    )
    write_negatives(folder)
    write_corpus(folder)
    (folder / "stages.tsv").write_text(
        "world\t1.5\npretraining\t100\t50\nretrieval\t20\t150\nretrieval\t5.5\t400\nstatements\t30\t145\n"
    )
    return folder


@pytest.fixture
def shapes_copy(shapes_folder: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(shapes_folder, tmp_path / "shapes"))
