"""Positives at sentence level: where paraphrases of a caption come from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from unimo.augment.options import PositiveOptions
from unimo.augment.rewriting import plain_text
from unimo.data.formats.json_fields import read_jsonl
from unimo.data.records import CaptionRecord


class PositiveProvider(Protocol):
    """Gives texts that say the same as a caption."""

    name: str

    def positives(self, record: CaptionRecord) -> list[list[str]]:
        """For every caption of a record the texts, best first."""
        ...


class OtherCaptions:
    """The other captions of the same image."""

    name = "other_captions"

    def positives(self, record: CaptionRecord) -> list[list[str]]:
        """See :class:`PositiveProvider`."""
        return [
            [other for place, other in enumerate(record.captions) if place != number]
            for number in range(len(record.captions))
        ]


class ParaphraseFile:
    """Paraphrases made elsewhere: ``{"text": caption, "paraphrases": [...]}`` a line."""

    name = "paraphrases"

    def __init__(self, path: str) -> None:
        """Read the file.

        Raises:
            InputError: a line lacks a field, or holds another type; with line.
        """

        def make(_: str, fields: dict[str, object]) -> tuple[str, tuple[str, ...]]:
            text, found = fields["text"], fields["paraphrases"]
            if not isinstance(text, str) or not isinstance(found, list) or not all(isinstance(x, str) for x in found):
                raise ValueError("expected text: a string, and paraphrases: a list of strings")
            return plain_text(text), tuple(found)

        self.known: dict[str, tuple[str, ...]] = {}
        for text, found in read_jsonl(path, make):
            self.known[text] = (*self.known.get(text, ()), *found)

    def positives(self, record: CaptionRecord) -> list[list[str]]:
        """See :class:`PositiveProvider`."""
        return [list(self.known.get(plain_text(caption), ())) for caption in record.captions]


def make_providers(options: PositiveOptions) -> list[PositiveProvider]:
    """The providers that the options name, in the order in which they are asked."""
    providers: list[PositiveProvider] = []
    if options.paraphrases:
        providers.append(ParaphraseFile(options.paraphrases))
    if options.translate_to:
        from unimo.augment.translation import BackTranslation

        providers.append(BackTranslation(options.translate_to, options.translate_back, options.num_positives))
    if options.other_captions:
        providers.append(OtherCaptions())
    return providers


def choose_positives(
    record: CaptionRecord, providers: Sequence[PositiveProvider], count: int
) -> list[list[tuple[str, str]]]:
    """For every caption up to ``count`` (provider, text), duplicates and the caption itself left out."""
    chosen: list[list[tuple[str, str]]] = [[] for _ in record.captions]
    taken = [{plain_text(caption)} for caption in record.captions]
    for provider in providers:
        for number, texts in enumerate(provider.positives(record)):
            for text in _fresh(texts, taken[number]):
                if len(chosen[number]) < count:
                    chosen[number].append((provider.name, text))
    return chosen


def _fresh(texts: Iterable[str], taken: set[str]) -> Iterable[str]:
    for text in texts:
        plain = plain_text(text)
        if plain and plain not in taken:
            taken.add(plain)
            yield text
