"""A scene of the world: which objects there are and where, and what is true of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import permutations
from pathlib import Path

from unimo.errors import InputError
from unimo.files import parse_json, read_lines

SHAPES = ("circle", "square", "triangle", "star", "cross", "heart")
COLORS = ("red", "green", "blue", "yellow", "purple", "orange", "pink", "brown")
TEXTURES = ("plain", "striped", "dotted")
SIZES = ("small", "large")
AREAS = ("top left", "top", "top right", "left", "middle", "right", "bottom left", "bottom", "bottom right")
RELATIONS = ("left of", "right of", "above", "below")
INVERSE = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}

# A relation is stated where the centres differ by this share of the picture's side along one axis ...
RELATION_DISTANCE = 0.22
# ... and by this factor more than along the other axis; between the two it would be a matter of opinion.
RELATION_DOMINANCE = 2.0

Pair = tuple[str, str]  # (color, shape): what captions tell objects apart by


@dataclass(frozen=True)
class SceneObject:
    """One drawn object; `box` is x1, y1, x2, y2 in pixels, tight around the drawing."""

    shape: str
    color: str
    texture: str
    size: str
    box: tuple[float, float, float, float]

    @property
    def pair(self) -> Pair:
        """Colour and shape, unique inside a scene."""
        return self.color, self.shape

    @property
    def center(self) -> tuple[float, float]:
        """Centre of the box, x and y in pixels."""
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2


@dataclass(frozen=True)
class Scene:
    """The objects of one image; `split` is train, dev, test or images (those without text)."""

    image_id: str
    split: str
    width: int
    height: int
    objects: tuple[SceneObject, ...]

    def area(self, item: SceneObject) -> str:
        """The one of the nine areas of the picture that holds the object's centre."""
        x, y = item.center
        column = min(int(3 * x / self.width), 2)
        row = min(int(3 * y / self.height), 2)
        return AREAS[3 * row + column]

    def relation(self, first: SceneObject, second: SceneObject) -> str | None:
        """Where `first` is as seen from `second`, or None where it is ambiguous."""
        x = (first.center[0] - second.center[0]) / self.width
        y = (first.center[1] - second.center[1]) / self.height
        larger, smaller = max(abs(x), abs(y)), min(abs(x), abs(y))
        if larger < RELATION_DISTANCE or larger < RELATION_DOMINANCE * smaller:
            return None
        if abs(x) > abs(y):
            return "left of" if x < 0 else "right of"
        return "above" if y < 0 else "below"

    def related_pairs(self) -> list[tuple[SceneObject, SceneObject, str]]:
        """Every ordered pair of objects that stands in an unambiguous relation, with the relation."""
        found = ((first, second, self.relation(first, second)) for first, second in permutations(self.objects, 2))
        return [(first, second, relation) for first, second, relation in found if relation is not None]

    def find(self, pair: Pair) -> SceneObject | None:
        """The object of this colour and shape."""
        return next((item for item in self.objects if item.pair == pair), None)

    def contains_any(self, pairs: Iterable[Pair]) -> bool:
        """Whether an object has one of these combinations of colour and shape."""
        wanted = set(pairs)
        return any(item.pair in wanted for item in self.objects)


def possible_relations(area: str) -> tuple[str, ...]:
    """The relations that an object in this area can have to another one: nothing at the right is left of another."""
    impossible = {"left of": "right", "right of": "left", "above": "bottom", "below": "top"}
    return tuple(relation for relation in RELATIONS if impossible[relation] not in area.split())


def scene_to_json(scene: Scene) -> str:
    """One line of `scenes.jsonl`, without the line end."""
    return json.dumps(asdict(scene))


def read_scenes(path: str | Path) -> dict[str, Scene]:
    """Read `scenes.jsonl` (or the world's folder) into a dictionary by image id.

    Raises:
        InputError: the file is missing or a line is not a scene; the message names file and line.
    """
    path = Path(path)
    if path.is_dir():
        path = path / "scenes.jsonl"
    scenes: dict[str, Scene] = {}
    for scene, number in _parse_lines(path):
        if scene.image_id in scenes:
            raise InputError.at(path, f"image_id {scene.image_id!r} appears twice", number)
        scenes[scene.image_id] = scene
    return scenes


def _parse_lines(path: Path) -> Iterator[tuple[Scene, int]]:
    for number, line in read_lines(path):
        try:
            value = parse_json(line)
            objects = tuple(_parse_object(item) for item in value["objects"])
            sides = int(value["width"]), int(value["height"])
            yield Scene(str(value["image_id"]), str(value["split"]), *sides, objects), number
        except KeyError as error:
            raise InputError.at(path, f"not a scene: {error} is missing", number) from error
        except (ValueError, TypeError, OverflowError) as error:
            raise InputError.at(path, f"not a scene: {error}", number) from error


def _parse_object(value: dict[str, object]) -> SceneObject:
    words = {"shape": SHAPES, "color": COLORS, "texture": TEXTURES, "size": SIZES}
    for key, allowed in words.items():
        if value[key] not in allowed:
            raise ValueError(f"{key} is {value[key]!r}, expected one of {', '.join(allowed)}")
    box = value["box"]
    if not isinstance(box, list) or len(box) != 4:
        raise ValueError(f"box is {box!r}, expected [x1, y1, x2, y2]")
    x1, y1, x2, y2 = (float(number) for number in box)
    shape, color, texture, size = (str(value[key]) for key in words)
    return SceneObject(shape, color, texture, size, (x1, y1, x2, y2))
