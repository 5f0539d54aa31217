"""Cross-modal contrastive learning (CMCL, paper section 3.1 and equation 1): which candidates, and their losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
import paddle

from unimo.augment.rewriting import REWRITE_KINDS
from unimo.config.ranges import COUNT, check_ranges, check_weights
from unimo.data.batch import Batch
from unimo.data.candidates import PairCandidates, apart_batch, contrastive_batch, is_wrong, wrong_texts
from unimo.data.masking import SceneNode
from unimo.data.records import CaptionRecord
from unimo.modeling import UnimoModel
from unimo.modeling.tensors import as_tensor
from unimo.objectives import contrastive_loss
from unimo.objectives.contrastive import Denominator, Positives
from unimo.training.task import TaskContext, model_inputs

Pair = tuple[CaptionRecord, str]
"""An image with its captions, and the one of them that is contrasted."""

_TRIES = 20  # draws for a random caption that is none of the image's own


@dataclass(frozen=True)
class CandidateCounts:
    """Candidates of each kind that a step draws for a pair, at most.

    The paper's lists hold 3 positives, 100 negatives, 100 images and 100 texts (from memory, high confidence); how many
    of them a step takes is not known.
    """

    positives: int = 1
    """Sentence-level positives: the caption said otherwise; encoded with the image."""

    rewrites: int = 5
    """Hard negatives with an object, attribute, relation or two of them replaced, as many of each kind as there are;
    encoded with the image."""

    similar: int = 1
    """Hard negatives that are captions of other images, most similar by TF-IDF; encoded with the image."""

    random: int = 0
    """Negatives that are any captions of other images (ours; what rewriting is compared with)."""

    images: int = 1
    """Retrieved images, positives, encoded alone."""

    texts: int = 1
    """Retrieved texts, positives, encoded alone."""

    def __post_init__(self) -> None:
        """Refuse counts below 0."""
        check_ranges(self, **dict.fromkeys(vars(self), COUNT))


@dataclass(frozen=True)
class ContrastiveOptions:
    """Cross-modal contrastive learning."""

    num_pairs: int = 8
    """Pairs of a batch that it is computed for, of different images; 0 switches it off. They are shared out among
    processes where pairs do not need each other; each batch of an accumulated step takes so many."""

    start_step: int = 0
    """First step with this loss; from scratch it stays at chance until captions can be read."""

    augmented: str = ""
    """Folder that `unimo augment` wrote: rewritten captions, retrieved images and texts. Empty: positives are the
    image's other captions, and negatives those of other images."""

    counts: CandidateCounts = field(default_factory=CandidateCounts)
    """Candidates of each kind."""

    rewrite_kinds: dict[str, float] = field(default_factory=dict)
    """How often a kind of rewriting (object, attribute, relation, combination, exchange) is drawn beside the others; 1
    where it is not named (ours). Empty takes the kinds in turn."""

    in_batch: bool = False
    """Let every image of a step read every other pair's caption too, as negatives of both (ours; the paper has no
    link between examples)."""

    score: Literal["match", "cosine"] = "match"
    """d(V, W): the released matching head, or cosine with a learned temperature (not told in the paper; the released
    config's `fusion_method: mul` speaks for the head)."""

    temperature: float = 1.0
    """tau of the matching head's scores (not in the paper; 1 is natural for a learned head)."""

    denominator: Denominator = "pair"
    """`pair` is the equation; `batch` sums over the negatives of all pairs of the step (ours)."""

    needed: Positives = "any"
    """`any` is the equation, whose sums stand inside the logarithm: one good positive is enough. Retrieved images and
    texts, encoded alone, can be told from negatives, which are encoded jointly, without looking at what they show, and
    then nothing else is learned; `each` asks every positive to win (ours)."""

    dual_pairs: int = 0
    """Pairs of a step whose images and texts are also encoded alone and told apart by cosine, which two-stage
    retrieval uses (ours); 0 switches it off."""

    def __post_init__(self) -> None:
        """Refuse what would be left aside."""
        check_ranges(self, num_pairs=COUNT, start_step=COUNT, dual_pairs=COUNT)
        check_weights("rewrite_kinds", self.rewrite_kinds, REWRITE_KINDS)
        if not self.temperature > 0:
            raise ValueError(f"temperature: {self.temperature} is not above 0")
        if self.score == "cosine" and self.temperature != 1:
            raise ValueError("temperature: of the matching head's scores; with `score: cosine` it is learned")


class CaptionCandidates(Protocol):
    """What the corpus job found for one caption of one image."""

    @property
    def positives(self) -> Sequence[str]:
        """Texts that say the same."""

    @property
    def rewrites(self) -> Mapping[str, Sequence[str]]:
        """Texts with an object, attribute, relation or two of them replaced, by kind."""

    @property
    def similar(self) -> Sequence[str]:
        """Captions of other images."""

    @property
    def image_ids(self) -> Sequence[str]:
        """Retrieved images."""

    @property
    def texts(self) -> Sequence[str]:
        """Retrieved texts."""


class CandidateSource(Protocol):
    """What the corpus job found, by image and caption; InputError where it never saw the caption."""

    def candidates(self, image_id: str, caption: str) -> CaptionCandidates:
        """Rewritten captions, retrieved images and texts."""

    def nodes(self, image_id: str, caption: str) -> Sequence[SceneNode]:
        """The caption's scene graph."""


@dataclass(frozen=True)
class _Drawn:
    """What a pair is contrasted with, before it is encoded."""

    record: CaptionRecord
    caption: str
    positives: Sequence[str]
    negatives: Sequence[str]
    image_ids: Sequence[str]
    """Retrieved images."""

    texts: Sequence[str]
    """Retrieved texts."""


class CandidateSampler:
    """Draws the candidates of a step's pairs."""

    def __init__(
        self,
        context: TaskContext,
        options: ContrastiveOptions,
        records: Sequence[CaptionRecord],
        source: CandidateSource | None = None,
    ) -> None:
        self.context, self.options, self.source = context, options, source
        self._records = records
        self._captions = [(number, text) for number, record in enumerate(records) for text in record.captions]

    @property
    def parts(self) -> bool:
        """Whether pairs can be shared out among processes: none needs another's candidates."""
        return self.options.denominator == "pair" and not self.options.in_batch

    @property
    def joint_size(self) -> int:
        """About how many sequences there are that one process has to encode alone."""
        options, counts = self.options, self.options.counts
        if self.parts:
            return options.dual_pairs
        each = 1 + counts.positives + counts.random
        if self.source is not None:
            each += counts.rewrites + counts.similar + max(counts.images, counts.texts)
        pairs = options.num_pairs * each
        return pairs + (options.num_pairs * (options.num_pairs - 1) if options.in_batch else 0) + options.dual_pairs

    def contrastive(
        self, chosen: Sequence[Pair], rng: np.random.Generator, number: int = 0, count: int = 1
    ) -> dict[str, Batch]:
        """The batch of equation (1), from the first pairs of ``chosen`` that are of different images.

        Candidates are drawn for all pairs, and those of part ``number`` of ``count`` are made: the same whoever does.
        """
        pairs = _of_different_images(chosen)[: self.options.num_pairs]
        drawn = [self._draw(*pair, rng) for pair in pairs][number::count]
        if not drawn:
            return {}
        vocabulary, limit = self.context.vocabulary, self.context.data.max_text_length
        candidates = [self._candidates(each) for each in drawn]
        wrong = wrong_texts(pairs) if self.options.in_batch else None
        return {"contrastive": contrastive_batch(candidates, vocabulary, limit, wrong)}

    def dual(self, chosen: Sequence[Pair]) -> dict[str, Batch]:
        """The batch of images and texts encoded alone, from the first pairs of ``chosen`` of different images."""
        pairs = _of_different_images(chosen)[: self.options.dual_pairs]
        if not pairs:
            return {}
        images = self.context.require_images()
        texts = self._encode([caption for _, caption in pairs])
        alone = [(images[record.image_id], ids) for (record, _), ids in zip(pairs, texts, strict=True)]
        limit = self.context.data.max_text_length
        return {"dual": apart_batch(alone, self.context.vocabulary, limit, wrong_texts(pairs))}

    def nodes(self, record: CaptionRecord, caption: str) -> Sequence[SceneNode]:
        """The scene graph of a caption; empty where no corpus job ran."""
        return () if self.source is None else self.source.nodes(record.image_id, caption)

    def _draw(self, record: CaptionRecord, caption: str, rng: np.random.Generator) -> _Drawn:
        counts = self.options.counts
        texts = self._random_texts(record, counts.random, rng)
        if self.source is None:
            others = [each for each in record.captions if each != caption]
            positives, image_ids, retrieved = _sample(others, counts.positives, rng), [], []
        else:
            found = self.source.candidates(record.image_id, caption)
            positives = _sample(found.positives, counts.positives, rng)
            texts += draw_kinds(found.rewrites, counts.rewrites, rng, self.options.rewrite_kinds) + _sample(
                found.similar, counts.similar, rng
            )
            image_ids, retrieved = _sample(found.image_ids, counts.images, rng), _sample(found.texts, counts.texts, rng)
        return _Drawn(record, caption, positives, texts, image_ids, retrieved)

    def _candidates(self, drawn: _Drawn) -> PairCandidates:
        images = self.context.require_images()
        encoded = self._encode([drawn.caption, *drawn.positives, *drawn.negatives, *drawn.texts])
        first_text = 1 + len(drawn.positives)
        first_retrieved = first_text + len(drawn.negatives)
        kept = slice(self.context.data.max_text_length - 2)  # what differs beyond the cut is no negative
        negatives = [ids for ids in encoded[first_text:first_retrieved] if ids[kept] != encoded[0][kept]]
        return PairCandidates(
            images[drawn.record.image_id],
            encoded[0],
            encoded[1:first_text],
            negatives,
            [images[image_id] for image_id in drawn.image_ids],
            encoded[first_retrieved:],
        )

    def _random_texts(self, record: CaptionRecord, count: int, rng: np.random.Generator) -> list[str]:
        """Captions of other images, none known to be true of this one; fewer where hardly any is to be found."""
        found: list[str] = []
        for _ in range(_TRIES * count):
            if len(found) == count:
                break
            number, text = self._captions[int(rng.integers(len(self._captions)))]
            if is_wrong(record, self._records[number], text):
                found.append(text)
        return found

    def _encode(self, texts: Sequence[str]) -> list[list[int]]:
        return self.context.tokenizer.encode_batch(list(texts))


def candidates_loss(model: UnimoModel, batch: Batch, options: ContrastiveOptions) -> tuple[paddle.Tensor, float]:
    """Equation (1) over a batch of candidates, and how often a pair scores above all its negatives."""
    index = batch.candidates
    assert index is not None
    inputs = model_inputs(batch)
    hidden = model(inputs)
    text = paddle.gather(model.pool_text(hidden, inputs), as_tensor(index.texts.reshape(-1)))
    image = paddle.gather(model.pool_image(hidden, inputs), as_tensor(index.images.reshape(-1)))
    scores = model.score(text, image).reshape(index.positives.shape)
    positives, valid = as_tensor(index.positives), as_tensor(index.valid)
    loss = contrastive_loss(scores, positives, valid, options.temperature, options.denominator, options.needed)
    found, negatives = scores.astype("float32").numpy(), index.negatives
    wins = found[:, 0] > np.where(negatives, found, -np.inf).max(axis=1)
    contrasted = negatives.any(axis=1)
    return loss, float(wins[contrasted].mean()) if contrasted.any() else 0.0


def _of_different_images(chosen: Sequence[Pair]) -> list[Pair]:
    """The first pair of each image, in order."""
    first: dict[str, Pair] = {}
    for record, caption in chosen:
        first.setdefault(record.image_id, (record, caption))
    return list(first.values())


def _sample(values: Sequence[str], count: int, rng: np.random.Generator) -> list[str]:
    """``count`` different values, or all where there are fewer."""
    if len(values) <= count:
        return list(values)
    return [values[int(place)] for place in rng.choice(len(values), size=count, replace=False)]


def draw_kinds(
    values: Mapping[str, Sequence[str]],
    count: int,
    rng: np.random.Generator,
    weights: Mapping[str, float] | None = None,
) -> list[str]:
    """``count`` different values, the kinds in turn from a random one on: a kind with many values gets no more.

    With ``weights`` (1 where a kind is not named) the kind of each is drawn by them.
    """
    if weights:
        return _draw_weighted(values, count, rng, weights)
    left = [_sample(values[kind], count, rng) for kind in values]
    left = [left[int(place)] for place in rng.permutation(len(left))]
    found: list[str] = []
    while len(found) < count and any(left):
        found += [each.pop() for each in left if each]
    return found[:count]


def _draw_weighted(
    values: Mapping[str, Sequence[str]], count: int, rng: np.random.Generator, weights: Mapping[str, float]
) -> list[str]:
    left = {kind: _sample(texts, count, rng) for kind, texts in values.items()}
    found: list[str] = []
    while len(found) < count:
        kinds = [kind for kind, texts in left.items() if texts and weights.get(kind, 1.0) > 0]
        if not kinds:
            break
        shares = np.asarray([weights.get(kind, 1.0) for kind in kinds])
        found.append(left[kinds[int(rng.choice(len(kinds), p=shares / shares.sum()))]].pop())
    return found
