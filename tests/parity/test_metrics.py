"""Scores beside those of the original program."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.parity.metrics_original import original_bleu, original_recall
from unimo.metrics.classification import accuracy, f1, matthews
from unimo.metrics.regression import pearson, spearman
from unimo.metrics.retrieval import retrieval_metrics

TOLERANCE = 1e-6


@pytest.fixture(scope="module")
def golden(goldens: Path) -> dict[str, list[dict[str, Any]]]:
    return json.loads((goldens / "metrics.json").read_text())


def same(found: float | None, expected: float | str) -> bool:
    """Equal within the tolerance; what the original calls NaN is None with us."""
    if isinstance(expected, str) or math.isnan(expected):
        return found is None
    return found == pytest.approx(expected, abs=TOLERANCE)


def test_labels(golden: dict[str, list[dict[str, Any]]]) -> None:
    assert len(golden["binary"]) > 5
    for case in golden["binary"]:
        predicted, labels = case["preds"], case["labels"]
        assert same(matthews(predicted, labels), case["matthews_corrcoef"]["mat_cor"])
        assert same(f1(predicted, labels), case["f1_score"]["f1"])
        assert same(accuracy(predicted, labels), case["simple_accuracy"]["acc"])
    for case in golden["multiclass"]:
        assert same(accuracy(case["preds"], case["labels"]), case["simple_accuracy"]["acc"])


def test_numbers(golden: dict[str, list[dict[str, Any]]]) -> None:
    assert len(golden["regression"]) > 3
    for case in golden["regression"]:
        expected = case["pearson_and_spearman"]
        assert same(pearson(case["preds"], case["labels"]), expected["pearson"])
        assert same(spearman(case["preds"], case["labels"]), expected["spearmanr"])


def test_recall(golden: dict[str, list[dict[str, Any]]]) -> None:
    assert any(case["ties"] for case in golden["recall"])
    for case in golden["recall"]:
        rows = np.asarray(case["matrix"])
        image_of = {int(text): image for text, image in case["text2img"].items()}
        texts_of = {int(image): texts for image, texts in case["img2texts"].items()}
        kind, unkind = (original_recall(rows, image_of, texts_of, kindly) for kindly in (True, False))
        for name, value in kind.items():
            low, high = sorted((value, unkind[name]))
            assert low - TOLERANCE <= case["recall"][name] <= high + TOLERANCE
        if case["ties"]:
            assert kind != unkind
            continue
        assert kind == unkind
        images, texts = list(texts_of), list(image_of)
        scores, relevant = np.zeros((len(images), len(texts))), np.zeros((len(images), len(texts)), bool)
        for score, image, text in rows:
            scores[images.index(int(image)), texts.index(int(text))] = score
        for text, image in image_of.items():
            relevant[images.index(image), texts.index(text)] = True
        ours = retrieval_metrics(scores, relevant)
        for k in (1, 5, 10):
            assert same(ours["text_to_image"][f"r{k}"], case["recall"][f"img_recall@{k}"])
            assert same(ours["image_to_text"][f"r{k}"], case["recall"][f"cap_recall@{k}"])


def test_bleu(golden: dict[str, list[dict[str, Any]]]) -> None:
    for case in golden["bleu"]:
        for name, smooth in (("bleu", False), ("bleu_smooth", True)):
            found = original_bleu(case["refs"], case["preds"], smooth)
            expected = case[name]
            assert [found[0], *found[2:]] == pytest.approx([expected[0], *expected[2:]], abs=TOLERANCE)
            assert found[1] == pytest.approx(expected[1], abs=TOLERANCE)
