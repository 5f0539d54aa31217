"""Which pairs a step of retrieval scores together: groups of true pairs and the wrong ones they compete with."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import paddle
from paddle import Tensor

from unimo.data.alike import Captions


class Groups(ABC):
    """A form of groups; each grows out of one caption."""

    size: int
    """Pairs that a group scores."""

    @abstractmethod
    def draw(self, captions: Captions, index: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Numbers of the images and of the captions of the group's pairs: two of [size]."""

    @abstractmethod
    def compare(self, scores: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Scores [G, size] as those of P true pairs [P, 1], of their wrong images and of their wrong captions [P, N].

        The image of a true pair is compared with wrong ones for its caption, and its caption for its image.
        """


class OwnGroups(Groups):
    """The original's: a caption with its image, with wrong images, and its image with wrong captions."""

    def __init__(self, num_images: int, num_captions: int, pool: int = 1) -> None:
        """
        Args:
            num_images: wrong images.
            num_captions: wrong captions.
            pool: each wrong caption (and the image of each wrong image) is the one most like the true caption of so
                many random ones; 1 takes any, as the original.
        """
        self.num_images, self.num_captions, self.pool = num_images, num_captions, pool
        self.size = 1 + num_images + num_captions

    def draw(self, captions: Captions, index: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """The true pair, then wrong images, then wrong captions."""
        image = int(captions.owner[index])
        if self.pool == 1:
            wrong_images = rng.integers(len(captions.image_ids) - 1, size=self.num_images)
            wrong_images += wrong_images >= image
        else:
            wrong_images = captions.owner[self._wrong_captions(captions, index, self.num_images, rng)]
        wrong_captions = self._wrong_captions(captions, index, self.num_captions, rng)
        images = np.concatenate([[image], wrong_images, np.full(len(wrong_captions), image)])
        return images, np.concatenate([[index], np.full(len(wrong_images), index), wrong_captions])

    def compare(self, scores: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """One true pair a group."""
        return scores[:, :1], scores[:, 1 : 1 + self.num_images], scores[:, 1 + self.num_images :]

    def _wrong_captions(self, captions: Captions, index: int, count: int, rng: np.random.Generator) -> np.ndarray:
        """``count`` captions of other images, each the most alike of a random pool."""
        drawn = captions.wrong(index, count * self.pool, rng).reshape(count, self.pool)
        if self.pool == 1:
            return drawn[:, 0]
        return drawn[np.arange(count), np.argmax(captions.likeness(index, drawn), axis=1)]


class MutualGroups(Groups):
    """Pairs of different images, each image with each caption: a wrong pair serves as wrong image and as wrong caption.

    N true pairs take N * N scores, where as many groups of their own with N - 1 wrong images and captions would take
    N * (2 * N - 1).
    """

    def __init__(self, num_pairs: int, pool: int = 1) -> None:
        """
        Args:
            num_pairs: true pairs of a group.
            pool: the captions most like the first one are taken of so many random ones for each that is wanted; 1
                takes any.
        """
        self.num_pairs, self.pool = num_pairs, pool
        self.size = num_pairs**2

    def draw(self, captions: Captions, index: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Image-major."""
        chosen = captions.alike(index, self.num_pairs, self.pool, rng)
        return np.repeat(captions.owner[chosen], self.num_pairs), np.tile(chosen, self.num_pairs)

    def compare(self, scores: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Every pair of a group is true once."""
        count = self.num_pairs
        grid = scores.reshape([-1, count, count])
        wrong = paddle.nonzero(1 - paddle.eye(count).flatten()).flatten()
        positive = paddle.diagonal(grid, axis1=1, axis2=2).reshape([-1, 1])
        by_caption = grid.transpose([0, 2, 1])
        wrong_images, wrong_captions = (
            paddle.index_select(side.reshape([-1, count * count]), wrong, axis=1).reshape([-1, count - 1])
            for side in (by_caption, grid)
        )
        return positive, wrong_images, wrong_captions
