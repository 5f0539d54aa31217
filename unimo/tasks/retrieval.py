"""Image-text retrieval: a true pair against wrong images and captions, by the original's circle loss or by softmax."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import paddle
import paddle.nn.functional as F

from unimo.data.alike import Captions
from unimo.data.batch import Batch
from unimo.data.candidates import apart_batch, wrong_texts
from unimo.data.compat.order import BatchRule
from unimo.data.compat.reader import OriginalReader, Pairs
from unimo.data.compat.retrieval import RetrievalTestReader, RetrievalTrainReader
from unimo.data.encoding import caption_token_ids
from unimo.data.examples import text_example, with_regions
from unimo.data.formats.release import caption_lines, caption_numbers, captions_of
from unimo.data.images import ImageSource
from unimo.data.packing import level_batch
from unimo.data.records import CaptionRecord
from unimo.data.sampling import record_rng
from unimo.errors import InputError
from unimo.metrics.retrieval import retrieval_metrics
from unimo.modeling import ModelInputs, Perturbations, UnimoModel
from unimo.objectives import circle_loss, softmax_loss
from unimo.objectives.adversarial import AdversarialOptions, View
from unimo.tasks.downstream import DownstreamTask
from unimo.tasks.dual_encoding import dual_loss
from unimo.tasks.pair_scoring import Scorer, pair_batch, score_matrix
from unimo.tasks.retrieval_groups import Groups, MutualGroups, OwnGroups
from unimo.training.task import (
    Evaluation,
    Losses,
    PredictionRequest,
    Report,
    StepBatch,
    TaskContext,
    TrainingStream,
)


@dataclass(frozen=True)
class RetrievalOptions:
    """Settings of retrieval. Defaults are the original's."""

    num_negative_images: int = 10
    """Random wrong images for each caption."""

    num_negative_captions: int = 10
    """Random wrong captions for each image."""

    mutual_pairs: int = 0
    """N > 1 takes groups of N pairs, each image scored with each caption, in place of the original's of one pair with
    wrong images and captions of its own (ours): a true pair for every N scores, where the original has one for 21."""

    negative_pool: int = 1
    """Each wrong caption (and the image of each wrong image) is the one most like the true caption, by words, of this
    many random ones (ours); 1 takes any, as the original."""

    loss: Literal["circle", "softmax"] = "circle"
    """`circle` draws the scores of true pairs to 1 and of wrong ones to 0. `softmax` (ours) weighs them against each
    other alone, as pre-training does, and so begins where contrastive learning ended."""

    score: Literal["match", "cosine"] = "match"
    """Head that scores: the matching head, or cosine where pre-training had `contrastive.score: cosine`."""

    margin: float = 0.2
    """Margin of the circle loss."""

    scale: float = 1.0
    """Scale of the circle loss."""

    sigmoid: bool = False
    """Squash the scores before the loss (the original's `use_sigmoid`; its recipes switch it off)."""

    dual_pairs: int = 0
    """Pairs of a step, of different images, whose images and texts are also encoded alone and told apart by cosine,
    which two-stage retrieval and `unimo index` use (ours); 0 switches it off."""

    dual_weight: float = 1.0
    """Factor of that loss."""

    adversarial: AdversarialOptions = field(default_factory=AdversarialOptions)
    """Adversarial training of text and image."""

    def __post_init__(self) -> None:
        """Refuses what no group can be made of."""
        if self.mutual_pairs < 0 or self.mutual_pairs == 1:
            raise ValueError(f"mutual_pairs: {self.mutual_pairs}, expected 0 or at least 2")
        if self.negative_pool < 1:
            raise ValueError(f"negative_pool: {self.negative_pool}, expected at least 1")

    def groups(self) -> Groups:
        """The form of the groups."""
        if self.mutual_pairs:
            return MutualGroups(self.mutual_pairs, self.negative_pool)
        return OwnGroups(self.num_negative_images, self.num_negative_captions, self.negative_pool)


class Retrieval(DownstreamTask):
    """Scores a pair by the matching head; a batch holds groups of true and wrong pairs."""

    name = "retrieval"
    options_class = RetrievalOptions
    loss_name = "ranking"
    best_metric = "mean_r1"
    in_release = True
    options: RetrievalOptions

    def heads(self) -> dict[str, int]:
        """Both poolers and the head that scores, and the dual one where it is trained."""
        heads = {"text_pooler": 0, "image_pooler": 0, self.options.score: 0}
        return heads | ({"dual": 0} if self.options.dual_pairs else {})

    def read(self, path: str | Path) -> list[CaptionRecord]:
        """Images with captions."""
        return captions_of(path, self.context.tokenizer)

    def streams(self) -> list[TrainingStream]:
        """One record a caption; its length counts all rows of its group."""
        if self.context.data.compat:
            return self.original_streams(
                self.original_reader(self.context.data.train), mutual_pairs=0, negative_pool=1, dual_pairs=0
            )
        records = read_caption_records(self.context, self.context.data.train)
        images = self.context.require_images()
        token_ids = caption_token_ids(records, self.context.tokenizer)
        groups, captions = self.options.groups(), Captions(records, token_ids, self.context.vocabulary.size)
        pairs = [(record, caption) for record in records for caption in record.captions]
        num_regions = images.num_regions(captions.image_ids)
        lengths = [
            groups.size * (num_regions[image] + len(ids) + 2)
            for image, ids in zip(captions.owner, token_ids, strict=True)
        ]

        def make_batch(indices: Sequence[int], epoch: int, step: int) -> StepBatch:
            rows = [groups.draw(captions, index, record_rng(self.context.seed, epoch, index)) for index in indices]
            image_index = np.concatenate([images_of for images_of, _ in rows])
            caption_index = np.concatenate([captions_of for _, captions_of in rows])
            used_images, image_rows = np.unique(image_index, return_inverse=True)
            used_captions, caption_rows = np.unique(caption_index, return_inverse=True)
            limit = self.context.data.max_text_length
            texts = [text_example("", [token_ids[i]], self.context.vocabulary, limit) for i in used_captions]
            regions = [images[captions.image_ids[i]] for i in used_images]
            pad_id = self.context.vocabulary.pad_id
            if self.context.data.pack:
                pairs = [with_regions(texts[c], regions[i]) for i, c in zip(image_rows, caption_rows, strict=True)]
                batch = level_batch(pairs, pad_id)
            else:
                batch = pair_batch(regions, texts, image_rows, caption_rows, pad_id)
            names = tuple(captions.image_ids[captions.owner[index]] for index in indices)
            return {"main": replace(batch, record_ids=names)}

        def make_joint(indices: Sequence[int], epoch: int, step: int) -> StepBatch:
            chosen = self._dual_pairs(indices, captions.owner, record_rng(self.context.seed, epoch, indices[0]))
            alone = [(images[captions.image_ids[captions.owner[index]]], token_ids[index]) for index in chosen]
            wrong = wrong_texts([pairs[index] for index in chosen])
            return {"dual": apart_batch(alone, self.context.vocabulary, self.context.data.max_text_length, wrong)}

        dual_size = -(-self.options.dual_pairs // groups.size)  # in groups of pairs
        if not dual_size:
            return [TrainingStream("pairs", lengths, make_batch)]
        return [TrainingStream("pairs", lengths, make_batch, make_joint=make_joint, joint_size=lambda step: dual_size)]

    def losses(self, model: UnimoModel, batches: StepBatch) -> tuple[Losses, Report]:
        """The loss of the groups, and the dual encoding's loss where a step has pairs for it."""
        losses, report = super().losses(model, batches) if "main" in batches else ({}, {})
        if "dual" in batches:
            losses["dual"] = self.options.dual_weight * dual_loss(model, batches["dual"])
        return losses, report

    def loss_counts(self, batches: StepBatch) -> Mapping[str, float]:
        """Rows of groups; the dual batch lies on one process."""
        counts: dict[str, float] = {"": batches["main"].num_examples if "main" in batches else 0}
        return counts | ({"dual": 1} if "dual" in batches else {})

    def original_reader(self, path: str | Path, train: bool = True) -> OriginalReader:
        """The original's reader of a caption file: groups with wrong pairs to train on, or all pairs of a test."""
        records = [record for lines in caption_lines(path, self.context.tokenizer) for record in lines]
        image_ids, images = [record.image_id for record in records], self.context.require_images()
        images.check(image_ids, path)
        vocabulary, limit = self.context.vocabulary, self.context.data.max_text_length
        texts = [
            text_example(record.record_id, [ids], vocabulary, limit)
            for record, ids in zip(records, caption_token_ids(records, self.context.tokenizer), strict=True)
        ]
        pairs = Pairs(texts, image_ids, images, vocabulary, BatchRule.of_records(self.context.data))
        if not train:
            return RetrievalTestReader(pairs, caption_numbers(path))
        return RetrievalTrainReader(pairs, self.options.num_negative_images, self.options.num_negative_captions)

    def view(self, model: UnimoModel, inputs: ModelInputs, batch: Batch, perturbations: Perturbations) -> View:
        """Mean of the loss against wrong images and against wrong captions; logits [P, N], the true pair first."""
        options, groups = self.options, self.options.groups()
        scores = model.match(model(inputs, perturbations), inputs).reshape([-1, groups.size])
        scores = F.sigmoid(scores) if options.sigmoid else scores
        positive, wrong_images, wrong_captions = groups.compare(scores)
        loss = (self._ranking_loss(positive, wrong_captions) + self._ranking_loss(positive, wrong_images)) / 2
        logits = paddle.concat([positive, wrong_images, wrong_captions], axis=1)
        return View(loss.astype("float32"), logits)

    def report(self, logits: paddle.Tensor, batch: Batch) -> Report:
        """Share of true pairs that score above all wrong ones they compete with."""
        hits = logits[:, :1] > paddle.max(logits[:, 1:], axis=-1, keepdim=True)
        return {"group_accuracy": float(paddle.mean(hits.astype("float32")))}

    def evaluate(self, model: UnimoModel, path: str | Path) -> Evaluation:
        """Recall at 1, 5, 10 in both directions over all pairs of a file."""
        records = read_caption_records(self.context, path)
        images = self.context.require_images()
        if self.context.data.compat:
            images = images.with_swapped_sides()
        scores = score_records(self.context, model, records, "match", images)
        return Evaluation(retrieval_scores(scores, records), rankings(scores, records))

    def predict(self, model: UnimoModel, request: PredictionRequest) -> list[dict[str, Any]]:
        """For every text, the images from the best match to the worst, with the matching head's scores."""
        if not request.images or not request.texts:
            raise InputError("images, texts: retrieval needs at least one of each")
        texts = [" ".join(text) for text in request.texts]
        names, ids = list(request.images), self.context.tokenizer.encode_batch(texts)
        images, data = list(request.images.values()), self.context.data
        budget, limit = data.tokens_per_batch, data.max_text_length
        scores = score_matrix(model, images, ids, "match", self.context.vocabulary, budget, max_text_length=limit)
        ranked = [np.argsort(-scores[:, column], kind="stable") for column in range(len(texts))]
        return [
            {"text": text, "images": [{"image": names[i], "score": float(scores[i, column])} for i in order]}
            for column, (text, order) in enumerate(zip(texts, ranked, strict=True))
        ]

    def _ranking_loss(self, positive: paddle.Tensor, negatives: paddle.Tensor) -> paddle.Tensor:
        if self.options.loss == "softmax":
            return softmax_loss(positive, negatives)
        return circle_loss(positive, negatives, self.options.margin, self.options.scale)

    def _dual_pairs(self, indices: Sequence[int], owner: np.ndarray, rng: np.random.Generator) -> list[int]:
        """Captions of different images: those of the step's groups, then random ones."""
        count = min(self.options.dual_pairs, int(owner.max()) + 1)
        chosen: dict[int, int] = {}
        for index in [*indices, *rng.permutation(len(owner))]:
            if len(chosen) == count:
                break
            chosen.setdefault(int(owner[index]), int(index))
        return list(chosen.values())


def read_caption_records(context: TaskContext, path: str | Path) -> list[CaptionRecord]:
    """Images with captions, of any format, every image present in the region store."""
    records = captions_of(path, context.tokenizer)
    context.require_images().check((record.image_id for record in records), path)
    return records


def score_records(
    context: TaskContext,
    model: UnimoModel,
    records: Sequence[CaptionRecord],
    scorer: Scorer,
    images: ImageSource | None = None,
) -> np.ndarray:
    """[I, W] scores of all images against all captions of all records; ``images`` in place of the context's."""
    images = images or context.require_images()
    texts = caption_token_ids(records, context.tokenizer)
    regions = [images[image_id] for image_id in distinct_images(records)]
    budget, limit = context.data.tokens_per_batch, context.data.max_text_length
    return score_matrix(model, regions, texts, scorer, context.vocabulary, budget, context.processes, limit)


def distinct_images(records: Iterable[CaptionRecord]) -> list[str]:
    """[I] ids of the images, each once: the captions of an image may stand in several records."""
    return list(dict.fromkeys(record.image_id for record in records))


def true_pairs(records: Sequence[CaptionRecord]) -> np.ndarray:
    """[I, W] bool: the caption is the image's own, in whichever record, or also true of it."""
    number = {image_id: index for index, image_id in enumerate(distinct_images(records))}
    owners = [record for record in records for _ in record.captions]
    relevant = np.zeros((len(number), len(owners)), dtype=bool)
    for column, record in enumerate(owners):
        for image_id in (record.image_id, *record.also_true):
            if image_id in number:
                relevant[number[image_id], column] = True
    return relevant


def retrieval_scores(scores: np.ndarray, records: Sequence[CaptionRecord]) -> dict[str, float | None]:
    """Recall values as one flat mapping: `text_to_image.r1`, ..., and their mean at 1."""
    nested = retrieval_metrics(scores, true_pairs(records))
    flat = {f"{way}.{name}": value for way in ("text_to_image", "image_to_text") for name, value in nested[way].items()}
    return {**flat, "mean_r1": (flat["text_to_image.r1"] + flat["image_to_text.r1"]) / 2}


def rankings(scores: np.ndarray, records: Sequence[CaptionRecord], depth: int = 10) -> list[dict[str, Any]]:
    """For every caption, the images ranked first and their scores."""
    image_ids = distinct_images(records)
    captions = [(record.image_id, caption) for record in records for caption in record.captions]
    ranked = []
    for column, (image_id, caption) in enumerate(captions):
        order = np.argsort(-scores[:, column], kind="stable")[:depth]
        ranked.append(
            {
                "caption": caption,
                "image_id": image_id,
                "ranked_images": [image_ids[index] for index in order],
                "scores": [float(scores[index, column]) for index in order],
            }
        )
    return ranked
