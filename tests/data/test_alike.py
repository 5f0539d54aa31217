"""Captions that are like others."""

from __future__ import annotations

import numpy as np
import pytest

from unimo.data.alike import Captions


def random_captions(num_images: int, each: int) -> Captions:
    rng = np.random.default_rng(0)
    ids = [rng.integers(40, size=6).tolist() for _ in range(num_images * each)]
    return Captions(np.repeat(np.arange(num_images), each), ids, 40)


def test_rare_tokens_weigh_more() -> None:
    captions = Captions(np.arange(4), [[1, 2], [1, 3], [1, 2, 4], [1, 5]], 6)
    found = captions.likeness(0, np.asarray([[1, 2], [3, 0]]))
    assert found[0, 1] == pytest.approx(np.log(2)) and found[0, 0] == found[1, 0] == 0


@pytest.mark.parametrize("pool", [1, 4])
def test_those_alike_are_of_different_images(pool: int) -> None:
    captions, rng = random_captions(9, 3), np.random.default_rng(1)
    for index in range(27):
        found = captions.alike(index, 5, pool, rng)
        assert found[0] == index and len(set(captions.owner[found])) == 5
    assert set(captions.owner[captions.alike(4, 20, pool, rng)]) == set(range(9))


def test_a_larger_pool_holds_captions_that_are_more_alike() -> None:
    captions = random_captions(60, 3)

    def mean_likeness(pool: int) -> float:
        rng = np.random.default_rng(2)
        return float(np.mean([captions.likeness(i, captions.alike(i, 4, pool, rng)[1:]).mean() for i in range(180)]))

    assert mean_likeness(1) * 1.5 < mean_likeness(8)
