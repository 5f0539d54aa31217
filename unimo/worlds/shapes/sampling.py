"""Scenes drawn at random: which combinations appear where, and how objects are placed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from random import Random

from unimo.worlds.shapes.options import ShapesOptions
from unimo.worlds.shapes.scene import AREAS, COLORS, SHAPES, SIZES, TEXTURES, Pair, Scene, SceneObject

SIDES = {"small": (0.17, 0.20), "large": (0.30, 0.34)}  # shares of the picture's side
STRETCH = 0.04  # width and height differ by up to this share
AREA_CLEARANCE = 0.04  # centres stay this far (share of the side) from the borders between areas
EDGE = 0.012  # and boxes this far from the picture's edge
GAP = 0.03  # and from one another


def stream(options: ShapesOptions, *purpose: object) -> Random:
    """A random generator of its own for each purpose, so that one part of the world does not shift another."""
    return Random("/".join(str(part) for part in (options.seed, *purpose)))


def split_pairs(options: ShapesOptions) -> tuple[tuple[Pair, ...], tuple[Pair, ...]]:
    """Divide the combinations of colour and shape into (seen, held out).

    Held-out ones are taken along a diagonal of the table of 8 colours and 6 shapes, which meets 24 cells: every colour
    and every shape loses about as many partners and keeps at least half of them.
    """
    rng = stream(options, "held out")
    colors = rng.sample(COLORS, len(COLORS))
    shapes = rng.sample(SHAPES, len(SHAPES))
    table = sorted((color, shape) for color in COLORS for shape in SHAPES)
    count = max(1, round(options.held_out_fraction * len(table)))
    held_out = {(colors[number % len(colors)], shapes[number % len(shapes)]) for number in range(count)}
    assert len(held_out) == count, "the diagonal has come round"
    return tuple(pair for pair in table if pair not in held_out), tuple(sorted(held_out))


def sample_scene(
    rng: Random,
    image_id: str,
    split: str,
    options: ShapesOptions,
    pairs: Sequence[Pair],
    required: Sequence[Pair] = (),
) -> Scene:
    """Draw a scene of objects from `pairs`, one of them from `required` where that is given.

    At least two objects (one of them the required one) stand in an unambiguous relation.
    """
    count = rng.randint(options.min_objects, options.max_objects)
    chosen = [rng.choice(required)] if required else []
    chosen += rng.sample([pair for pair in pairs if pair not in chosen], count - len(chosen))
    looks = [(shape, color, rng.choice(TEXTURES), rng.choice(SIZES)) for color, shape in chosen]
    while True:
        related = rng.sample(rng.choices(*_RELATED_AREAS)[0], 2)
        others = rng.sample([area for area in range(len(AREAS)) if area not in related], count - 2)
        # the areas are kept while places inside them are tried, so that crowded ones do not become rare
        for _ in range(200):
            placed = zip(looks, (*related, *others), strict=True)
            objects = tuple(SceneObject(*look, _place(rng, area, look[3], options.image_size)) for look, area in placed)
            scene = Scene(image_id, split, options.image_size, options.image_size, objects)
            if scene.relation(objects[0], objects[1]) is not None and not _crowded(scene):
                return replace(scene, objects=tuple(rng.sample(objects, count)))


def _related_areas() -> tuple[list[tuple[int, int]], list[float]]:
    """The areas of two objects one of which is beside or above the other, and how often each two are drawn.

    The weights solve two wishes: an object is in each area equally often, and what is said of it in an area is each
    possible relation equally often. With areas drawn at random the area alone would tell 60% of the relations.
    """
    corner, edge, middle = 2, 1, 0  # by distance from the middle, in steps along the rows and columns
    weights = {(corner, edge): 1.0, (corner, corner): 0.5, (middle, edge): 0.75, (edge, edge): 0.25}
    found: dict[tuple[int, int], float] = {}
    for first, second in combinations(range(len(AREAS)), 2):
        (row, column), (other_row, other_column) = divmod(first, 3), divmod(second, 3)
        kinds = (abs(row - 1) + abs(column - 1), abs(other_row - 1) + abs(other_column - 1))
        if row == other_row or column == other_column:
            found[first, second] = weights.get(kinds) or weights[kinds[::-1]]
    return list(found), list(found.values())


_RELATED_AREAS = _related_areas()


def _place(rng: Random, area: int, size: str, side: int) -> tuple[float, float, float, float]:
    extent = rng.uniform(*SIDES[size])
    row, column = divmod(area, 3)
    low, high = [], []
    for index in (column, row):
        half = extent * rng.uniform(1 - STRETCH, 1 + STRETCH) / 2
        start = max(index / 3 + AREA_CLEARANCE, half + EDGE)
        end = min((index + 1) / 3 - AREA_CLEARANCE, 1 - half - EDGE)
        center = rng.uniform(start, end)
        low.append(round((center - half) * side, 1))
        high.append(round((center + half) * side, 1))
    return low[0], low[1], high[0], high[1]


def _crowded(scene: Scene) -> bool:
    gap = GAP * scene.width
    for index, first in enumerate(scene.objects):
        for second in scene.objects[index + 1 :]:
            a, b = first.box, second.box
            apart = a[2] + gap <= b[0] or b[2] + gap <= a[0] or a[3] + gap <= b[1] or b[3] + gap <= a[1]
            if not apart:
                return True
    return False
