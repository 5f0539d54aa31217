"""What the corpus job wrote, as pre-training asks for it: candidates and scene graph of one caption."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from unimo.augment.corpus import AugmentedCorpus
from unimo.augment.rewriting import REWRITE_KINDS
from unimo.data.records import CaptionRecord
from unimo.errors import InputError


@dataclass(frozen=True)
class RewrittenCaption:
    """One caption's candidates (see ``contrastive_learning.CaptionCandidates``)."""

    positives: Sequence[str]
    rewrites: Sequence[str]
    similar: Sequence[str]
    image_ids: Sequence[str]
    texts: Sequence[str]


@dataclass(frozen=True)
class RewrittenNode:
    """A node of a caption's scene graph that the job has replaced: its kind, and its characters."""

    kind: str
    start: int
    end: int


class AugmentedSource:
    """Reads the folder that `unimo augment` wrote."""

    def __init__(self, path: str | Path, records: Sequence[CaptionRecord]) -> None:
        """Open the corpus; every caption of ``records`` must be in it.

        Raises:
            InputError: no finished corpus, or one of other captions.
        """
        self.corpus = AugmentedCorpus(path)
        known = self.corpus.numbers
        if absent := [record.image_id for record in records if record.image_id not in known]:
            raise InputError(f"{path}: made from other pairs: {len(absent)} images are not in it, {absent[0]!r} first")

    def candidates(self, image_id: str, caption: str) -> RewrittenCaption:
        """Rewritten captions, retrieved images and texts."""
        found = self.corpus[image_id, caption]
        rewrites = [text for kind in REWRITE_KINDS for text in found.negatives[kind]]
        similar = found.negatives["sentence"]
        return RewrittenCaption(found.positives, rewrites, similar, found.retrieved_images, found.retrieved_texts)

    def nodes(self, image_id: str, caption: str) -> list[RewrittenNode]:
        """The nodes that were replaced; one that the job found nothing to put in place of is not among them."""
        single = [each for each in self.corpus[image_id, caption].rewrites if len(each.nodes) == 1]
        return sorted(
            {RewrittenNode(each.kind, each.nodes[0].start, each.nodes[0].end) for each in single},
            key=lambda node: (node.start, node.end, node.kind),
        )
