"""Image captioning: the image (and object tags) given, the caption generated causally."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from unimo.data.compat.captioning import CaptionReader
from unimo.data.compat.order import BatchRule
from unimo.data.compat.reader import OriginalReader, Pairs
from unimo.data.encoding import caption_token_ids
from unimo.data.examples import Example, RegionInput, with_regions
from unimo.data.formats.release import caption_lines, captions_of, object_tags_of
from unimo.data.generation_examples import generation_example, hide_history, with_object_tags
from unimo.data.records import CaptionRecord
from unimo.data.sampling import record_rng
from unimo.errors import InputError
from unimo.files import input_files
from unimo.generation import DecodingSettings, TargetStart
from unimo.metrics.captioning import caption_metrics, check_caption_metrics
from unimo.modeling import UnimoModel
from unimo.objectives.adversarial import AdversarialOptions
from unimo.regions.names import ImageNames
from unimo.tasks.downstream import unlabelled_notes
from unimo.tasks.generating import GeneratingTask
from unimo.training.task import (
    Evaluation,
    PredictionRequest,
    StepBatch,
    TaskContext,
    TrainingStream,
)


@dataclass(frozen=True)
class CaptioningOptions:
    """Settings of captioning. Defaults are the original's base recipe without adversarial training."""

    label_smoothing: float = 0.1
    """Weight of the uniform distribution in the targets."""

    history_dropout: float = 0.0
    """Share of a caption's own past hidden while its next token is predicted (ours: it makes a small model look)."""

    decoding: DecodingSettings = field(
        default_factory=lambda: DecodingSettings(beam_size=5, min_length=5, max_length=50)
    )
    """How captions are generated."""

    metrics: tuple[str, ...] = ("bleu", "cider")
    """Caption metrics to compute: bleu, rouge_l, cider, meteor, spice."""

    adversarial: AdversarialOptions = field(default_factory=AdversarialOptions)
    """Adversarial training (VILLA or FreeLB)."""

    object_tags: str = ""
    """Names of detected objects, read between image and caption (original release): JSON lines
    ``{"image_id": str, "tags": [str, ...]}``, or the release's object file; empty reads none."""

    max_tag_tokens: int = 100
    """Tokens of an image's tags that are read."""

    def __post_init__(self) -> None:
        """Refuse unknown metrics."""
        check_caption_metrics(self.metrics)


class Captioning(GeneratingTask):
    """`[IMG] regions [CLS] caption [SEP]`, the caption seeing the image and its own past."""

    name = "captioning"
    options_class = CaptioningOptions
    loss_name = "captioning"
    best_metric = "cider"
    in_release = True
    options: CaptioningOptions

    def __init__(self, context: TaskContext, options: CaptioningOptions) -> None:
        super().__init__(context, options)
        tags = object_tags_of(options.object_tags, context.tokenizer) if options.object_tags else {}
        self._tags = {image: ids[: options.max_tag_tokens] for image, ids in tags.items()}
        self._tagged = ImageNames(tags, options.object_tags)

    def read(self, path: str | Path) -> list[CaptionRecord]:
        """Images with captions, or images to caption."""
        return captions_of(path, self.context.tokenizer, required=False)

    def longest_texts(self) -> dict[str, int]:
        """Captions, tags and what is written."""
        options = self.options
        tags = {"options.max_tag_tokens": options.max_tag_tokens} if options.object_tags else {}
        return super().longest_texts() | tags | {"options.decoding.max_length": options.decoding.max_length}

    def streams(self) -> list[TrainingStream]:
        """One record a caption."""
        if self.context.data.compat:
            return self.original_streams(self.original_reader(self.context.data.train), history_dropout=0.0)
        records = self._records(self.context.data.train)
        images = self.context.require_images()
        _require_captions(records, self.context.data.train)
        pairs = [(record, caption) for record in records for caption in record.captions]
        token_ids = caption_token_ids(records, self.context.tokenizer)
        num_regions = dict(
            zip((r.image_id for r in records), images.num_regions(r.image_id for r in records), strict=True)
        )
        limit = self.context.data.max_text_length
        sizes = [
            (num_regions[record.image_id], len(self._tags_of(record.image_id)) + min(limit, len(ids) + 2))
            for (record, _), ids in zip(pairs, token_ids, strict=True)
        ]
        collate = self.context.collator(sizes)

        def make_batch(indices: Sequence[int], epoch: int, step: int) -> StepBatch:
            examples = [
                self._training_example(pairs[index][0], token_ids[index], record_rng(self.context.seed, epoch, index))
                for index in indices
            ]
            return {"main": collate(examples, indices)}

        return [TrainingStream("captions", [sum(size) for size in sizes], make_batch, sizes=sizes)]

    def original_reader(self, path: str | Path, train: bool = True) -> OriginalReader:
        """The original's reader of caption lines; those without a caption are read for decoding."""
        files = caption_lines(path, self.context.tokenizer)
        records = self._checked([record for lines in files for record in lines], path)
        if train:
            _require_captions(records, path)
        images, rule = self.context.require_images(), BatchRule.of_records(self.context.data)
        image_ids = images.of_lines(input_files(path), [[record.image_id for record in lines] for lines in files])
        token_ids = iter(caption_token_ids(records, self.context.tokenizer))
        texts = [self._text(r.record_id, next(token_ids)) if r.captions else Example(r.record_id) for r in records]
        return CaptionReader(
            Pairs(texts, image_ids, images, self.context.vocabulary, rule),
            [self._tags_of(record.image_id) for record in records],
            [int(record.image_id) for record in records],
            [len(lines) for lines in files],
            self.context.seed if train else None,
        )

    def evaluate(self, model: UnimoModel, path: str | Path) -> Evaluation:
        """Captions by the decoding asked for, scored against all captions of their image where it has any."""
        records = self._records(path)
        images = self.context.require_images()
        given = [self._given(record.image_id, images[record.image_id]) for record in records]
        written = self.caption(model, given)
        captions = {record.image_id: each["caption"] for record, each in zip(records, written, strict=True)}
        references = {record.image_id: list(record.captions) for record in records if record.captions}
        metrics: dict[str, float | None] = {self.best_metric: None}
        notes = unlabelled_notes(len(references), len(records))
        if references:
            scored = {image_id: captions[image_id] for image_id in references}
            metrics, more = caption_metrics(scored, references, self.options.metrics)
            notes += more
        predictions = [{"image_id": r.image_id, **each} for r, each in zip(records, written, strict=True)]
        return Evaluation(metrics, predictions, notes)

    def predict(self, model: UnimoModel, request: PredictionRequest) -> list[dict[str, Any]]:
        """A caption for every image; of tags, only those of images in the tag file are read."""
        if not request.images:
            raise InputError("images: captioning needs at least one")
        written = self.caption(model, [self._given(name, regions) for name, regions in request.images.items()])
        return [{"image": name, **each} for name, each in zip(request.images, written, strict=True)]

    def caption(self, model: UnimoModel, given: Sequence[Example]) -> list[dict[str, Any]]:
        """Captions (and candidates) of what is given."""
        tokenizer = self.context.tokenizer
        found = self.decode(model, given, TargetStart(tokenizer.cls_id, tokenizer.sep_id))
        return [self.written(hypotheses, "caption") for hypotheses in found]

    def _records(self, path: str | Path) -> list[CaptionRecord]:
        return self._checked(self.read(path), path)

    def _checked(self, records: list[CaptionRecord], path: str | Path) -> list[CaptionRecord]:
        """The records, whose images all have regions, and tags where any are read."""
        self.context.require_images().check((record.image_id for record in records), path)
        if self._tags and (absent := self._tagged.absent(record.image_id for record in records)):
            raise InputError(f"{path}: {len(absent)} images have no tags in {self.options.object_tags}: {absent[0]!r}")
        return records

    def _tags_of(self, image_id: str) -> Sequence[int]:
        """Token ids of an image's tags."""
        return self._tags.get(self._tagged.find(image_id) or "", ())

    def _given(self, image_id: str, regions: RegionInput) -> Example:
        """Image and tags, without a caption."""
        return with_object_tags(Example("", regions=regions), self._tags_of(image_id))

    def _training_example(self, record: CaptionRecord, caption_ids: Sequence[int], rng: np.random.Generator) -> Example:
        text = self._text(record.record_id, caption_ids)
        text = hide_history(text, self.options.history_dropout, self.context.vocabulary, rng)
        tagged = with_object_tags(text, self._tags_of(record.image_id))
        return with_regions(tagged, self.context.require_images()[record.image_id])

    def _text(self, record_id: str, caption_ids: Sequence[int]) -> Example:
        """A caption alone."""
        vocabulary, limit = self.context.vocabulary, self.context.data.max_text_length
        return generation_example(record_id, (), caption_ids, vocabulary, vocabulary.sep_id, max_target_length=limit)


def _require_captions(records: Sequence[CaptionRecord], path: str | Path) -> None:
    if absent := [record.image_id for record in records if not record.captions]:
        raise InputError(f"{path}: {len(absent)} images have no caption: {absent[0]!r}")
