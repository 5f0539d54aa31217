from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from unimo.worlds.shapes import Scene, SceneObject, render_scene
from unimo.worlds.shapes.render import PAINT
from unimo.worlds.shapes.scene import COLORS, SHAPES, TEXTURES


def foreground(image: np.ndarray) -> np.ndarray:
    """Pixels unlike the commonest (background) color."""
    background = np.median(image.reshape(-1, 3), axis=0)
    return (np.abs(image.astype(int) - background).max(axis=2) > 40).astype(np.uint8)


@pytest.mark.parametrize("texture", TEXTURES)
@pytest.mark.parametrize("shape", SHAPES)
def test_an_object_is_one_region_that_fills_its_box(shape: str, texture: str) -> None:
    for number, color in enumerate(COLORS):
        for box in ((20.3, 30.6, 62.1, 71.9), (90.0, 80.4, 112.2, 103.1)):
            scene = Scene(f"i{number}", "test", 128, 128, (SceneObject(shape, color, texture, "small", box),))
            count, _, stats, _ = cv2.connectedComponentsWithStats(foreground(render_scene(scene, 3)), connectivity=8)
            assert count == 2, (color, box)
            x, y, width, height = stats[1][:4]
            assert np.allclose((x, y, x + width, y + height), box, atol=1.1)


def test_same_seed_same_picture_other_seed_other_picture(scene: Scene) -> None:
    assert np.array_equal(render_scene(scene, 1), render_scene(scene, 1))
    assert not np.array_equal(render_scene(scene, 1), render_scene(scene, 2))
    assert not np.array_equal(render_scene(scene, 1), render_scene(replace(scene, image_id="two"), 1))


@pytest.mark.parametrize("texture", TEXTURES)
def test_colors_are_told_apart_by_their_mean(texture: str) -> None:
    """The nearest mean in Lab over other pictures' means names the color of every object."""
    means: dict[str, list[np.ndarray]] = {color: [] for color in COLORS}
    for color in COLORS:
        for number in range(6):
            item = SceneObject("square", color, texture, "small", (50.0, 50.0, 72.0, 72.0))
            image = render_scene(Scene(f"{number}", "test", 128, 128, (item,)), 5)
            lab = cv2.cvtColor(image, cv2.COLOR_BGR2LAB).astype(float)
            means[color].append(lab[54:68, 54:68].mean(axis=(0, 1)))
    centers = np.array([np.mean(means[color][:3], axis=0) for color in COLORS])
    for row, color in enumerate(COLORS):
        for mean in means[color][3:]:
            distances = np.sort(np.linalg.norm(centers - mean, axis=1))
            assert np.argmin(np.linalg.norm(centers - mean, axis=1)) == row
            assert distances[1] > 1.5 * distances[0]


def test_plain_objects_have_the_paint_of_their_color(scene: Scene) -> None:
    pixel = render_scene(scene, 1)[85, 20][::-1]
    assert np.abs(pixel - np.array(PAINT["blue"], float)).max() < 25
