from __future__ import annotations

import json
from pathlib import Path

import pytest

from unimo.errors import InputError
from unimo.worlds.shapes import Scene, SceneObject, ShapesOptions, draw_scenes, read_scenes
from unimo.worlds.shapes.sampling import EDGE, split_pairs
from unimo.worlds.shapes.scene import AREAS, COLORS, SHAPES, possible_relations, scene_to_json


def at(x: float, y: float, color: str = "red") -> SceneObject:
    return SceneObject("circle", color, "plain", "small", (x - 5, y - 5, x + 5, y + 5))


@pytest.mark.parametrize(
    ("x", "y", "area"),
    [(10, 10, "top left"), (50, 20, "top"), (80, 50, "right"), (50, 50, "middle"), (99, 99, "bottom right")],
)
def test_area(x: float, y: float, area: str) -> None:
    item = at(x, y)
    assert Scene("a", "test", 100, 100, (item,)).area(item) == area


@pytest.mark.parametrize(
    ("x", "y", "relation"),
    [(20, 50, "left of"), (80, 55, "right of"), (50, 20, "above"), (45, 80, "below"), (20, 20, None), (40, 50, None)],
)
def test_relation_to_the_middle(x: float, y: float, relation: str | None) -> None:
    first, second = at(x, y), at(50, 50, "blue")
    scene = Scene("a", "test", 100, 100, (first, second))
    assert scene.relation(first, second) == relation
    backwards = scene.relation(second, first)
    assert {relation, backwards} in ({"left of", "right of"}, {"above", "below"}, {None})


def test_held_out_pairs_leave_every_color_and_shape_seen() -> None:
    for seed in range(5):
        seen, held_out = split_pairs(ShapesOptions(seed=seed))
        assert len(seen) == 36 and len(held_out) == 12 and not set(seen) & set(held_out)
        for color in COLORS:
            assert 4 <= sum(pair[0] == color for pair in seen) < len(SHAPES)
        for shape in SHAPES:
            assert sum(pair[1] == shape for pair in seen) == 6


def test_drawn_scenes_are_unambiguous(small_options: ShapesOptions) -> None:
    scenes = draw_scenes(small_options)
    _, held_out = split_pairs(small_options)
    for scene in scenes:
        assert 2 <= len(scene.objects) <= 4
        assert len({item.pair for item in scene.objects}) == len(scene.objects)
        assert len({scene.area(item) for item in scene.objects}) == len(scene.objects)
        assert scene.related_pairs()
        for first, _, relation in scene.related_pairs():
            assert relation in possible_relations(scene.area(first))
        for item in scene.objects:
            assert min(item.box) >= 0.9 * EDGE * scene.width and max(item.box) <= scene.width * (1 - 0.9 * EDGE)
            for center in item.center:
                assert min(abs(center / scene.width - border) for border in (1 / 3, 2 / 3)) > 0.035
            side = max(item.box[2] - item.box[0], item.box[3] - item.box[1]) / scene.width
            assert (side < 0.22) == (item.size == "small") and (side > 0.27) == (item.size == "large")
        for number, first in enumerate(scene.objects):
            for second in scene.objects[number + 1 :]:
                a, b = first.box, second.box
                assert max(b[0] - a[2], a[0] - b[2], b[1] - a[3], a[1] - b[3]) > 1
    assert [scene.contains_any(held_out) for scene in scenes if scene.split == "test"] == [True, False] * 12
    assert not any(scene.contains_any(held_out) for scene in scenes if scene.split != "test")


def test_areas_and_relations_are_balanced() -> None:
    options = ShapesOptions(num_train=1500, num_dev=1, num_test=1, num_images_without_text=0, max_objects=2)
    areas = dict.fromkeys(AREAS, 0)
    relations: dict[tuple[str, str], int] = {}
    for scene in draw_scenes(options):
        for first, _, relation in scene.related_pairs():
            areas[scene.area(first)] += 1
            key = scene.area(first), relation
            relations[key] = relations.get(key, 0) + 1
    total = sum(areas.values())
    assert all(0.08 < count / total < 0.14 for count in areas.values())
    for (area, _), count in relations.items():
        assert count / areas[area] < 1.35 / len(possible_relations(area))


def test_read_scenes_round_trip(tmp_path: Path, scene: Scene) -> None:
    path = tmp_path / "scenes.jsonl"
    path.write_text(scene_to_json(scene) + "\n")
    assert read_scenes(path) == read_scenes(tmp_path) == {"one": scene}


@pytest.mark.parametrize(
    ("change", "message"),
    [({"width": "wide"}, "wide"), ({"objects": None}, "not a scene"), ({"image_id": "one"}, "twice")],
)
def test_read_scenes_names_the_line(tmp_path: Path, scene: Scene, change: dict[str, object], message: str) -> None:
    line = scene_to_json(scene)
    path = tmp_path / "scenes.jsonl"
    path.write_text(f"{line}\n{json.dumps(json.loads(line) | change)}\n")
    with pytest.raises(InputError, match=rf"scenes\.jsonl:2: .*{message}"):
        read_scenes(path)


def test_read_scenes_rejects_unknown_words(tmp_path: Path, scene: Scene) -> None:
    path = tmp_path / "scenes.jsonl"
    path.write_text(scene_to_json(scene).replace("striped", "checked") + "\n")
    with pytest.raises(InputError, match="texture is 'checked'"):
        read_scenes(path)


@pytest.mark.parametrize(
    "change", [{"num_train": 0}, {"max_objects": 5}, {"min_objects": 4}, {"image_size": 10}, {"held_out_fraction": 0.0}]
)
def test_options_out_of_range(change: dict[str, int]) -> None:
    with pytest.raises(InputError, match="expected"):
        ShapesOptions(**change)  # type: ignore[arg-type]
