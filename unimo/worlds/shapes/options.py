"""What a user may choose about a generated world."""

from __future__ import annotations

from dataclasses import dataclass

from unimo.errors import InputError


@dataclass(frozen=True, kw_only=True)
class ShapesOptions:
    """Sizes and seed of a `shapes` world. The same options give the same bytes.

    Raises:
        InputError: a value is out of range; the message names the option.
    """

    seed: int = 1
    """Seed of everything that is drawn, placed or worded."""
    num_train: int = 6000
    """Number of training images with captions."""
    num_dev: int = 200
    """Number of development images with captions (no held-out combination among them)."""
    num_test: int = 200
    """Number of test images with captions; every second one contains a held-out combination of colour and shape."""
    num_images_without_text: int = 1000
    """Number of further training images that no text describes."""
    num_texts: int = 6000
    """Number of lines of plain text about imagined scenes that have no image."""
    num_statements_train: int = 8000
    """Number of training pairs of a sentence and a statement (half of them true)."""
    num_statements_dev: int = 400
    """Number of development pairs of a sentence and a statement."""
    num_statements_test: int = 400
    """Number of test pairs of a sentence and a statement; half of them name a held-out combination."""
    captions_per_image: int = 5
    """Number of differently worded captions of an image, at least 3 (one of each kind)."""
    questions_per_image: int = 4
    """Number of questions about an image, each of another kind; between 1 and 8."""
    min_objects: int = 2
    """Smallest number of objects in an image, at least 2."""
    max_objects: int = 3
    """Largest number of objects in an image, at most 4."""
    image_size: int = 128
    """Width and height of an image in pixels, at least 64."""
    held_out_fraction: float = 0.25
    """Share of the 48 combinations of colour and shape that appear only in the test split, at most 0.5."""
    attribute_probability: float = 0.3
    """How often a caption of `captions_*` and `retrieval_*` states an object's size, and how often its texture."""
    captioning_attribute_probability: float = 0.1
    """The same for `captioning_*`, whose captions are about objects, positions and relations first."""

    def __post_init__(self) -> None:
        positive = ("num_train", "num_dev", "num_test")
        counts = ("num_images_without_text", "num_texts")
        statements = ("num_statements_train", "num_statements_dev", "num_statements_test")
        for name in positive:
            _require(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")
        for name in counts + statements:
            _require(getattr(self, name) >= 0, name, getattr(self, name), "at least 0")
        _require(3 <= self.captions_per_image <= 20, "captions_per_image", self.captions_per_image, "3 to 20")
        _require(1 <= self.questions_per_image <= 8, "questions_per_image", self.questions_per_image, "1 to 8")
        _require(2 <= self.min_objects <= 4, "min_objects", self.min_objects, "2 to 4")
        expected = f"min_objects ({self.min_objects}) to 4"
        _require(self.min_objects <= self.max_objects <= 4, "max_objects", self.max_objects, expected)
        _require(64 <= self.image_size <= 1024, "image_size", self.image_size, "64 to 1024")
        _require(0 < self.held_out_fraction <= 0.5, "held_out_fraction", self.held_out_fraction, "above 0, at most 0.5")
        for name in ("attribute_probability", "captioning_attribute_probability"):
            _require(0 <= getattr(self, name) <= 1, name, getattr(self, name), "0 to 1")


def _require(condition: bool, name: str, value: object, expected: str) -> None:
    if not condition:
        raise InputError(f"{name} is {value}, expected {expected}")
