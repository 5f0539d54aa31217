"""The Regions value: what belongs together, locations, the whole image, and the refusal of other features."""

from __future__ import annotations

import numpy as np
import pytest

from unimo.errors import InputError
from unimo.regions import FeatureSpec, Regions, assert_same_features


def regions(count: int = 3) -> Regions:
    rng = np.random.default_rng(0)
    boxes = np.asarray([[0, 0, 10, 20], [10, 10, 30, 40], [5, 5, 40, 50]], np.float32)[:count]
    return Regions(
        rng.standard_normal((count, 4)).astype(np.float32), boxes, 40, 50, np.full((count, 2), 0.5, np.float32)
    )


def test_locations_are_shares_of_the_picture() -> None:
    np.testing.assert_allclose(regions().locations()[1], [0.25, 0.2, 0.75, 0.8, 0.3], rtol=1e-6)


def test_the_whole_image_comes_first() -> None:
    features, locations = regions().with_global()
    np.testing.assert_allclose(features[0], regions().features.mean(axis=0))
    assert locations[0].tolist() == [0, 0, 1, 1, 1]
    assert features.shape == (4, 4)
    assert locations.shape == (4, 5)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"boxes": np.zeros((2, 4), np.float32)}, "boxes"),
        ({"class_probabilities": np.zeros((2, 2), np.float32)}, "class_probabilities"),
        ({"class_names": ("a",)}, "class_names"),
        ({"image_width": 0}, "image size"),
    ],
)
def test_arrays_that_do_not_belong_together(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Regions(**{**vars(regions()), **changes})


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (FeatureSpec("proposals", "1", 2048, 1601), "expects bottom-up-attention features, these are proposals"),
        (FeatureSpec("bottom-up-attention", "2", 2048, 1601), "version"),
        (FeatureSpec("bottom-up-attention", "1", 1024, 1601), "2048 numbers"),
    ],
)
def test_other_features_are_refused_with_the_reason(found: FeatureSpec, reason: str) -> None:
    expected = FeatureSpec("bottom-up-attention", "1", 2048, 1601)
    assert_same_features(expected, expected, "checkpoint")
    with pytest.raises(InputError, match=reason):
        assert_same_features(expected, found, "checkpoint")


def test_a_model_that_predicts_no_classes_takes_any_number_of_them() -> None:
    released, found = FeatureSpec("bottom-up-attention", "1", 32, 0), FeatureSpec("bottom-up-attention", "1", 32, 1601)
    assert_same_features(released, found, "checkpoint")
    with pytest.raises(InputError, match="it expects 32 numbers and 1601 classes a region, these have 32 and 0"):
        assert_same_features(found, released, "checkpoint")
