from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unimo.worlds.shapes import (
    Claims,
    ObjectClaim,
    Scene,
    SceneIndex,
    SceneObject,
    ShapesOptions,
    chance_levels,
    check_caption,
    draw_scenes,
    parse_caption,
    part_by_pairs,
    score_captions,
    true_of,
)
from unimo.worlds.shapes.checking import holds
from unimo.worlds.shapes.language import CAPTION_KINDS, TEMPLATES, claims_about, say
from unimo.worlds.shapes.scene import AREAS, COLORS, RELATIONS, SHAPES, SIZES, TEXTURES

OBJECTS = st.builds(
    ObjectClaim,
    st.sampled_from(SHAPES),
    st.sampled_from(COLORS),
    st.sampled_from([None, *TEXTURES]),
    st.sampled_from([None, *SIZES]),
)
AREA, RELATION = st.sampled_from(AREAS), st.sampled_from(RELATIONS)
TWO = st.tuples(OBJECTS, OBJECTS)
CLAIMS = st.one_of(
    st.builds(Claims, TWO, RELATION),
    st.builds(Claims, TWO, st.none(), st.tuples(AREA, AREA)),
    st.builds(Claims, TWO, RELATION, st.tuples(AREA, st.none())),
    st.builds(Claims, st.tuples(OBJECTS)),
    st.builds(Claims, st.tuples(OBJECTS), st.none(), st.tuples(AREA, st.none())),
)


@settings(max_examples=300, deadline=None)
@given(CLAIMS, st.integers(0, 10**6))
def test_what_is_said_is_read_back(claims: Claims, seed: int) -> None:
    text = say(claims, Random(seed))
    found = parse_caption(text)
    assert found is not None and found.same_facts(claims)
    assert parse_caption("  " + text.upper().replace(" ", "  ") + " .") == found


def test_every_template_is_reached(scene: Scene) -> None:
    for kind, templates in TEMPLATES.items():
        texts = {say(claims_about(scene, kind, Random(n)), Random(n)) for n in range(300)}
        assert len(texts) >= len(templates)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a red circle",
        "a red circle a blue square is above",
        "a red circle is above",
        "a red blue circle is above a green star",
        "a red circle is above a blue square is above a green star",
        "a red circle is near a blue square",
        "there is a red",
        "a red circle 7 is above a blue square",
    ],
)
def test_other_sentences_are_not_read(text: str) -> None:
    assert parse_caption(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [  # scene, attributes, relation, position
        ("a red circle is above a blue square", (1, 1, 1, 0)),
        ("A striped, red circle is above the blue square.", (1, 1, 1, 0)),
        ("a small red circle is above a blue square", (1, 0, 1, 0)),
        ("under a red circle is a blue square with dots", (1, 0, 1, 0)),
        ("a red circle is below a blue square", (1, 1, 0, 0)),
        ("a blue square is left of a green star", (0 + 1, 1, 0, 0)),  # between two directions: nothing may be said
        ("a red circle is at the top left and above a blue square", (1, 1, 1, 1)),
        ("a red circle is at the top and above a blue square", (1, 1, 1, 0)),
        ("there is a blue square in the bottom left corner and a red circle is above it", (1, 1, 1, 1)),
        ("a red circle is at the top left and a green star is in the center", (1, 1, 0, 1)),
        ("a red circle is at the top left and a green star is on the right", (1, 1, 0, 0)),
        ("a red square is above a blue square", (0, 0, 0, 0)),
        ("a circle is above a blue square", (0, 0, 0, 0)),
        ("a red circle is above a red circle", (0, 0, 0, 0)),
        ("a red circle is at the top left", (0, 0, 0, 0)),
    ],
)
def test_check_caption(text: str, expected: tuple[int, ...], scene: Scene) -> None:
    check = check_caption(text, scene)
    assert check.parsed
    found = check.scene_correct, check.attributes_correct, check.relation_correct, check.position_correct
    assert tuple(map(int, found)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a circle is at the top left", True),
        ("there is a striped circle", True),
        ("there is a dotted circle", False),
        ("a red circle is above a small square", True),
        ("a red circle is above a large blue square", False),
        ("a red circle is not a square", False),
    ],
)
def test_true_of(text: str, expected: bool, scene: Scene) -> None:
    assert true_of(text, scene) is expected


def test_scores_by_hand(scene: Scene) -> None:
    captions = {
        "one": "a red circle is at the top left and above a blue square",
        "two": "a red circle is at the top and below a blue square",
        "three": "a red heart is at the top and below a blue square",
        "four": "what",
    }
    scores = score_captions(captions, dict.fromkeys(captions, scene))
    assert scores == {
        "parsed": 0.75,
        "scene_accuracy": 0.5,
        "attributes_accuracy": 0.5,
        "relation_accuracy": 0.25,
        "position_accuracy": 0.25,
        "relation_given_objects": 0.5,
        "position_given_objects": 0.5,
    }
    with pytest.raises(ValueError, match="no scene of image 'two'"):
        score_captions(captions, {"one": scene})
    with pytest.raises(ValueError, match="no captions"):
        score_captions({}, {})


def test_chance_by_hand(scene: Scene) -> None:
    other = Scene("two", "test", 100, 100, (scene.objects[0], scene.objects[1]))
    third = Scene(
        "three", "test", 100, 100, (SceneObject("heart", "pink", "plain", "small", (5, 5, 25, 25)), scene.objects[2])
    )
    captions = {
        "one": ["a red circle is at the top left and above a blue square"],
        "two": ["a large red circle is at the top left and above a blue square"],
        "three": ["a pink heart is at the top left and left of a green star"],
    }
    levels = chance_levels(captions, {item.image_id: item for item in (scene, other, third)})
    assert levels["scene_accuracy"] == levels["relation_accuracy"] == pytest.approx(2 / 6)
    assert levels["relation_given_objects"] == levels["relation_given_objects_and_position"] == pytest.approx(2 / 3)
    assert levels["position_given_objects"] == 1
    prior = {"x": ["a red circle is at the top left and left of a blue square"]}
    levels = chance_levels(captions, {item.image_id: item for item in (scene, other, third)}, prior)
    assert levels["relation_given_objects"] == levels["relation_given_objects_and_position"] == pytest.approx(1 / 3)


def test_index_finds_what_comparing_all_finds(small_options: ShapesOptions) -> None:
    scenes = draw_scenes(small_options)
    index = SceneIndex(scenes)
    for number, scene in enumerate(scenes[:60]):
        kind = (*CAPTION_KINDS, "object", "placed object")[number % 5]
        claims = claims_about(scene, kind, Random(number), 0.3)
        found = index.true_of(claims)
        assert scene.image_id in found
        assert found == [other.image_id for other in scenes if holds(claims, other)]


def test_part_by_pairs(scene: Scene) -> None:
    other = Scene("two", "test", 100, 100, scene.objects[1:])
    inside, outside = part_by_pairs({"one": "a", "two": "b"}, {"one": scene, "two": other}, [("red", "circle")])
    assert (inside, outside) == ({"one": "a"}, {"two": "b"})
