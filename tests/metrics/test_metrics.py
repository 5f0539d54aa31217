"""Scores against literals, brute force, the original's numbers, and pycocoevalcap's own Java path."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unimo.metrics.captioning import caption_metrics, tokenize_caption
from unimo.metrics.classification import accuracy, f1, matthews
from unimo.metrics.regression import pearson, spearman
from unimo.metrics.retrieval import chance_metrics, recall_at, retrieval_metrics


def test_label_scores() -> None:
    predicted, labels = [1, 0, 1, 1], [1, 0, 0, 1]
    assert accuracy(predicted, labels) == 0.75
    assert f1(predicted, labels) == pytest.approx(0.8)
    assert matthews(predicted, labels) == pytest.approx(1 / 3**0.5)


def test_undefined_scores_are_none() -> None:
    assert matthews([1, 1, 1], [1, 0, 1]) is None
    assert pearson([1.0, 1.0], [0.0, 1.0]) is None
    assert spearman([1.0, 2.0], [3.0, 3.0]) is None
    assert f1([0, 0], [0, 0]) is None


def test_correlations() -> None:
    assert pearson([1, 2, 3], [2, 4, 6]) == pytest.approx(1)
    assert spearman([1, 2, 3], [1, 10, 5]) == pytest.approx(0.5)


def test_a_constant_scorer_finds_nothing() -> None:
    relevant = np.eye(4, dtype=bool)
    assert recall_at(np.zeros((4, 4)), relevant, (1, 4)) == {"r1": 0.0, "r4": 1.0}


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.integers(1, 4), st.integers(0, 10_000))
def test_recall_equals_brute_force(num_images: int, captions_each: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    num_captions = num_images * captions_each
    scores = rng.standard_normal((num_images, num_captions))
    relevant = np.repeat(np.eye(num_images, dtype=bool), captions_each, axis=1)
    found = retrieval_metrics(scores, relevant)
    for k in (1, 5, 10):
        by_text = [c // captions_each in np.argsort(-scores[:, c])[:k] for c in range(num_captions)]
        by_image = [bool(set(np.argsort(-scores[i])[:k] // captions_each) & {i}) for i in range(num_images)]
        assert found["text_to_image"][f"r{k}"] == pytest.approx(np.mean(by_text))
        assert found["image_to_text"][f"r{k}"] == pytest.approx(np.mean(by_image))


def test_chance_is_what_random_orders_reach() -> None:
    rng = np.random.default_rng(0)
    relevant = np.repeat(np.eye(8, dtype=bool), 3, axis=1)
    drawn = [retrieval_metrics(rng.random((8, 24)), relevant)["image_to_text"]["r5"] for _ in range(3000)]
    assert chance_metrics(relevant)["image_to_text"]["r5"] == pytest.approx(np.mean(drawn), abs=0.01)


def test_caption_tokens() -> None:
    assert tokenize_caption("A man's dog, who \"can't\" run (fast).") == "a man 's dog who ca n't run fast"


def test_caption_metrics_report_what_they_cannot_compute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    scores, notes = caption_metrics({"a": "x", "b": "y"}, {"a": ["x"], "b": ["y"]}, ["meteor"])
    assert scores == {"meteor": None}
    assert "java was not found" in notes[0]


def test_a_caption_equal_to_its_reference_is_perfect() -> None:
    references = {"a": ["a red dog runs over the green hill"], "b": ["two cats sit on a wooden table"]}
    scores, _ = caption_metrics({key: texts[0] for key, texts in references.items()}, references)
    assert scores["bleu_4"] == pytest.approx(1)
    assert scores["cider"] == pytest.approx(10)


def test_scores_equal_those_over_the_java_tokenizer(shared: Path) -> None:
    if shutil.which("java") is None:
        pytest.skip("java is not there")
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    with gzip.open(shared / "data" / "coco_captions" / "captions_val2017.json.gz") as stream:
        annotations = json.load(stream)["annotations"]
    captions: dict[str, list[str]] = {}
    for annotation in annotations:
        captions.setdefault(str(annotation["image_id"]), []).append(annotation["caption"])
    chosen = {key: captions[key] for key in sorted(captions)[:1000]}
    predictions = {key: texts[0] for key, texts in chosen.items()}
    references = {key: texts[1:] for key, texts in chosen.items()}
    ours, _ = caption_metrics(predictions, references, ["bleu", "cider"])
    java = PTBTokenizer()
    found = java.tokenize({key: [{"caption": text}] for key, text in predictions.items()})
    expected = java.tokenize({key: [{"caption": text} for text in texts] for key, texts in references.items()})
    assert ours["bleu_4"] == pytest.approx(Bleu(4).compute_score(expected, found, verbose=0)[0][3], abs=1e-3)
    assert ours["cider"] == pytest.approx(Cider().compute_score(expected, found)[0], abs=1e-3)
