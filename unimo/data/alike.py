"""How alike captions are, to find wrong ones that are hard to tell from the true one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from unimo.data.records import CaptionRecord
from unimo.errors import InputError


class Captions:
    """All captions of some images, and which are wrong of an image; tells how alike two are by the tokens they share.

    A caption is wrong of an image that it does not belong to, is not recorded as true of (``also_true``), and none of
    whose own captions it repeats word for word.
    """

    def __init__(self, records: Sequence[CaptionRecord], token_ids: Sequence[Sequence[int]], vocab_size: int) -> None:
        """
        Args:
            records: images with captions; several may be of one image.
            token_ids: of their C captions, one after another.
            vocab_size: of the tokenizer.

        Raises:
            InputError: captions of fewer than two images.
        """
        self.image_ids = list(dict.fromkeys(record.image_id for record in records))
        numbers = {image_id: number for number, image_id in enumerate(self.image_ids)}
        self.owner = np.asarray([numbers[record.image_id] for record in records for _ in record.captions], np.int64)
        """[C] number of each caption's image."""
        if len(np.unique(self.owner)) < 2:
            raise InputError("captions of at least two images are needed: without there is no wrong caption")
        self._true_of: dict[int, set[int]] = {}  # of captions that are true of other images
        same: dict[tuple[int, ...], set[int]] = {}
        for ids, image in zip(token_ids, self.owner.tolist(), strict=True):
            same.setdefault(tuple(ids), set()).add(image)
        recorded = [record.also_true for record in records for _ in record.captions]
        for index, (ids, also_true) in enumerate(zip(token_ids, recorded, strict=True)):
            images = same[tuple(ids)] | {numbers[image_id] for image_id in also_true if image_id in numbers}
            if len(images | {int(self.owner[index])}) > 1:
                self._true_of[index] = images
        words = [np.unique(np.asarray(ids, np.int32)) for ids in token_ids]
        counts = np.bincount(np.concatenate(words), minlength=vocab_size)
        self._words = np.full((len(words), max(map(len, words))), vocab_size, np.int32)  # filled up with no token
        for row, each in zip(self._words, words, strict=True):
            row[: len(each)] = each
        self._weights = np.append(np.log(len(words) / np.maximum(counts, 1)), 0.0)  # rare tokens weigh more

    def are_wrong_of(self, index: int, others: np.ndarray) -> np.ndarray:
        """Bool of each caption of ``others`` [N]: wrong of caption ``index``'s image, as ``index`` is of its image."""
        image, owner = int(self.owner[index]), self.owner[others]
        wrong = owner != image
        if index in self._true_of:
            wrong &= ~np.isin(owner, list(self._true_of[index]))
        if self._true_of:
            wrong &= np.asarray([image not in self._true_of.get(other, ()) for other in others.tolist()], bool)
        return wrong

    def wrong(self, index: int, count: int, rng: np.random.Generator) -> np.ndarray:
        """``count`` random captions that are wrong of caption ``index``'s image, and it of theirs.

        Raises:
            InputError: nearly all captions are true of nearly all images.
        """
        found = rng.integers(len(self.owner), size=count)
        for _ in range(1000):
            again = np.flatnonzero(~self.are_wrong_of(index, found))
            if not len(again):
                return found
            found[again] = rng.integers(len(self.owner), size=len(again))
        raise InputError(f"{self.image_ids[self.owner[index]]}: hardly a caption of another image is wrong of it")

    def likeness(self, index: int, candidates: np.ndarray) -> np.ndarray:
        """Weight of the tokens that each candidate (any shape) shares with caption ``index``."""
        marked = np.zeros_like(self._weights)
        own = self._words[index]
        marked[own] = self._weights[own]
        return marked[self._words[candidates]].sum(axis=-1)

    def alike(self, index: int, count: int, pool: int, rng: np.random.Generator) -> np.ndarray:
        """Caption ``index`` and the most like it of ``pool`` random ones for each that is wanted, of different images.

        Each of them is wrong of every other's image.

        Returns:
            [count] their numbers.

        Raises:
            InputError: there are not so many.
        """
        members, wanted = [index], count - 1
        for _ in range(100):
            drawn = self.wrong(index, pool * wanted, rng)
            for other in drawn[np.argsort(-self.likeness(index, drawn), kind="stable")].tolist():
                if len(members) == count:
                    break
                if self.are_wrong_of(other, np.asarray(members)).all():
                    members.append(other)
            if len(members) == count:
                return np.asarray(members)
        raise InputError(f"no {count} images whose captions are wrong of one another, {len(members)} were found")
