"""Pre-training on texts, images and image-text pairs (PAPER 3): one stream a step, every objective it allows."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from unimo.augment.graph import KINDS
from unimo.config.ranges import COUNT, SHARE, check_ranges, check_weights
from unimo.data.batch import Batch
from unimo.data.examples import (
    Example,
    fragments_example,
    hide_tokens,
    masked_language_example,
    masked_region_example,
    text_example,
    with_regions,
)
from unimo.data.formats.captions import read_images
from unimo.data.formats.release import captions_of
from unimo.data.formats.texts import read_texts
from unimo.data.generation_examples import generation_example, hide_history
from unimo.data.masking import RELATION, Fragments, SceneNode, SpanMasking, choose_nodes, expected_fragments
from unimo.data.records import CaptionRecord, Record
from unimo.data.sampling import record_rng
from unimo.errors import InputError
from unimo.modeling import UnimoModel, gather_rows
from unimo.modeling.tensors import as_tensor
from unimo.objectives import (
    language_loss,
    region_classification_loss,
    region_regression_loss,
)
from unimo.tasks.contrastive_learning import (
    CandidateSampler,
    CandidateSource,
    ContrastiveOptions,
    candidates_loss,
)
from unimo.tasks.dual_encoding import dual_loss
from unimo.tasks.retrieval import rankings, read_caption_records, retrieval_scores, score_records
from unimo.training.task import Evaluation, Losses, Report, StepBatch, Task, TrainingStream, model_inputs


@dataclass(frozen=True)
class StreamShares:
    """How often a step draws from each kind of data (PAPER: 1 : 1 : 5, from memory, medium confidence)."""

    images: float = 1.0
    """Images without text."""

    texts: float = 1.0
    """Texts without image."""

    pairs: float = 5.0
    """Images with captions."""

    def __post_init__(self) -> None:
        """Refuse shares that nothing can be drawn by."""
        check_weights("shares", vars(self), tuple(vars(self)))
        if not sum(vars(self).values()):
            raise ValueError("shares: all are 0")


@dataclass(frozen=True)
class LossWeights:
    """Factors of the losses in the sum (the paper reports none)."""

    language: float = 1.0
    """Masked language modelling and generation."""

    region_features: float = 1.0
    """Masked region feature regression."""

    region_classes: float = 1.0
    """Masked region classification."""

    contrastive: float = 1.0
    """Cross-modal contrastive learning."""

    dual: float = 1.0
    """Images and texts encoded alone (ours)."""

    def __post_init__(self) -> None:
        """Refuse weights below 0."""
        check_weights("loss_weights", vars(self), tuple(vars(self)))


@dataclass(frozen=True)
class PretrainingOptions:
    """Corpora, mixture and objectives."""

    pairs: tuple[str, ...] = ()
    """Files of images with captions (JSON lines, or as published: data/README.md); none leaves the stream out."""

    texts: tuple[str, ...] = ()
    """Files of texts (JSON lines, or one text a line); none leaves the stream out."""

    images: tuple[str, ...] = ()
    """Files of images without text (JSON lines, or COCO's image_info); none leaves the stream out."""

    shares: StreamShares = field(default_factory=StreamShares)
    """Mixture of the three streams."""

    loss_weights: LossWeights = field(default_factory=LossWeights)
    """Weights of the losses."""

    spans: SpanMasking = field(default_factory=SpanMasking)
    """Masked language modelling."""

    fragments: Fragments = field(default_factory=Fragments)
    """Sequence-to-sequence generation."""

    phrases: bool = True
    """Mask semantically complete phrases as units; otherwise words."""

    scenegraph_mask_ratio: float = 0.0
    """Share of masked captions in which scene-graph nodes, objects, attributes or relations, are hidden in place of
    random spans; needs contrastive.augmented, where the nodes stand (the released configs have 0.3 base and 0.4
    large under this name; what it did there is not known)."""

    scenegraph_kinds: dict[str, float] = field(default_factory=dict)
    """How often a kind of node (object, attribute, relation) is drawn beside the others; 1 where it is not named (ours:
    relations are learned from such masks, and contrastive learning tells them apart only afterwards)."""

    scenegraph_nodes: int = 1
    """Most objects and attributes that are hidden in a caption; how many is drawn uniformly (ours). A relation is
    hidden alone, for without its objects it cannot be told."""

    relation_start_step: int = 0
    """First step whose scene-graph nodes may be relations (ours). Which of two objects is left of the other can be read
    off an image only by a network that finds both; asked earlier, it guesses from the words, and goes on doing so."""

    generation_share: float = 0.5
    """Steps with language that generate rather than fill masks (PAPER: uniform; UNIMO-2: one draw a batch)."""

    region_share: float = 0.3
    """Pairs whose regions are masked instead of their text: one modality at a time (PAPER: medium confidence)."""

    region_mask_ratio: float = 0.15
    """Probability of a region to be a masked anchor (PAPER: sure)."""

    region_max_overlap: float = 0.3
    """Regions that overlap an anchor more are masked too (PAPER: 0.3; the released base config has 0.4)."""

    contrastive: ContrastiveOptions = field(default_factory=ContrastiveOptions)
    """Cross-modal contrastive learning."""

    def __post_init__(self) -> None:
        """Refuse shares that are none, and kinds of nodes that there are not."""
        shares = (
            "scenegraph_mask_ratio",
            "generation_share",
            "region_share",
            "region_mask_ratio",
            "region_max_overlap",
        )
        check_ranges(self, **dict.fromkeys(shares, SHARE), scenegraph_nodes=(1, math.inf), relation_start_step=COUNT)
        check_weights("scenegraph_kinds", self.scenegraph_kinds, KINDS)


class Pretraining(Task):
    """Masked language modelling, generation, masked region modelling and contrastive learning, by what a step holds."""

    name = "pretraining"
    options_class = PretrainingOptions
    best_metric = "likelihood.mean_r1"
    options: PretrainingOptions

    def heads(self) -> dict[str, int]:
        """Everything that pre-training learns; heads of a modality that is not there are left out."""
        heads = {"text_pooler": 0, "masked_language": 0}
        if self.context.images is not None:
            heads |= {"image_pooler": 0, self.options.contrastive.score: 0, "regions": 0}
            heads |= {"dual": 0} if self.options.contrastive.dual_pairs else {}
        return heads

    def training_files(self) -> dict[str, Sequence[str]]:
        """Up to three corpora, those that are named."""
        options = self.options
        named = {"pairs": options.pairs, "texts": options.texts, "images": options.images}
        return {name: paths for name, paths in named.items() if paths}

    def read(self, path: str | Path) -> Sequence[Record]:
        """A corpus by the key that names it; any other file holds images with captions, as evaluation reads them."""
        if str(path) in self.options.texts:
            return read_texts(path)
        return read_images(path) if str(path) in self.options.images else captions_of(path, self.context.tokenizer)

    def streams(self) -> list[TrainingStream]:
        """Up to three streams, those whose file is named."""
        made = {"texts": self._texts, "images": self._images, "pairs": self._pairs}
        streams = [make() for name, make in made.items() if getattr(self.options, name)]
        if not streams:
            raise InputError("options: none of pairs, texts and images names a file")
        return streams

    def losses(self, model: UnimoModel, batches: StepBatch) -> tuple[Losses, Report]:
        """Every loss that the step's batches carry targets for, named by what it predicts."""
        losses: Losses = {}
        report: Report = {}
        for name, batch in batches.items():
            if name == "contrastive":
                loss, report["contrastive_accuracy"] = candidates_loss(model, batch, self.options.contrastive)
                losses["contrastive"] = self.options.loss_weights.contrastive * loss
            elif name == "dual":
                losses["dual"] = self.options.loss_weights.dual * dual_loss(model, batch)
            else:
                losses |= self._masked_losses(model, name, batch)
        return losses, report

    def loss_counts(self, batches: StepBatch) -> Mapping[str, float]:
        """Target tokens, masked regions, pairs that are contrasted, and the dual batch, which lies on one process."""
        counts = {"region_features": 0, "region_classes": 0}
        for name, batch in batches.items():
            if name == "dual":
                counts[name] = 1
                continue
            if batch.candidates is not None:
                counts["contrastive"] = len(batch.candidates.valid)
                counts["contrastive_accuracy"] = int(batch.candidates.negatives.any(axis=1).sum())
                continue
            counts[name] = 0 if batch.token_rows is None else len(batch.token_rows)
            regions = 0 if batch.region_rows is None else len(batch.region_rows)
            counts["region_features"] += regions
            counts["region_classes"] += regions if batch.region_class_targets is not None else 0
        return counts

    def evaluate(self, model: UnimoModel, path: str | Path) -> Evaluation:
        """Zero-shot retrieval over a caption file: by the matching head and by the caption's likelihood."""
        records = read_caption_records(self.context, path)
        metrics: dict[str, float | None] = {}
        for scorer in ("match", "likelihood"):
            scores = score_records(self.context, model, records, scorer)
            metrics |= {f"{scorer}.{name}": value for name, value in retrieval_scores(scores, records).items()}
        return Evaluation(metrics, rankings(scores, records))

    def _masked_losses(self, model: UnimoModel, name: str, batch: Batch) -> Losses:
        weights = self.options.loss_weights
        hidden = model(model_inputs(batch))
        losses: Losses = {}
        if batch.token_rows is not None:
            logits = model.language_logits(gather_rows(hidden, as_tensor(batch.token_rows)))
            losses[name] = weights.language * language_loss(logits, as_tensor(batch.token_labels))
        if batch.region_rows is not None:
            features, classes = model.heads["regions"](gather_rows(hidden, as_tensor(batch.region_rows)))
            targets = as_tensor(batch.region_feature_targets)
            losses["region_features"] = weights.region_features * region_regression_loss(features, targets)
            if batch.region_class_targets is not None:
                class_targets = as_tensor(batch.region_class_targets)
                losses["region_classes"] = weights.region_classes * region_classification_loss(classes, class_targets)
        return losses

    def _texts(self) -> TrainingStream:
        records = [record for path in self.options.texts for record in read_texts(path)]
        token_ids = self._encode("texts", [record.text for record in records])
        sizes = [(0, self._num_tokens(len(ids))) for ids in token_ids]
        collate = self.context.collator(sizes)

        def make_batch(indices: Sequence[int], epoch: int, step: int) -> StepBatch:
            generate = self._generates(step)
            examples = [
                self._language_example(
                    records[i].record_id, records[i].text, token_ids[i], generate, self._rng(epoch, i)
                )
                for i in indices
            ]
            return {self._language_name(generate): collate(examples, indices)}

        lengths = [tokens for _, tokens in sizes]
        return TrainingStream("texts", lengths, make_batch, self.options.shares.texts, sizes=sizes)

    def _images(self) -> TrainingStream:
        images = self.context.require_images()
        records = [record for path in self.options.images for record in read_images(path)]
        images.check((record.image_id for record in records), ", ".join(self.options.images))
        lengths = images.num_regions(record.image_id for record in records)
        sizes = [(length, 0) for length in lengths]
        collate = self.context.collator(sizes)

        def make_batch(indices: Sequence[int], epoch: int, step: int) -> StepBatch:
            examples = [
                self._mask_regions(
                    Example(records[i].record_id, regions=images[records[i].image_id]), self._rng(epoch, i)
                )
                for i in indices
            ]
            return {"regions": collate(examples, indices)}

        return TrainingStream("images", lengths, make_batch, self.options.shares.images, sizes=sizes)

    def _pairs(self) -> TrainingStream:
        records = [record for path in self.options.pairs for record in read_caption_records(self.context, path)]
        images = self.context.require_images()
        sampler = CandidateSampler(self.context, self.options.contrastive, records, self._source(records))
        pairs = [(record, caption) for record in records for caption in record.captions]
        token_ids = self._encode("pairs", [caption for _, caption in pairs])
        num_regions = dict(
            zip((r.image_id for r in records), images.num_regions(r.image_id for r in records), strict=True)
        )
        sizes = [
            (num_regions[record.image_id], self._num_tokens(len(ids)))
            for (record, _), ids in zip(pairs, token_ids, strict=True)
        ]
        collate = self.context.collator(sizes)

        def make_batch(indices: Sequence[int], epoch: int, step: int) -> StepBatch:
            generate = self._generates(step)
            examples = []
            for index in indices:
                (record, caption), rng = pairs[index], self._rng(epoch, index)
                regions = images[record.image_id]
                if rng.random() < self.options.region_share:
                    limit = self.context.data.max_text_length
                    text = text_example(record.record_id, [token_ids[index]], self.context.vocabulary, limit)
                    examples.append(self._mask_regions(with_regions(text, regions), rng))
                else:
                    nodes = sampler.nodes(record, caption) if self.options.scenegraph_mask_ratio else ()
                    if step < self.options.relation_start_step:
                        nodes = [node for node in nodes if node.kind != RELATION]
                    text = self._language_example(record.record_id, caption, token_ids[index], generate, rng, nodes)
                    examples.append(with_regions(text, regions))
            return {f"paired_{self._language_name(generate)}": collate(examples, indices)}

        def is_contrasted(step: int) -> bool:
            return step >= self.options.contrastive.start_step

        def make_parts(indices: Sequence[int], epoch: int, step: int, number: int, count: int) -> StepBatch:
            if not (sampler.parts and is_contrasted(step)):
                return {}
            chosen = [pairs[index] for index in indices]
            return sampler.contrastive(chosen, self._rng(epoch, indices[0]), number, count)

        def make_joint(indices: Sequence[int], epoch: int, step: int) -> StepBatch:
            if not is_contrasted(step):
                return {}
            chosen = [pairs[index] for index in indices]
            whole = {} if sampler.parts else sampler.contrastive(chosen, self._rng(epoch, indices[0]))
            return whole | sampler.dual(chosen)

        return TrainingStream(
            "pairs",
            [sum(size) for size in sizes],
            make_batch,
            self.options.shares.pairs,
            sizes=sizes,
            make_parts=make_parts,
            make_joint=make_joint,
            joint_size=lambda step: sampler.joint_size if is_contrasted(step) else 0,
        )

    def _source(self, records: Sequence[CaptionRecord]) -> CandidateSource | None:
        """What the corpus job wrote."""
        if not self.options.contrastive.augmented:
            if self.options.scenegraph_mask_ratio:
                raise InputError("options.scenegraph_mask_ratio: needs options.contrastive.augmented")
            return None
        from unimo.tasks.augmented import AugmentedSource

        source = AugmentedSource(self.options.contrastive.augmented, records)
        if self.options.contrastive.num_pairs and self.options.contrastive.counts.images:
            named = f"options.contrastive.augmented: {self.options.contrastive.augmented}"
            self.context.require_images().check(source.corpus.unpaired_images, named)
        return source

    def _language_example(
        self,
        record_id: str,
        text: str,
        ids: Sequence[int],
        generate: bool,
        rng: np.random.Generator,
        nodes: Sequence[SceneNode] = (),
    ) -> Example:
        vocabulary = self.context.vocabulary
        if not generate:
            encoding = self.context.tokenizer.encode_with_offsets(text, phrases=self.options.phrases)
            example = text_example(record_id, [ids], vocabulary, self.context.data.max_text_length)
            if nodes and rng.random() < self.options.scenegraph_mask_ratio:
                weights = self.options.scenegraph_kinds
                most = self.options.scenegraph_nodes
                positions = choose_nodes(nodes, encoding.offsets[: len(ids)], rng, weights, most) + 1  # after [CLS]
                if len(positions):
                    return hide_tokens(example, positions, vocabulary, self.options.spans, rng)
            return masked_language_example(example, encoding.unit_starts, vocabulary, self.options.spans, rng)
        if rng.random() < self.options.fragments.whole_text_probability:
            limit = self.context.data.max_text_length
            example = generation_example(record_id, (), ids, vocabulary, vocabulary.sep_id, max_target_length=limit)
        else:
            example = fragments_example(record_id, ids, vocabulary, self.options.fragments, rng)
        return hide_history(example, self.options.fragments.history_dropout, vocabulary, rng)

    def _mask_regions(self, example: Example, rng: np.random.Generator) -> Example:
        return masked_region_example(example, self.options.region_mask_ratio, self.options.region_max_overlap, rng)

    def _encode(self, stream: str, texts: Sequence[str]) -> list[list[int]]:
        limit = self.context.data.max_text_length - 2
        encoded = self.context.tokenizer.encode_batch(list(texts))
        cut = sum(len(ids) > limit for ids in encoded)
        if cut and self.context.processes.is_first:
            told = f"{cut} of {len(texts)} texts are cut to data.max_text_length {limit + 2}"
            print(f"unimo: options.{stream}: {told}", file=sys.stderr)
        return [ids[:limit] for ids in encoded]

    def _num_tokens(self, length: int) -> int:
        """What a text of so many tokens takes: the special ones besides, and where rows are shared one a fragment."""
        fragments = expected_fragments(length, self.options.fragments) if self.context.data.pack else 1
        return length + 3 + round(fragments)

    def _generates(self, step: int) -> bool:
        """Whether the language task of a step is generation; one draw a step, the same on every process."""
        return bool(np.random.default_rng([self.context.seed, 11, step]).random() < self.options.generation_share)

    def _language_name(self, generate: bool) -> str:
        return "generation" if generate else "masked_language"

    def _rng(self, epoch: int, index: int) -> np.random.Generator:
        return record_rng(self.context.seed, epoch, index)
