"""What stands on a report's page, as plain values. Nothing here knows of HTML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class MetricRow:
    """One line of the summary table."""

    task: str
    metric: str
    value: float | None
    """None where it is undefined."""
    baseline: float | None = None
    """Chance level, or what is reached without the input in question; None where there is none."""
    note: str = ""
    unit: Literal["share", "number"] = "share"
    """A share lies in 0..1, is written in percent and drawn as a bar; a number is written as it is."""


@dataclass(frozen=True)
class Timing:
    """Wall clock time of one stage."""

    stage: str
    seconds: float


@dataclass(frozen=True)
class Curve:
    """One loss of one run over its steps."""

    run: str
    name: str
    steps: tuple[int, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class Verdict:
    """One thing looked at in a caption; `reason` says why it is right or wrong."""

    aspect: str
    right: bool
    reason: str


@dataclass(frozen=True)
class CaptionExample:
    """An image with its generated caption. Without verdicts the caption is shown unjudged."""

    image_id: str
    image: Path | None
    caption: str
    verdicts: tuple[Verdict, ...] = ()
    references: tuple[str, ...] = ()


@dataclass(frozen=True)
class RankedImage:
    """One image of a ranking."""

    image_id: str
    image: Path | None
    score: float
    right: bool


@dataclass(frozen=True)
class RetrievalExample:
    """A caption and the images ranked first for it, best first."""

    caption: str
    hits: tuple[RankedImage, ...]
    rank: int | None
    """Rank of the first right image, from 1; None where it is below `depth`."""
    depth: int = 10
    """How many ranks are known."""


@dataclass(frozen=True)
class ScoredCaption:
    """A caption with its score by each scorer, in the order of the example's scorers."""

    text: str
    scores: tuple[float, ...]
    kind: str = ""
    """What is wrong about it; empty for the right one."""


@dataclass(frozen=True)
class ChoiceExample:
    """An image, its right caption and the wrong ones, sorted by the first scorer, best first."""

    image_id: str
    image: Path | None
    scorers: tuple[str, ...]
    captions: tuple[ScoredCaption, ...]
    ranks: tuple[int, ...]
    """Rank of the right caption by each scorer, from 1; ties count against it."""
    remark: str = ""


@dataclass(frozen=True)
class ChoiceRow:
    """One line of the table of choices: shares of 1, None where undefined."""

    scorer: str
    part: str
    accuracy: float | None
    """The right caption above all wrong ones."""
    pairwise: Mapping[str, float | None]
    """Kind -> the right caption above one wrong one of this kind."""


@dataclass(frozen=True)
class RewrittenCaption:
    """A rewrite in pieces: text, and whether it was put in the place of something else."""

    pieces: tuple[tuple[str, bool], ...]


@dataclass(frozen=True)
class ContrastExample:
    """A training caption with what contrastive learning reads beside it."""

    image_id: str
    image: Path | None
    caption: str
    rewrites: Mapping[str, tuple[RewrittenCaption, ...]]
    """Kind -> wrong captions; a kind may have none."""
    positives: tuple[str, ...] = ()
    retrieved_images: tuple[tuple[str, Path | None], ...] = ()
    """Image id and file, most alike first."""
    retrieved_texts: tuple[str, ...] = ()


@dataclass(frozen=True)
class TextExample:
    """A text, or the parts of a pair, with its label."""

    texts: tuple[str, ...]
    predicted: str
    label: str | None = None
    """The true label; None where it is not known."""


@dataclass(frozen=True)
class Page:
    """A report. Empty sections are left out."""

    title: str
    summary: str
    metrics: tuple[MetricRow, ...] = ()
    timings: tuple[Timing, ...] = ()
    total_seconds: float | None = None
    """Of all stages together, where some ran side by side; None: their sum."""

    curves: tuple[Curve, ...] = ()
    captions: tuple[CaptionExample, ...] = ()
    captions_note: str = ""
    retrieval: tuple[RetrievalExample, ...] = ()
    retrieval_note: str = ""
    choices: tuple[ChoiceExample, ...] = ()
    choice_rows: tuple[ChoiceRow, ...] = ()
    choices_note: str = ""
    contrasts: tuple[ContrastExample, ...] = ()
    contrasts_note: str = ""
    texts: tuple[TextExample, ...] = ()
    texts_note: str = ""
    notes: tuple[str, ...] = ()
