"""Wrong captions are wrong in one detail, and give nothing away without the picture."""

from __future__ import annotations

from collections import Counter

import pytest

from unimo.worlds.shapes import ShapesOptions, draw_scenes, parse_caption, true_of
from unimo.worlds.shapes.negatives import COUNTS, NUM_WRONG, HardNegatives, hard_negatives
from unimo.worlds.shapes.sampling import split_pairs

OPTIONS = ShapesOptions(num_train=1, num_dev=1, num_test=60, num_images_without_text=0, num_texts=0)


@pytest.fixture(scope="module")
def items() -> list[HardNegatives]:
    return hard_negatives([scene for scene in draw_scenes(OPTIONS) if scene.split == "test"], OPTIONS)


def test_a_caption_is_true_and_all_its_wrong_ones_are_false(items: list[HardNegatives]) -> None:
    scenes = {scene.image_id: scene for scene in draw_scenes(OPTIONS)}
    assert len(items) == 180
    for item in items:
        assert true_of(item.caption, scenes[item.image_id])
        texts = [wrong.text for wrong in item.wrong]
        assert len(set(texts)) == NUM_WRONG == len(texts)
        assert not any(true_of(text, scenes[item.image_id]) for text in texts)
        assert [wrong.kind for wrong in item.wrong] == [kind for kind, count in COUNTS.items() for _ in range(count)]


def test_a_wrong_caption_differs_in_the_kind_of_detail_that_it_says(items: list[HardNegatives]) -> None:
    for item in items:
        right = parse_caption(item.caption)
        assert right is not None and right.relation is not None
        for wrong in item.wrong:
            said = parse_caption(wrong.text)
            assert said is not None
            same_relation = said.relation == right.relation
            shapes = [claim.shape for claim in said.objects] == [claim.shape for claim in right.objects]
            looks = [(c.color, c.size, c.texture) for c in said.objects] == [
                (c.color, c.size, c.texture) for c in right.objects
            ]
            expected = {
                "object": (True, False, True),
                "attribute": (True, True, False),
                "relation": (False, True, True),
            }[wrong.kind]
            assert (same_relation, shapes, looks) == expected


def test_unseen_combinations_come_up_only_where_the_right_caption_has_one(items: list[HardNegatives]) -> None:
    _, held_out = split_pairs(OPTIONS)

    def is_new(text: str) -> bool:
        claims = parse_caption(text)
        assert claims is not None
        return any((claim.color, claim.shape) in held_out for claim in claims.objects)

    assert Counter(item.unseen for item in items).keys() == {False, True}
    for item in items:
        assert is_new(item.caption) == item.unseen
        if not item.unseen:
            assert not any(is_new(wrong.text) for wrong in item.wrong)


def test_the_same_world_gives_the_same_items(items: list[HardNegatives]) -> None:
    scenes = [scene for scene in draw_scenes(OPTIONS) if scene.split == "test"]
    assert hard_negatives(scenes[:5], OPTIONS) == items[:15]
