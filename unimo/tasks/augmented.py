"""What the corpus job wrote, as pre-training asks for it: candidates and scene graph of one caption."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
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
    rewrites: Mapping[str, Sequence[str]]
    similar: Sequence[str]
    image_ids: Sequence[str]
    texts: Sequence[str]


@dataclass(frozen=True)
class CaptionNode:
    """A node of a caption's scene graph: its kind, and its characters."""

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
        """Rewritten captions, retrieved images and texts.

        Raises:
            InputError: the corpus has no such caption, or is damaged.
        """
        with self._known(image_id, caption):
            found = self.corpus[image_id, caption]
        rewrites = {kind: found.negatives[kind] for kind in REWRITE_KINDS}
        similar = found.negatives["sentence"]
        return RewrittenCaption(found.positives, rewrites, similar, found.retrieved_images, found.retrieved_texts)

    def nodes(self, image_id: str, caption: str) -> list[CaptionNode]:
        """The caption's scene graph, in the order of the text.

        Raises:
            InputError: the corpus has no such caption, or is damaged.
        """
        with self._known(image_id, caption):
            return [CaptionNode(*node) for node in self.corpus.nodes(image_id, caption)]

    @contextlib.contextmanager
    def _known(self, image_id: str, caption: str) -> Iterator[None]:
        try:
            yield
        except KeyError as error:
            told = f"made from other pairs: image {image_id!r} has no caption {caption!r} in it"
            raise InputError.at(self.corpus.path, told) from error
