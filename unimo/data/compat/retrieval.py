"""The original's readers of retrieval: training groups with their wrong pairs, and all pairs of a test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from unimo.data.batch import collate
from unimo.data.compat.arrays import Arrays, image_arrays, single_sentence_ids, text_arrays
from unimo.data.compat.order import consecutive, shuffled_again_by_epoch
from unimo.data.compat.reader import OriginalReader, Pairs
from unimo.data.examples import Example, Vocabulary
from unimo.errors import InputError

Array = np.ndarray


class RetrievalTrainReader(OriginalReader):
    """A record is a caption; its group is the true pair, wrong images with it, and wrong captions of its image."""

    def __init__(self, pairs: Pairs, num_negative_images: int = 10, num_negative_captions: int = 10) -> None:
        self._pairs, self._counts = pairs, (num_negative_images, num_negative_captions)
        self._names = list(dict.fromkeys(pairs.image_ids))
        if len(self._names) < 2:
            raise InputError("data.train: retrieval needs captions of two images at least")
        number = {name: index for index, name in enumerate(self._names)}
        self._owner = [number[name] for name in pairs.image_ids]
        self._captions: list[list[int]] = [[] for _ in self._names]
        for caption, owner in enumerate(self._owner):
            self._captions[owner].append(caption)
        self._drawn: tuple[int, Array] | None = None

    def __len__(self) -> int:
        return len(self._pairs)

    def batches_of(self, epoch: int) -> list[list[int]]:
        """Consecutive captions of an order that every epoch shuffles further."""
        return consecutive(shuffled_again_by_epoch(len(self), epoch), self._pairs.rule.size)

    def examples(self, indices: Sequence[int], epoch: int) -> list[Example]:
        """The rows of every group, one group after another."""
        num_images, _ = self._counts
        rows = []
        for index in indices:
            drawn, owner = self._negatives(epoch)[index].tolist(), self._owner[index]
            pairs = [(owner, index)]
            pairs += [(image, index) for image in drawn[:num_images]]
            pairs += [(owner, caption) for caption in drawn[num_images:]]
            rows += [self._pairs.example(text, self._names[image]) for image, text in pairs]
        return rows

    def arrays(self, indices: Sequence[int], epoch: int) -> Arrays:
        """The rows, and zeros where a test has its ids."""
        return _pair_arrays(
            self.examples(indices, epoch), self._pairs.vocabulary, np.zeros((len(indices), 2), np.int64)
        )

    def _negatives(self, epoch: int) -> Array:
        """[captions, images + captions] numbers of every caption's wrong images and captions.

        One generator an epoch, its number the seed, draws them in the epoch's order: wrong images until they are not
        the true one; for a wrong caption first an image in the same way, then one of its captions.
        """
        if self._drawn is not None and self._drawn[0] == epoch:
            return self._drawn[1]
        rng = np.random.RandomState(epoch)
        num_images, num_captions = self._counts
        drawn = np.zeros((len(self), num_images + num_captions), np.int64)
        for index in shuffled_again_by_epoch(len(self), epoch):
            for place in range(num_images + num_captions):
                image = self._other_image(self._owner[index], rng)
                if place >= num_images:
                    captions = self._captions[image]
                    image = captions[rng.randint(0, len(captions))]  # the same draw as the original's rng.choice
                drawn[index, place] = image
        self._drawn = (epoch, drawn)
        return drawn

    def _other_image(self, image: int, rng: np.random.RandomState) -> int:
        while True:
            found = int(rng.randint(0, len(self._names)))
            if found != image:
                return found


class RetrievalTestReader(OriginalReader):
    """Every caption with every image, caption by caption. The original takes the images' height for their width."""

    def __init__(self, pairs: Pairs, sentence_ids: Sequence[int]) -> None:
        self._pairs = replace(pairs, images=pairs.images.with_swapped_sides())
        self._sentence_ids, self._names = sentence_ids, list(dict.fromkeys(pairs.image_ids))

    def __len__(self) -> int:
        return len(self._pairs) * len(self._names)

    def batches_of(self, epoch: int) -> list[list[int]]:
        """Consecutive pairs; a pair's number counts images first."""
        return consecutive(range(len(self)), self._pairs.rule.size)

    def examples(self, indices: Sequence[int], epoch: int) -> list[Example]:
        """The pairs."""
        return [
            self._pairs.example(caption, self._names[image])
            for caption, image in (divmod(index, len(self._names)) for index in indices)
        ]

    def arrays(self, indices: Sequence[int], epoch: int) -> Arrays:
        """The pairs with the numbers of image and sentence."""
        pairs = [divmod(index, len(self._names)) for index in indices]
        ids = [[int(self._names[image]), self._sentence_ids[caption]] for caption, image in pairs]
        return _pair_arrays(self.examples(indices, epoch), self._pairs.vocabulary, np.asarray(ids, np.int64))


def _pair_arrays(examples: Sequence[Example], vocabulary: Vocabulary, ids: Array) -> Arrays:
    batch = collate(examples, vocabulary.pad_id)
    return {
        **text_arrays(batch, single_sentence_ids(batch), image=True),
        **image_arrays(batch),
        "labels": np.zeros((len(ids), 1), np.int64),
        "ids": ids,
    }
