"""Records looked at before they are trained on: counts, a few as the network reads them, and what is broken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from unimo.data.images import ImageSource
from unimo.data.records import Outline, Record
from unimo.errors import InputError
from unimo.tokenization import UnimoTokenizer

SHOWN_TEXTS, SHOWN_CHARACTERS = 5, 300  # of a sample
CHUNK = 20_000  # texts encoded at once; all of MNLI's at once take a gigabyte


@dataclass(frozen=True)
class ReadingRules:
    """How a task reads the texts, images and labels of its records."""

    tokenizer: UnimoTokenizer
    images: ImageSource | None
    text_limit: int
    """Longest sequence of text in tokens, special tokens included."""

    text_limits: Mapping[str, int]
    """The same for sequences of a name that have their own limit."""

    label_value: Callable[[str], object]
    """What a label becomes; raises ValueError where it cannot be used."""


@dataclass(frozen=True)
class Sample:
    """One record as the network reads it."""

    record_id: str
    texts: tuple[str, ...]
    """`name (n tokens): "text"`, encoded and decoded again; long ones and many of them are cut short here."""

    num_regions: int | None
    """The whole image counted; None where there is no image."""

    labels: tuple[str, ...] | None


@dataclass(frozen=True)
class DataDescription:
    """What stands in a file."""

    num_records: int
    texts: Counter[str]
    """Sequences of text by name (source, target, caption, ...)."""

    num_images: int
    labels: Counter[str]
    samples: tuple[Sample, ...]
    errors: tuple[str, ...] = ()
    """What training would stop at."""

    notes: tuple[str, ...] = ()
    """What training would do without a word."""


@dataclass
class _Findings:
    """What is broken or worth a line, counted while records are looked at."""

    sequences: Counter[str] = field(default_factory=Counter)
    cut: Counter[str] = field(default_factory=Counter)
    longest: Counter[str] = field(default_factory=Counter)
    empty: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)

    def add(
        self, record_id: str, name: str, parts: Sequence[str], token_ids: Sequence[Sequence[int]], rules: ReadingRules
    ) -> None:
        length = _length(token_ids)
        self.sequences[name] += 1
        self.cut[name] += length > _limit(name, rules)
        self.longest[name] = max(self.longest[name], length)
        if not all(part.strip() for part in parts):
            self.empty.append(record_id)
        if rules.tokenizer.decode_batch(token_ids) != list(parts):
            self.changed.append(record_id)


def describe_records(
    records: Sequence[Record], outline: Callable[[Record], Outline], rules: ReadingRules, num_samples: int = 3
) -> DataDescription:
    """Count, sample and check records by the rules of their task.

    Args:
        records: of one file.
        outline: what of a record the task reads.
        rules: limits, tokenizer, region store and labels.
        num_samples: records shown: the first, the last and others evenly between them.
    """
    outlines = [outline(record) for record in records]
    findings = _look_at_texts(records, outlines, rules)
    images = {each.image_id for each in outlines if each.image_id}
    image_errors = _missing_images(images, rules)
    label_errors = _unusable_labels(records, outlines, rules)
    last = len(records) - 1
    chosen = sorted({round(last * place / max(1, num_samples - 1)) for place in range(num_samples)})
    unlabelled = sum(each.labels == () for each in outlines)
    return DataDescription(
        num_records=len(records),
        texts=findings.sequences,
        num_images=len(images),
        labels=Counter(label for each in outlines for label in each.labels or ()),
        samples=tuple(_sample(records[index], outlines[index], rules, not image_errors) for index in chosen),
        errors=(*image_errors, *label_errors),
        notes=(
            *_notes(findings, rules),
            *([f"{unlabelled} of {len(records)} records have no label"] if unlabelled else []),
        ),
    )


def _look_at_texts(records: Sequence[Record], outlines: Sequence[Outline], rules: ReadingRules) -> _Findings:
    findings = _Findings()
    sequences = [
        (record.record_id, name, parts)
        for record, each in zip(records, outlines, strict=True)
        for name, parts in each.texts
    ]
    for start in range(0, len(sequences), CHUNK):
        chunk = sequences[start : start + CHUNK]
        encoded = iter(rules.tokenizer.encode_batch([part for _, _, parts in chunk for part in parts]))
        for record_id, name, parts in chunk:
            findings.add(record_id, name, parts, [next(encoded) for _ in parts], rules)
    return findings


def _length(parts: Sequence[Sequence[int]]) -> int:
    """Tokens of a sequence: `[CLS] a [SEP] b [SEP]`."""
    return 1 + sum(len(part) + 1 for part in parts)


def _limit(name: str, rules: ReadingRules) -> int:
    return rules.text_limits.get(name, rules.text_limit)


def _missing_images(images: set[str], rules: ReadingRules) -> tuple[str, ...]:
    if not images:
        return ()
    if rules.images is None:
        return ("data.regions: names no region store, but the records have images",)
    try:
        absent = rules.images.absent(sorted(images))
    except InputError as error:
        return (str(error),)
    if not absent:
        return ()
    return (f"{len(absent)} of {len(images)} images are not in {rules.images.path}, the first is {absent[0]!r}",)


def _unusable_labels(records: Sequence[Record], outlines: Sequence[Outline], rules: ReadingRules) -> tuple[str, ...]:
    reasons: dict[str, str] = {}
    places = []
    for record, each in zip(records, outlines, strict=True):
        for label in each.labels or ():
            if label not in reasons:
                try:
                    rules.label_value(label)
                    reasons[label] = ""
                except ValueError as error:
                    reasons[label] = str(error)
            if reasons[label]:
                places.append((record.record_id, reasons[label]))
    if not places:
        return ()
    return (f"{len(places)} labels cannot be used, the first: {places[0][0]}: {places[0][1]}",)


def _notes(findings: _Findings, rules: ReadingRules) -> list[str]:
    notes = [
        f"{count} of {findings.sequences[name]} {name}s are longer than {_limit(name, rules)} tokens and are cut, the "
        f"longest has {findings.longest[name]}"
        for name, count in findings.cut.items()
        if count
    ]
    for places, what in ((findings.empty, "empty"), (findings.changed, "not the same after encoding and decoding")):
        if places:
            notes.append(f"{len(places)} texts are {what}, the first in {places[0]}")
    return notes


def _sample(record: Record, outline: Outline, rules: ReadingRules, has_image: bool) -> Sample:
    regions = None
    if outline.image_id and has_image and rules.images is not None:
        [regions] = rules.images.num_regions([outline.image_id])
    texts = [_shown(name, parts, rules) for name, parts in outline.texts[:SHOWN_TEXTS]]
    if len(outline.texts) > SHOWN_TEXTS:
        texts.append(f"and {len(outline.texts) - SHOWN_TEXTS} more")
    return Sample(record.record_id, tuple(texts), regions, outline.labels)


def _shown(name: str, parts: Sequence[str], rules: ReadingRules) -> str:
    token_ids = [rules.tokenizer.encode(part) for part in parts]
    texts = " ||| ".join(rules.tokenizer.decode(ids) for ids in token_ids)
    length, limit = _length(token_ids), _limit(name, rules)
    cut = f" of which {limit} are read" if length > limit else ""
    ending = "" if len(texts) <= SHOWN_CHARACTERS else "..."
    return f"{name} ({length} tokens{cut}): {texts[:SHOWN_CHARACTERS]!r}{ending}"
