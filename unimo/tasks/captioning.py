"""Image captioning: the image (and object tags) given, the caption generated causally."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import paddle

from unimo.data.batch import Batch, collate
from unimo.data.examples import Example, RegionInput, generation_example, hide_history, with_regions
from unimo.data.records import CaptionRecord, read_captions
from unimo.data.sampling import record_rng, sequential_batches
from unimo.errors import InputError
from unimo.generation import BeamSettings, beam_search, prediction_text
from unimo.metrics.captioning import caption_metrics
from unimo.modeling import UnimoModel, gather_rows
from unimo.objectives import language_loss
from unimo.training.task import (
    Evaluation,
    Losses,
    PredictionRequest,
    Report,
    StepBatch,
    Task,
    TrainingStream,
    model_inputs,
)


@dataclass(frozen=True)
class CaptioningOptions:
    """Settings of captioning. Defaults are the original's base recipe without adversarial training."""

    label_smoothing: float = 0.1
    """Weight of the uniform distribution in the targets."""

    history_dropout: float = 0.0
    """Share of a caption's own past hidden while its next token is predicted (ours: it makes a small model look)."""

    decoding: BeamSettings = field(default_factory=lambda: BeamSettings(beam_size=5, min_length=5, max_length=50))
    """Beam search at evaluation."""

    metrics: tuple[str, ...] = ("bleu", "cider")
    """Caption metrics to compute: bleu, rouge_l, cider, meteor."""


class Captioning(Task):
    """`[IMG] regions [CLS] caption [SEP]`, the caption seeing the image and its own past."""

    name = "captioning"
    options_class = CaptioningOptions
    best_metric = "cider"
    options: CaptioningOptions

    def heads(self) -> dict[str, int]:
        """The masked-language head generates."""
        return {"masked_language": 0}

    def streams(self) -> list[TrainingStream]:
        """One record a caption."""
        records = self._records(self.context.data.train)
        images = self.context.require_images()
        pairs = [(record, caption) for record in records for caption in record.captions]
        token_ids = self.context.tokenizer.encode_batch([caption for _, caption in pairs])
        num_regions = dict(
            zip((r.image_id for r in records), images.num_regions(r.image_id for r in records), strict=True)
        )
        limit = self.context.data.max_text_length
        lengths = [
            num_regions[record.image_id] + min(limit, len(ids) + 2)
            for (record, _), ids in zip(pairs, token_ids, strict=True)
        ]

        def make_batch(indices: Sequence[int], epoch: int, step: int) -> StepBatch:
            examples = [
                self._training_example(pairs[index][0], token_ids[index], record_rng(self.context.seed, epoch, index))
                for index in indices
            ]
            return {"main": collate(examples, self.context.vocabulary.pad_id)}

        return [TrainingStream("captions", lengths, make_batch)]

    def losses(self, model: UnimoModel, batches: StepBatch) -> tuple[Losses, Report]:
        """Cross-entropy of the caption's tokens, smoothed."""
        batch = batches["main"]
        rows = gather_rows(model(model_inputs(batch)), paddle.to_tensor(batch.token_rows))
        labels = paddle.to_tensor(batch.token_labels)
        loss = language_loss(model.language_logits(rows), labels, self.options.label_smoothing)
        return {"captioning": loss}, {}

    def evaluate(self, model: UnimoModel, path: str | Path) -> Evaluation:
        """Captions by beam search, scored against all captions of their image."""
        records = self._records(path)
        captions = self.caption_images(model, [record.image_id for record in records])
        references = {record.image_id: list(record.captions) for record in records}
        metrics, notes = caption_metrics(captions, references, self.options.metrics)
        predictions = [{"image_id": image_id, "caption": caption} for image_id, caption in captions.items()]
        return Evaluation(metrics, predictions, notes)

    def predict(self, model: UnimoModel, request: PredictionRequest) -> list[dict[str, Any]]:
        """A caption for every image."""
        if not request.images:
            raise InputError("images: captioning needs at least one")
        captions = self.caption_regions(model, list(request.images.values()))
        return [{"image": name, "caption": text} for name, text in zip(request.images, captions, strict=True)]

    def caption_images(self, model: UnimoModel, image_ids: Sequence[str]) -> dict[str, str]:
        """Image id -> generated caption."""
        images = self.context.require_images()
        return dict(zip(image_ids, self.caption_regions(model, [images[i] for i in image_ids]), strict=True))

    def caption_regions(self, model: UnimoModel, regions: Sequence[RegionInput]) -> list[str]:
        """Captions of images given as regions."""
        tokenizer, texts = self.context.tokenizer, [""] * len(regions)
        lengths = [len(each.features) for each in regions]
        # a hypothesis costs about as much as the prefix it reads, so the beam counts in the budget
        budget = max(1, self.context.data.tokens_per_batch // self.options.decoding.beam_size)
        for indices in sequential_batches(lengths, budget):
            batch = collate([Example("", regions=regions[index]) for index in indices], tokenizer.pad_id)
            found = beam_search(
                model, model_inputs(batch), self.options.decoding, start_id=tokenizer.cls_id, end_id=tokenizer.sep_id
            )
            for index, hypotheses in zip(indices, found, strict=True):
                texts[index] = prediction_text(hypotheses[0], tokenizer)
        return texts

    def _records(self, path: str | Path) -> list[CaptionRecord]:
        records = read_captions(path)
        self.context.require_images().check((record.image_id for record in records), path)
        return records

    def _training_example(self, record: CaptionRecord, caption_ids: Sequence[int], rng: np.random.Generator) -> Example:
        example = self._example(record, caption_ids, self.context.require_images()[record.image_id])
        return hide_history(example, self.options.history_dropout, self.context.vocabulary, rng)

    def _example(self, record: CaptionRecord, caption_ids: Sequence[int], regions: RegionInput) -> Example:
        vocabulary = self.context.vocabulary
        text = generation_example(
            record.record_id,
            None,
            caption_ids,
            vocabulary,
            end_id=vocabulary.sep_id,
            max_target_length=self.context.data.max_text_length,
        )
        return with_regions(text, regions)


def caption_likelihood_batch(examples: Sequence[Example], pad_id: int) -> tuple[Batch, np.ndarray]:
    """Examples with caption targets as a batch, and which example each target token belongs to: [N]."""
    counts = [len(example.token_targets.positions) for example in examples if example.token_targets is not None]
    return collate(examples, pad_id), np.repeat(np.arange(len(examples)), counts)
