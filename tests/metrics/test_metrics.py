"""Scores of labels, numbers, answers and rankings against literals and brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unimo.metrics.classification import accuracy, f1, matthews
from unimo.metrics.question_answering import vqa_accuracy
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


def test_matthews_of_several_classes() -> None:
    # R_K of Gorodkin (2004), of a confusion matrix [[2, 1], [0, 1], ...] worked out by hand: cov(x, y) / root of both
    predicted, labels = np.asarray([0, 0, 1, 1, 2, 2]), np.asarray([0, 0, 0, 1, 2, 1])
    correct, total = 4, 6
    of_predicted, of_labels = np.bincount(predicted), np.bincount(labels)
    above = correct * total - of_predicted @ of_labels
    below = np.sqrt((total**2 - of_predicted @ of_predicted) * (total**2 - of_labels @ of_labels))
    assert matthews(predicted, labels) == pytest.approx(above / below)


def test_question_answering_counts_agreement_as_the_official_evaluation() -> None:
    answers = ["red"] * 3 + ["dark red"] * 2 + ["A Red"] + ["blue"] * 4
    # "red" is given by four of ten: whoever gave it leaves three others, whoever did not leaves four
    assert vqa_accuracy({"q": "red"}, {"q": answers}) == pytest.approx(1.0)
    assert vqa_accuracy({"q": "dark red"}, {"q": answers}) == pytest.approx((2 * 1 + 8 * 2) / 3 / 10)
    assert vqa_accuracy({"q": "green"}, {"q": answers}) == 0
    assert vqa_accuracy({"q": "Two."}, {"q": ["2"]}) == 1
    assert vqa_accuracy({"q": "red"}, {"q": ["red", "red", "a red", "the red"]}) == 1
    with pytest.raises(ValueError, match="different questions"):
        vqa_accuracy({"q": "red"}, {"p": answers})


def test_question_answering_normalises_only_where_people_differ() -> None:
    # as vqaEval.py: `if len(set(gtAnswers)) > 1`
    agreed, disagreed = ["the beach\n"] * 10, ["the beach"] * 9 + ["a beach"]
    assert vqa_accuracy({"q": "beach"}, {"q": agreed}) == 0
    assert vqa_accuracy({"q": " the beach"}, {"q": agreed}) == 1
    assert vqa_accuracy({"q": "beach"}, {"q": disagreed}) == 1
    assert vqa_accuracy({"q": "the beach"}, {"q": disagreed}) == 1
    assert vqa_accuracy({"q": "the"}, {"q": ["a"] * 9 + ["an"]}) == 1  # nothing is left of either
