"""Records: what a dataset file holds, one frozen dataclass a kind. ``unimo.data.formats`` reads them.

Files of the original release hold texts as ready-made token ids. A record then has those ids, without special tokens,
beside the text that they stand for: sequences are built from the ids, metrics read the text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

TokenIds = tuple[int, ...]


@dataclass(frozen=True)
class Outline:
    """What a record holds, whatever its kind: for looking at data, not for training on it."""

    texts: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Name and parts of each sequence of text that is read or written: a pair of texts is one sequence of two parts."""

    image_id: str = ""
    labels: tuple[str, ...] | None = None
    """As the file writes them; empty where they are not known, None where a kind of record has none."""


class Record(Protocol):
    """Any of the records below."""

    @property
    def record_id(self) -> str:
        """File and line, or the dataset's own name for it."""
        ...

    def outline(self) -> Outline:
        """Texts, image and labels."""
        ...


@dataclass(frozen=True)
class TextRecord:
    """One text of a corpus."""

    record_id: str
    text: str

    def outline(self) -> Outline:
        """Texts, image and labels."""
        return Outline((("text", (self.text,)),))


@dataclass(frozen=True)
class ImageRecord:
    """One image without text; its regions lie in a store under ``image_id``."""

    record_id: str
    image_id: str

    def outline(self) -> Outline:
        """Texts, image and labels."""
        return Outline(image_id=self.image_id)


@dataclass(frozen=True)
class CaptionRecord:
    """One image with all its captions (none where they are not known).

    ``also_true``: further images that the captions are true of.
    """

    record_id: str
    image_id: str
    captions: tuple[str, ...]
    also_true: tuple[str, ...] = ()
    caption_token_ids: tuple[TokenIds, ...] | None = None

    def outline(self) -> Outline:
        """Texts, image and labels."""
        return Outline(tuple(("caption", (caption,)) for caption in self.captions), self.image_id)


@dataclass(frozen=True)
class LabelledTextRecord:
    """One text, or a pair of texts, with its label as written in the file ("" where there is none).

    ``query_id``: the column `qid` of the release's files, where there is one.
    """

    record_id: str
    text_a: str
    text_b: str | None
    label: str
    query_id: str | None = None

    def outline(self) -> Outline:
        """Texts, image and labels."""
        parts = (self.text_a,) if self.text_b is None else (self.text_a, self.text_b)
        return Outline((("text", parts),), labels=(self.label,) if self.label else ())


@dataclass(frozen=True)
class GenerationRecord:
    """Texts that are given, and the text to write from them (None where it is not known)."""

    record_id: str
    sources: tuple[str, ...]
    target: str | None
    source_token_ids: tuple[TokenIds, ...] | None = None
    target_token_ids: TokenIds | None = None

    def outline(self) -> Outline:
        """Texts, image and labels."""
        return Outline((("source", self.sources), *_target(self.target)))


@dataclass(frozen=True)
class DialogueRecord:
    """A conversation: background knowledge ("" for none), turns so far, oldest first, and the answer to give."""

    record_id: str
    knowledge: str
    turns: tuple[str, ...]
    target: str | None
    knowledge_token_ids: TokenIds | None = None
    turn_token_ids: tuple[TokenIds, ...] | None = None
    target_token_ids: TokenIds | None = None
    other_targets: tuple[str, ...] = ()
    """What other people answered: scored against, not trained on."""

    def outline(self) -> Outline:
        """Texts, image and labels."""
        given = (self.knowledge, *self.turns) if self.knowledge else self.turns
        return Outline((("source", given), *_target(self.target)))


@dataclass(frozen=True)
class EntailmentRecord:
    """An image, a sentence about it, and whether it follows ("" where that is not known)."""

    record_id: str
    image_id: str
    hypothesis: str
    label: str
    hypothesis_token_ids: TokenIds | None = None

    def outline(self) -> Outline:
        """Texts, image and labels."""
        return Outline((("hypothesis", (self.hypothesis,)),), self.image_id, (self.label,) if self.label else ())


@dataclass(frozen=True)
class QuestionRecord:
    """A question about an image, and the answers that people gave (none where they are not known)."""

    record_id: str
    image_id: str
    question: str
    answers: tuple[str, ...]

    def outline(self) -> Outline:
        """Texts, image and labels."""
        return Outline((("question", (self.question,)),), self.image_id, self.answers)


def _target(target: str | None) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return () if target is None else (("target", (target,)),)
