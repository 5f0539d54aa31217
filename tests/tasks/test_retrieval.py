"""Which captions are true of which images, and rankings of images whose captions stand in several records."""

from __future__ import annotations

import numpy as np

from unimo.data.records import CaptionRecord
from unimo.tasks.retrieval import distinct_images, rankings, retrieval_scores, true_pairs

RECORDS = [
    CaptionRecord("1", "a", ("one", "two")),
    CaptionRecord("2", "b", ("three",), also_true=("a", "elsewhere")),
    CaptionRecord("3", "a", ("four",), also_true=("c",)),
    CaptionRecord("4", "c", ("five",)),
]


def test_every_record_of_an_image_counts() -> None:
    assert distinct_images(RECORDS) == ["a", "b", "c"]
    expected = [[1, 1, 1, 1, 0], [0, 0, 1, 0, 0], [0, 0, 0, 1, 1]]  # what one record is also true of is its own
    assert true_pairs(RECORDS).tolist() == np.asarray(expected, bool).tolist()


def test_scores_and_rankings_have_each_image_once() -> None:
    scores = true_pairs(RECORDS).astype(np.float32)
    assert retrieval_scores(scores, RECORDS)["mean_r1"] == 1.0
    found = rankings(scores, RECORDS)
    assert [each["image_id"] for each in found] == ["a", "a", "b", "a", "c"]
    assert found[3]["ranked_images"] == ["a", "c", "b"] and found[4]["ranked_images"] == ["c", "a", "b"]
