"""Settings of the corpus job. What the paper does not say is a field, and its text says how sure we are (PAPER 3.1)."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import Literal

DEFAULT_NUM_CANDIDATES = 100


@dataclass(frozen=True)
class PairFiles:
    """Images with their captions."""

    files: tuple[str, ...]
    """Caption files of any format that training reads, all of them: `.jsonl`, COCO's and Karpathy's `.json`, Visual
    Genome's, and Multi30k's list of images, `train.images.txt`, beside its caption files (see data/README.md)."""

    image_prefix: str = ""
    """Put before the image ids to find them in the region store, such as the folder of the pictures there
    (`flickr30k/`). The corpus has the ids of the caption files, by which training asks for them."""


@dataclass(frozen=True)
class RewriteOptions:
    """Hard negatives. The paper makes 100 of all kinds for a pair (recollection, high confidence); how many of each is
    not known."""

    num_nodes: int = 50
    """Negatives at word and phrase level: an object, an attribute, a relation, or two of them replaced, in turn."""

    num_sentences: int = 50
    """Negatives at sentence level: captions of other images, the nearest by TF-IDF."""

    max_similarity: float = 0.9
    """A caption of another image above this cosine says the same, and is no negative. Not in the paper."""

    min_count: int = 3
    """Words that the captions use less often in a place are not drawn for it. Not in the paper."""

    exchange: bool = False
    """Among the negatives of ``num_nodes``, let two objects take each other's attributes, so that no single word tells
    the caption from the true one (ours)."""

    def __post_init__(self) -> None:
        """Refuse counts that cannot be."""
        if min(self.num_nodes, self.num_sentences) < 0 or self.min_count < 1:
            raise ValueError("num_nodes, num_sentences: not negative; min_count: at least 1")
        if not 0 < self.max_similarity <= 1:
            raise ValueError(f"max_similarity: {self.max_similarity} is not in (0, 1]")


@dataclass(frozen=True)
class PositiveOptions:
    """Positives at sentence level. The paper translates a caption to another language and back, 3 for a caption
    (recollection, high confidence); languages and translator are not known."""

    num_positives: int = 3
    """Most positives of a caption; the providers are asked in the order of the fields below."""

    paraphrases: str = ""
    """A `.jsonl` file of ``{"text": caption, "paraphrases": [...]}``."""

    translate_to: str = ""
    """CTranslate2 folder of a model from English (converted OPUS-MT, with `source.spm` and `target.spm`)."""

    translate_back: str = ""
    """CTranslate2 folder of a model back to English."""

    other_captions: bool = True
    """Whether the other captions of the image are positives. Not in the paper, where each is a pair of its own."""

    def __post_init__(self) -> None:
        """Refuse half a way to another language and back."""
        if bool(self.translate_to) != bool(self.translate_back):
            raise ValueError("translate_to, translate_back: both or neither")
        if self.num_positives < 0:
            raise ValueError("num_positives: must not be negative")


@dataclass(frozen=True)
class RetrievalOptions:
    """Images and texts retrieved for a pair. The paper retrieves 100 of each (recollection, high confidence)."""

    num_images: int = DEFAULT_NUM_CANDIDATES
    """Unpaired images for an image: alike by the cosine of their mean region features, among those that show the same
    objects. The paper orders by visual similarity and keeps "highly overlapped objects"; measure and bound are ours."""

    min_overlap: float = 0.5
    """Least overlap of the objects: Bhattacharyya coefficient of the mean class distributions, 0 to 1; 0 goes by
    visual similarity alone, as a store without class probabilities asks for. Not in the paper."""

    num_texts: int = DEFAULT_NUM_CANDIDATES
    """Sentences of the free text for a caption, the nearest by TF-IDF; the paper's similarity is not known."""

    min_similarity: float = 0.05
    """Sentences below this cosine have no more than a common word with the caption, and are left out. Not in the
    paper."""

    longest_line: int = 50
    """Lines of the free text of more words than this, such as paragraphs and articles, are split into sentences by a
    simple rule; 0 splits none. The paper retrieves sentences; rule and bound are ours, and files of a sentence a line
    stay as they are."""

    def __post_init__(self) -> None:
        """Refuse what is no share."""
        if not 0 <= self.min_overlap <= 1 or not 0 <= self.min_similarity < 1:
            raise ValueError("min_overlap, min_similarity: from 0 to 1")
        if min(self.num_images, self.num_texts, self.longest_line) < 0:
            raise ValueError("num_images, num_texts, longest_line: must not be negative")


@dataclass(frozen=True)
class ParserOptions:
    """How captions are parsed. The paper takes Wang et al. 2018 (recollection, high confidence), a trained parser."""

    name: Literal["pattern", "spacy"] = "pattern"
    """`pattern`: textblob's tagger and our rules, no download; `spacy`: a pipeline that the user has installed."""

    spacy_model: str = "en_core_web_sm"
    """Pipeline of `spacy`."""

    vocabulary: str = ""
    """Folder with Visual Genome's `objects.txt`, `attributes.txt` and `relations.txt`, whose names join our lexicon;
    empty does without."""


@dataclass(frozen=True)
class AugmentConfig:
    """One corpus job. Paths are relative to the working directory; the corpus' own `config.yaml` has them in full."""

    pairs: PairFiles
    """What is augmented."""

    output: str
    """Folder of the corpus; shards appear in it one by one, and `index.json` when all are there."""

    texts: tuple[str, ...] = ()
    """Free text: `.jsonl` with ``{"text": ...}`` a line, or a text a line, of which long ones are split (see
    `retrieval.longest_line`); `.gz` is unpacked."""

    regions: str = ""
    """Region store of the images of the pairs; empty retrieves no images."""

    images: tuple[str, ...] = ()
    """Files of unpaired images: ``{"image_id": ...}`` a line, or COCO's `image_info`; without any all of
    `image_regions`."""

    held_out: tuple[str, ...] = ()
    """Files of images with captions, such as those to evaluate on, none of which is an unpaired image."""

    image_regions: str = ""
    """Region store of the unpaired images; empty takes `regions`."""

    seed: int = 1
    """Of everything drawn."""

    records_per_shard: int = 1000
    """Images, with their captions, of one shard."""

    parser: ParserOptions = field(default_factory=ParserOptions)
    """Scene graphs."""

    rewriting: RewriteOptions = field(default_factory=RewriteOptions)
    """Hard negatives."""

    positives: PositiveOptions = field(default_factory=PositiveOptions)
    """Positives."""

    retrieval: RetrievalOptions = field(default_factory=RetrievalOptions)
    """Images and texts."""

    def __post_init__(self) -> None:
        """Refuse impossible combinations."""
        if not self.pairs.files:
            raise ValueError("pairs: no files")
        if self.records_per_shard < 1:
            raise ValueError("records_per_shard: at least 1")
        if (self.images or self.image_regions) and not self.regions:
            raise ValueError("regions: needed to retrieve images")

    @property
    def retrieves_images(self) -> bool:
        """Whether unpaired images are looked for."""
        return bool(self.regions) and self.retrieval.num_images > 0

    def with_full_paths(self) -> AugmentConfig:
        """The same job for any process, whatever its working directory."""
        positives = replace(
            self.positives,
            paraphrases=_full(self.positives.paraphrases),
            translate_to=_full(self.positives.translate_to),
            translate_back=_full(self.positives.translate_back),
        )
        return replace(
            self,
            pairs=replace(self.pairs, files=tuple(map(_full, self.pairs.files))),
            output=_full(self.output),
            texts=tuple(map(_full, self.texts)),
            regions=_full(self.regions),
            images=tuple(map(_full, self.images)),
            held_out=tuple(map(_full, self.held_out)),
            image_regions=_full(self.image_regions),
            parser=replace(self.parser, vocabulary=_full(self.parser.vocabulary)),
            positives=positives,
        )


def _full(path: str) -> str:
    return os.path.abspath(path) if path else ""
