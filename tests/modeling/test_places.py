"""Where a region is, as the network reads it."""

from __future__ import annotations

import numpy as np
import paddle
import pytest

from unimo.config.architecture import UnimoConfig
from unimo.modeling.layers import place_features

LOCATIONS = np.asarray([[[0.0, 0.2, 0.5, 0.6, 0.2], [0.5, 0.2, 1.0, 0.6, 0.2]]], np.float32)


def test_the_release_reads_five_numbers() -> None:
    np.testing.assert_array_equal(place_features(paddle.to_tensor(LOCATIONS), 0).numpy(), LOCATIONS)


@pytest.mark.parametrize("frequencies", [1, 3])
def test_centre_and_sides_become_waves_of_doubling_frequency(frequencies: int) -> None:
    found = place_features(paddle.to_tensor(LOCATIONS), frequencies).numpy()
    lengths = np.asarray([[[0.25, 0.4, 0.5, 0.4], [0.75, 0.4, 0.5, 0.4]]])  # centre x and y, width, height
    expected = [LOCATIONS]
    for power in range(frequencies):
        expected += [np.sin(np.pi * 2**power * lengths), np.cos(np.pi * 2**power * lengths)]
    np.testing.assert_allclose(found, np.concatenate(expected, axis=-1), atol=1e-6)
    config = UnimoConfig(image_embedding_size=8, location_frequencies=frequencies)
    assert found.shape[-1] == config.location_size
