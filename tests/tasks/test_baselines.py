"""What models are compared with: they read words alone, or nothing at all."""

from __future__ import annotations

import math

import pytest

from unimo.tasks.generation_baselines import GenerationBaselines
from unimo.tasks.text_baseline import TfidfBaseline


def test_a_classifier_of_words_learns_words() -> None:
    texts, labels = ["red circle", "red square", "blue circle", "blue square"], ["red", "red", "blue", "blue"]
    baseline = TfidfBaseline(texts, labels)
    assert baseline.predict(["a red star", "a blue star"]) == ["red", "blue"]
    assert baseline.accuracy(texts, ["red", "red", "blue", "red"]) == 0.75


def test_unigram_perplexity_is_that_of_the_counts() -> None:
    baselines = GenerationBaselines(["a a b", "a"], [[0, 0, 1], [0]], vocab_size=3)
    # counts 3, 1, 0 and two ends, one added to each: 4, 2, 1, 3 of 10
    expected = math.exp(-(math.log(0.4) + math.log(0.2) + math.log(0.1) + math.log(0.3)) / 4)
    assert baselines.perplexity([[0, 1, 2]]) == pytest.approx(expected)


def test_the_constant_text_is_the_most_ordinary_one() -> None:
    targets = ["what is the name of the city ?"] * 3 + ["zebras eat grass every single day !"]
    baselines = GenerationBaselines(targets, [[1]] * 4, vocab_size=5)
    assert baselines.constant == targets[0]
    scores = baselines.scores(["the city is called rome ."], [["the city is called rome ."]])
    assert scores["copied_bleu_4"] == pytest.approx(1.0, abs=1e-6)
    assert scores["constant_bleu_4"] is not None and scores["constant_bleu_4"] < 0.1
