"""What tasks on one image and one text share: sequences `[IMG] regions [CLS] text [SEP]`, and outputs for all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from unimo.data.examples import Example, text_example, with_regions
from unimo.errors import InputError
from unimo.tasks.downstream import DownstreamTask
from unimo.training.task import PredictionRequest, StepBatch, TaskContext, TrainingStream

Label = Callable[[int], object]


@dataclass(frozen=True)
class ImageTexts:
    """Texts about images, encoded, whose regions are read when a batch is made."""

    context: TaskContext
    record_ids: Sequence[str]
    image_ids: Sequence[str]
    token_ids: Sequence[Sequence[int]]

    def example(self, index: int) -> Example:
        """One sequence."""
        return with_regions(self.text(index), self.context.require_images()[self.image_ids[index]])

    def text(self, index: int) -> Example:
        """The text of a sequence."""
        limit = self.context.data.max_text_length
        return text_example(self.record_ids[index], [self.token_ids[index]], self.context.vocabulary, limit)

    def sizes(self) -> list[tuple[int, int]]:
        """Regions and tokens of every sequence."""
        limit, regions = self.context.data.max_text_length, self.context.require_images().num_regions(self.image_ids)
        return [(count, min(limit, len(ids) + 2)) for count, ids in zip(regions, self.token_ids, strict=True)]


def image_texts(
    context: TaskContext,
    rows: Sequence[tuple[str, str, str]],
    path: object,
    token_ids: Sequence[Sequence[int]] | None = None,
) -> ImageTexts:
    """(record id, image id, text) rows, every image present in the region store.

    ``token_ids``: of the texts, where they are not to be encoded.

    Raises:
        InputError: an image is not in the store.
    """
    names, images, texts = zip(*rows, strict=True)
    context.require_images().check(images, str(path))
    return ImageTexts(context, names, images, token_ids or context.tokenizer.encode_batch(list(texts)))


class ImageTextTask(DownstreamTask):
    """Outputs for an image with a text."""

    def image_text_stream(self, texts: ImageTexts, labels: Sequence[object]) -> TrainingStream:
        """The training stream of texts with their labels."""

        sizes = texts.sizes()
        collate = self.context.collator(sizes)

        def make_batch(indices: Sequence[int], epoch: int, step: int) -> StepBatch:
            examples = [replace(texts.example(index), label=labels[index]) for index in indices]  # type: ignore[arg-type]
            return {"main": collate(examples, indices)}

        return TrainingStream("pairs", [sum(size) for size in sizes], make_batch, sizes=sizes)

    def requested_pairs(self, request: PredictionRequest) -> tuple[list[tuple[str, str]], list[Example]]:
        """Every image with every text that a user asks for: names, and sequences.

        Raises:
            InputError: no image, or no text.
        """
        if not request.images or not request.texts:
            raise InputError("images, texts: this task needs at least one of each")
        texts = [" ".join(text) for text in request.texts]
        ids, limit = self.context.tokenizer.encode_batch(texts), self.context.data.max_text_length
        pairs, examples = [], []
        for name, regions in request.images.items():
            for text, token_ids in zip(texts, ids, strict=True):
                pairs.append((name, text))
                examples.append(with_regions(text_example("", [token_ids], self.context.vocabulary, limit), regions))
        return pairs, examples
