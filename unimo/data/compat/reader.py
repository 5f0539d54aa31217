"""What every reader of the original does: name the examples of its batches, and render them as its graphs read them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from unimo.data.compat.arrays import Arrays
from unimo.data.compat.order import BatchRule
from unimo.data.examples import Example, Vocabulary, with_regions
from unimo.data.images import ImageSource


class OriginalReader(ABC):
    """Batches as lists of record numbers, a pure function of the epoch, so that training resumes anywhere."""

    @abstractmethod
    def __len__(self) -> int:
        """How many records there are."""

    @abstractmethod
    def batches_of(self, epoch: int) -> list[list[int]]:
        """All batches of an epoch; a record may come twice, or not at all, where the original's does."""

    @abstractmethod
    def examples(self, indices: Sequence[int], epoch: int) -> list[Example]:
        """The sequences of a batch."""

    @abstractmethod
    def arrays(self, indices: Sequence[int], epoch: int) -> Arrays:
        """A batch as the original's graph reads it, in the graph's order."""

    def batches(self, num_epochs: int = 1) -> Iterator[Arrays]:
        """The arrays of every batch."""
        for epoch in range(num_epochs):
            for indices in self.batches_of(epoch):
                yield self.arrays(indices, epoch)


class ExampleReader(OriginalReader):
    """A reader of texts alone: all examples are made beforehand, and an order of them is cut into batches."""

    def __init__(self, examples: Sequence[Example], vocabulary: Vocabulary, rule: BatchRule) -> None:
        self.vocabulary = vocabulary
        self._examples, self._rule = examples, rule

    def __len__(self) -> int:
        return len(self._examples)

    @abstractmethod
    def order_of(self, epoch: int) -> Sequence[int]:
        """The records in the order of an epoch."""

    def batches_of(self, epoch: int) -> list[list[int]]:
        """Consecutive records of the epoch's order."""
        return self._rule.cut(self.order_of(epoch), [example.num_tokens for example in self._examples])

    def examples(self, indices: Sequence[int], epoch: int) -> list[Example]:
        """The same in every epoch."""
        return [self._examples[index] for index in indices]


@dataclass(frozen=True)
class Pairs:
    """The texts of all lines and where their images are read, as readers of images take them."""

    texts: Sequence[Example]
    image_ids: Sequence[str]
    images: ImageSource
    vocabulary: Vocabulary
    rule: BatchRule

    def __len__(self) -> int:
        return len(self.texts)

    def example(self, index: int, image_id: str = "") -> Example:
        """A line's text with its own image, or with another."""
        return with_regions(self.texts[index], self.images[image_id or self.image_ids[index]])
