"""How alike captions are, to find wrong ones that are hard to tell from the true one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


class Captions:
    """All captions of a file with the images they belong to; tells how alike two are by the tokens they share."""

    def __init__(self, owner: np.ndarray, token_ids: Sequence[Sequence[int]], vocab_size: int) -> None:
        """
        Args:
            owner: [C] number of each caption's image, ascending.
            token_ids: of the C captions.
            vocab_size: of the tokenizer.
        """
        self.owner = owner
        self.token_ids = [np.unique(ids) for ids in token_ids]
        counts = np.bincount(np.concatenate(self.token_ids), minlength=vocab_size)
        self.weights = np.log(len(token_ids) / np.maximum(counts, 1))  # rare tokens weigh more

    @property
    def num_images(self) -> int:
        """Images that have captions."""
        return int(self.owner.max()) + 1

    def of_other_images(self, image: int, count: int, rng: np.random.Generator) -> np.ndarray:
        """``count`` random captions of other images than ``image``."""
        first, last = np.searchsorted(self.owner, [image, image + 1])
        drawn = rng.integers(len(self.owner) - (last - first), size=count)
        return np.where(drawn >= first, drawn + (last - first), drawn)

    def likeness(self, index: int, candidates: np.ndarray) -> np.ndarray:
        """Weight of the tokens that each candidate (any shape) shares with caption ``index``."""
        marked = np.zeros_like(self.weights)
        own = self.token_ids[index]
        marked[own] = self.weights[own]
        shared = [marked[self.token_ids[candidate]].sum() for candidate in candidates.flat]
        return np.asarray(shared).reshape(candidates.shape)

    def alike(self, index: int, count: int, pool: int, rng: np.random.Generator) -> np.ndarray:
        """Caption ``index`` and the most like it of ``pool`` random ones for each that is wanted, of different images.

        Returns:
            [count] their numbers; fewer where there are fewer images.
        """
        count = min(count, self.num_images)
        image = int(self.owner[index])
        members = {image: index}
        while len(members) < count:
            drawn = self.of_other_images(image, pool * (count - 1), rng)
            for other in drawn[np.argsort(-self.likeness(index, drawn), kind="stable")]:
                members.setdefault(int(self.owner[other]), int(other))
                if len(members) == count:
                    break
        return np.asarray(list(members.values()))
