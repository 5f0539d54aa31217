"""A small world, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from unimo.worlds.shapes import Scene, SceneObject, ShapesOptions, generate

SMALL = ShapesOptions(
    num_train=60,
    num_dev=16,
    num_test=24,
    num_images_without_text=6,
    num_texts=60,
    num_statements_train=80,
    num_statements_dev=20,
    num_statements_test=40,
    image_size=96,
    max_objects=4,
)


@pytest.fixture(scope="session")
def small_options() -> ShapesOptions:
    return SMALL


@pytest.fixture(scope="session")
def small_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A world of 60 + 16 + 24 + 6 images; not to be changed by tests."""
    folder = tmp_path_factory.mktemp("worlds") / "small"
    generate(folder, SMALL)
    return folder


@pytest.fixture
def scene() -> Scene:
    """A large striped red circle top left, a small plain blue square at the bottom left, a green star in the middle."""
    objects = (
        SceneObject("circle", "red", "striped", "large", (5, 5, 35, 35)),
        SceneObject("square", "blue", "plain", "small", (10, 75, 30, 95)),
        SceneObject("star", "green", "dotted", "small", (45, 40, 65, 60)),
    )
    return Scene("one", "test", 100, 100, objects)
