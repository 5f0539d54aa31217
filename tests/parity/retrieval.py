"""Retrieval's evaluation: all images of the test files against all captions, and recall from it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.parity.forward import TOLERANCE
from tests.parity.goldens import Goldens
from tests.parity.programs import Program
from tests.parity.release import Release
from tests.parity.results import Results, largest, relative
from unimo.data.examples import RegionInput
from unimo.data.images import region_input
from unimo.metrics.retrieval import KS, first_hit_ranks, recall_at
from unimo.regions import Regions
from unimo.tasks.pair_scoring import score_matrix

Array = np.ndarray

MAX_TEXT_LENGTH = 14
"""An argument of the original's run that is in no file (ORIGINAL section 0)."""


def check_evaluation(results: Results, release: Release, program: Program, goldens: Goldens) -> None:
    """The matrix of scores, computed from the data files, and what the original reckoned from it."""
    with results.guard("retrieval test.matrix"):
        matrix = goldens["test.matrix"]  # a row a pair: score, image, caption
        pairs = [(int(image), int(caption)) for _, image, caption in matrix]
        names, numbers = sorted({image for image, _ in pairs}), sorted({caption for _, caption in pairs})
        results.equal("retrieval test.matrix pairs", len(set(pairs)), len(names) * len(numbers))
        images = dict(read_images(release.folder / "data" / "ret_feat"))
        captions = {number: (image, ids) for number, image, ids in read_captions(release.folder / "data")}
        scores = _scores(release, program, [images[name] for name in names], [captions[n][1] for n in numbers])
        places = tuple(np.asarray([(names.index(image), numbers.index(caption)) for image, caption in pairs]).T)
        results.within("retrieval test.matrix", largest(scores[places], matrix[:, 0]), TOLERANCE)
        relevant = np.asarray([[captions[number][0] == name for number in numbers] for name in names])
        ours, expected = evaluation(scores, relevant), goldens.json("test.metrics_json")
        results.equal("retrieval test.key_eval", "avg_recall@1", expected.pop("key_eval"))
        for name, value in expected.items():
            results.within(f"retrieval test.{name}", relative(ours[name], value), 1e-6)


def evaluation(scores: Array, relevant: Array) -> dict[str, float]:
    """Our recall of [I, W] scores under the original's names: `img` ranks images, `cap` captions."""
    values, recalls = {}, {}
    for name, given, hits in (("img", scores.T, relevant.T), ("cap", scores, relevant)):
        recalls[name] = recall_at(given, hits)
        values[f"{name}_avg_rank"] = float(np.mean(first_hit_ranks(given, hits) + 1))
        values[f"avg_{name}_recall"] = float(np.mean(list(recalls[name].values())))
        values |= {f"{name}_recall@{k}": recalls[name][f"r{k}"] for k in KS}
    return values | {f"avg_recall@{k}": (recalls["img"][f"r{k}"] + recalls["cap"][f"r{k}"]) / 2 for k in KS}


def read_images(folder: Path) -> Iterator[tuple[int, RegionInput]]:
    """Name and regions of every line; at test the original takes the width's column for the height's (Q8)."""
    for path in sorted(folder.iterdir()):
        for line in path.read_text().splitlines():
            name, height, width, count, boxes, features, _ = line.split("\t")
            arrays = (np.frombuffer(base64.b64decode(text), np.float32) for text in (boxes, features))
            corners, rows = (array.reshape(int(count), -1) for array in arrays)
            regions = Regions(rows, corners, int(width), int(height), np.zeros((int(count), 0), np.float32))
            yield int(name), region_input(regions, max_regions=int(count) + 1)


def read_captions(folder: Path) -> Iterator[tuple[int, int, list[int]]]:
    """Number, image and tokens, [CLS] and [SEP] left off, of every caption."""
    for line in (folder / "ret_cap.ids").read_text().splitlines():
        token_ids, _, _, image, number = line.split(";")
        yield int(number), int(image), [int(token) for token in token_ids.split()][1:-1]


def _scores(release: Release, program: Program, images: list[RegionInput], texts: list[list[int]]) -> Array:
    task = release.task(program.task, {})
    model, vocabulary = release.model(program.parameters_name, task), task.context.vocabulary
    budget = task.context.data.tokens_per_batch
    return score_matrix(model, images, texts, "match", vocabulary, budget, max_text_length=MAX_TEXT_LENGTH)
