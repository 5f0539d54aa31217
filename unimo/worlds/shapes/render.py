"""Scenes drawn as pictures."""

from __future__ import annotations

import math
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from unimo.worlds.shapes.scene import Scene, SceneObject

Image = np.ndarray[Any, np.dtype[Any]]

# Red, green, blue. `TONES` is what stripes and dots are painted in: of the same hue, and chosen so that no colour's
# tone is another colour (a lighter red would be pink, a darker orange brown).
PAINT = {
    "red": (212, 30, 38),
    "green": (36, 150, 62),
    "blue": (35, 85, 215),
    "yellow": (245, 210, 25),
    "purple": (122, 40, 165),
    "orange": (250, 132, 12),
    "pink": (250, 125, 190),
    "brown": (116, 66, 30),
}
TONES = {
    "red": (140, 12, 20),
    "green": (16, 92, 34),
    "blue": (120, 160, 250),
    "yellow": (188, 156, 8),
    "purple": (178, 110, 215),
    "orange": (255, 190, 110),
    "pink": (215, 70, 145),
    "brown": (70, 36, 12),
}
TILT = {"circle": 0.0, "square": 12.0, "triangle": 14.0, "star": 16.0, "cross": 12.0, "heart": 14.0}  # degrees, at most
FINE = 4  # sub-pixels per pixel along each axis when outlines are filled


def render_scene(scene: Scene, seed: int | str) -> Image:
    """Draw a scene.

    Returns:
        uint8 [height, width, 3] in OpenCV's order (blue, green, red). The same scene and seed give the same picture.
    """
    rng = Random(f"{seed}/{scene.image_id}")
    image = _background(scene.width, scene.height, rng)
    for item in scene.objects:
        _draw(image, item, scene.width, rng)
    return image


def write_image(scene: Scene, seed: int | str, path: str | Path) -> None:
    """Draw a scene into a PNG file."""
    import cv2

    # level 1: a third of the time of the default level for a tenth more bytes
    done, encoded = cv2.imencode(".png", render_scene(scene, seed), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    assert done
    Path(path).write_bytes(encoded.tobytes())


def _background(width: int, height: int, rng: Random) -> Image:
    base = rng.uniform(228, 246)
    tint = [base + rng.uniform(-7, 7) for _ in range(3)]
    noise = np.random.default_rng(rng.getrandbits(64)).integers(-3, 4, (-(-height // 4), -(-width // 4)))
    # blocks of 4 x 4 pixels: paper-like grain that PNG still packs
    grain = noise.repeat(4, axis=0).repeat(4, axis=1)[:height, :width, None]
    return np.clip(grain + np.array(tint), 0, 255).astype(np.uint8)


def _draw(image: Image, item: SceneObject, side: int, rng: Random) -> None:
    import cv2

    x1, y1, x2, y2 = item.box
    left, top = max(math.floor(x1) - 1, 0), max(math.floor(y1) - 1, 0)
    right, bottom = min(math.ceil(x2) + 2, image.shape[1]), min(math.ceil(y2) + 2, image.shape[0])
    points = _outline(item.shape, math.radians(rng.uniform(-TILT[item.shape], TILT[item.shape])))
    # filled at four times the size and averaged: OpenCV's own antialiased polygons grow by up to a pixel
    points = (points * (x2 - x1, y2 - y1) + (x1 - left, y1 - top)) * FINE - 0.5
    fine = np.zeros(((bottom - top) * FINE, (right - left) * FINE), np.uint8)
    cv2.fillPoly(fine, [np.round(points).astype(np.int32)], 255)
    mask = cv2.resize(fine, (right - left, bottom - top), interpolation=cv2.INTER_AREA)
    change = rng.uniform(0.94, 1.06)
    shift = np.array([rng.uniform(-7, 7) for _ in range(3)])
    paint = np.array(PAINT[item.color]) * change + shift
    tone = np.array(TONES[item.color]) * change + shift
    second = _texture(item.texture, mask.shape[0], mask.shape[1], side, rng)
    colored = np.where(second[..., None], tone, paint)[..., ::-1]
    opacity = mask[..., None] / 255.0
    patch = image[top:bottom, left:right]
    patch[:] = np.clip(opacity * colored + (1 - opacity) * patch, 0, 255).astype(np.uint8)


def _texture(texture: str, height: int, width: int, side: int, rng: Random) -> Image:
    """Where the second tone goes: bool [height, width]."""
    rows, columns = np.ogrid[:height, :width]
    if texture == "striped":
        angle = rng.choice((0.0, math.pi / 4, math.pi / 2, 3 * math.pi / 4))
        distance = rows * math.sin(angle) + columns * math.cos(angle) + rng.uniform(0, side)
        return np.broadcast_to(distance % (0.055 * side) < 0.0235 * side, (height, width))
    if texture == "dotted":
        pitch = 0.06 * side
        y, x = (rows + rng.uniform(0, pitch)) % pitch, (columns + rng.uniform(0, pitch)) % pitch
        return (y - pitch / 2) ** 2 + (x - pitch / 2) ** 2 < (0.0195 * side) ** 2
    return np.zeros((height, width), bool)


def _outline(shape: str, angle: float) -> Image:
    """Points of the shape turned by `angle` and stretched to fill the unit square exactly: float64 [points, 2]."""
    points = _POINTS[shape]
    cosine, sine = math.cos(angle), math.sin(angle)
    points = points @ np.array([[cosine, sine], [-sine, cosine]])
    low, high = points.min(axis=0), points.max(axis=0)
    return (points - low) / (high - low)


def _polar(count: int, radii: tuple[float, ...]) -> Image:
    angles = np.arange(count) * 2 * np.pi / count - np.pi / 2
    radius = np.resize(np.array(radii), count)
    return np.stack([radius * np.cos(angles), radius * np.sin(angles)], axis=1)


def _heart(count: int = 60) -> Image:
    t = np.arange(count) * 2 * np.pi / count
    x = 16 * np.sin(t) ** 3
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return np.stack([x, -y], axis=1)


def _cross(arm: float = 0.33) -> Image:
    corners = [(arm, -1), (arm, -arm), (1, -arm), (1, arm), (arm, arm), (arm, 1)]
    return np.array(corners + [(-x, -y) for x, y in corners], dtype=float)


_POINTS: dict[str, Image] = {
    "circle": _polar(64, (1.0,)),
    "square": np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], dtype=float),
    "triangle": np.array([(0, -1), (1, 1), (-1, 1)], dtype=float),
    "star": _polar(10, (1.0, 0.42)),
    "cross": _cross(),
    "heart": _heart(),
}
