"""Captions that are like others, and wrong of their images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from unimo.data.alike import Captions
from unimo.data.records import CaptionRecord
from unimo.errors import InputError

VOCABULARY = 40


def captions_of(texts: Sequence[tuple[str, Sequence[str]]], **also_true: tuple[str, ...]) -> Captions:
    """Captions whose tokens are the numbers of their letters; images by name."""
    records = [CaptionRecord(name, name, tuple(captions), also_true.get(name, ())) for name, captions in texts]
    ids = [[ord(letter) - ord("a") for letter in text] for _, captions in texts for text in captions]
    return Captions(records, ids, VOCABULARY)


def random_captions(num_images: int, each: int) -> Captions:
    rng = np.random.default_rng(0)
    letters = [chr(ord("a") + number) for number in range(26)]
    texts = [(f"i{image}", ["".join(rng.choice(letters, 6)) for _ in range(each)]) for image in range(num_images)]
    return captions_of(texts)


def test_rare_tokens_weigh_more() -> None:
    captions = captions_of([("w", ["bc"]), ("x", ["bd"]), ("y", ["bce"]), ("z", ["bf"])])
    found = captions.likeness(0, np.asarray([[1, 2], [3, 0]]))
    assert found[0, 1] == pytest.approx(np.log(2)) and found[0, 0] == found[1, 0] == 0


def test_captions_of_the_same_words_true_of_other_images_or_of_a_second_record_are_not_wrong() -> None:
    texts = [("w", ["ab", "cd"]), ("x", ["ab"]), ("y", ["ef"]), ("w", ["gh"]), ("z", ["ba"])]
    captions = captions_of(texts, y=("x", "absent"))
    wrong = {
        index: {other for other in range(6) if captions.are_wrong_of(index, np.asarray([other]))[0]}
        for index in range(6)
    }
    # 0 and 2 read alike, so 2 is true of w, whose 1 and 4 are; 3 is true of x, too; 5 has the words of 0
    assert wrong == {0: {3, 5}, 1: {3, 5}, 2: {5}, 3: {0, 1, 4, 5}, 4: {3, 5}, 5: {0, 1, 2, 3, 4}}


def test_wrong_ones_are_drawn_from_all_that_are() -> None:
    captions = captions_of([("w", ["ab", "cd"]), ("x", ["ab"]), ("y", ["ef"]), ("z", ["gh"])])
    assert set(captions.wrong(0, 200, np.random.default_rng(0)).tolist()) == {3, 4}


@pytest.mark.parametrize("pool", [1, 4])
def test_those_alike_are_wrong_of_one_another(pool: int) -> None:
    captions, rng = random_captions(9, 3), np.random.default_rng(1)
    for index in range(27):
        found = captions.alike(index, 5, pool, rng)
        assert found[0] == index and len(set(captions.owner[found])) == 5
    assert set(captions.owner[captions.alike(4, 9, pool, rng)]) == set(range(9))


def test_more_than_there_are_is_refused() -> None:
    with pytest.raises(InputError, match="no 10 images"):
        random_captions(9, 3).alike(4, 10, 2, np.random.default_rng(0))
    with pytest.raises(InputError, match="at least two images"):
        captions_of([("w", ["ab"]), ("w", ["cd"]), ("x", [])])
    with pytest.raises(InputError, match="w: hardly a caption"):
        captions_of([("w", ["ab"]), ("x", ["ab"])]).wrong(0, 1, np.random.default_rng(0))


def test_a_larger_pool_holds_captions_that_are_more_alike() -> None:
    captions = random_captions(60, 3)

    def mean_likeness(pool: int) -> float:
        rng = np.random.default_rng(2)
        return float(np.mean([captions.likeness(i, captions.alike(i, 4, pool, rng)[1:]).mean() for i in range(180)]))

    assert mean_likeness(1) * 1.3 < mean_likeness(8)
