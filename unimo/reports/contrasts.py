"""Captions beside wrong ones, read from files: the scores of hard negatives, and a corpus of contrastive learning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from unimo.augment.corpus import NEGATIVE_KINDS, AugmentedCorpus, Candidates
from unimo.augment.rewriting import Rewrite
from unimo.regions.names import ImageNames
from unimo.reports.page import ChoiceExample, ChoiceRow, ContrastExample, RewrittenCaption, ScoredCaption
from unimo.reports.sampling import sample

NUM_CHOICES, NUM_CONTRASTS = 12, 6
NUM_REWRITES, NUM_RETRIEVED_TEXTS, NUM_RETRIEVED_IMAGES = 3, 3, 5  # of each kind, of each caption

_PARTS = {
    "": "all",
    "seen": "seen combinations",
    "unseen": "unseen combinations",
    "shuffled": "with another image",
}


def choice_rows(
    values: Mapping[str, Any], chance: Mapping[str, Any], scorers: Mapping[str, str]
) -> tuple[ChoiceRow, ...]:
    """The table of what `evaluate-negatives` wrote; the last line is chance.

    Args:
        values: its JSON.
        chance: the same names with chance levels.
        scorers: name in it -> in words.
    """
    rows = []
    for name in (name for name in scorers if name in values):
        for part, told in _PARTS.items():
            found = values[name][part] if part else values[name]
            rows.append(ChoiceRow(scorers[name], told, found["accuracy"], found["pairwise"]))
    level = next(chance[name] for name in scorers if name in values)
    return (*rows, ChoiceRow("chance", "any", level["accuracy"], level["pairwise"]))


def choice_examples(
    predictions: Sequence[Mapping[str, Any]], images: Mapping[str, Path], scorers: Mapping[str, str]
) -> tuple[ChoiceExample, ...]:
    """Of images drawn at random the first caption among its wrong ones (see ``tasks.hard_negatives.predictions``)."""
    first: dict[str, Mapping[str, Any]] = {}
    for each in predictions:
        first.setdefault(str(each["image_id"]), each)
    chosen = sample(sorted(first), NUM_CHOICES)
    return tuple(_choice_example(first[image_id], images.get(image_id), scorers) for image_id in chosen)


def _choice_example(line: Mapping[str, Any], image: Path | None, scorers: Mapping[str, str]) -> ChoiceExample:
    names = [name for name in scorers if name in line["scores"]]

    def scored(each: Mapping[str, Any], text: str, kind: str) -> ScoredCaption:
        return ScoredCaption(text, tuple(float(each["scores"][name]) for name in names), kind)

    right = scored(line, line["caption"], "")
    wrong = [scored(each, each["text"], each["kind"]) for each in line["wrong"]]
    return ChoiceExample(
        image_id=str(line["image_id"]),
        image=image,
        scorers=tuple(scorers[name] for name in names),
        # of equals the right one stands last, as its rank says
        captions=tuple(sorted([right, *wrong], key=lambda each: (-each.scores[0], not each.kind))),
        ranks=tuple(
            1 + sum(each.scores[place] >= right.scores[place] for each in wrong) for place in range(len(names))
        ),
        remark="unseen combination" if line["unseen"] else "",
    )


def contrast_examples(corpus: Path, images: Mapping[str, Path]) -> tuple[ContrastExample, ...]:
    """Captions of a corpus drawn at random, with what was found for each.

    Args:
        corpus: folder that `unimo augment` wrote.
        images: image id -> picture; images may have other names in the corpus (see ``regions.names``).

    Raises:
        InputError: no finished corpus there.
    """
    opened = AugmentedCorpus(corpus)
    names = ImageNames(images, "images")

    def picture(image_id: str) -> Path | None:
        found = names.find(image_id)
        return None if found is None else images[found]

    def example(candidates: Candidates) -> ContrastExample:
        retrieved = list(candidates.retrieved_images)[:NUM_RETRIEVED_IMAGES]
        rewrites = {_KINDS[kind]: _rewrites(candidates, kind) for kind in NEGATIVE_KINDS}
        if not rewrites["exchanged"]:  # off by default: "none" would tell nothing
            del rewrites["exchanged"]
        return ContrastExample(
            image_id=candidates.image_id,
            image=picture(candidates.image_id),
            caption=candidates.caption,
            rewrites=rewrites,
            positives=tuple(candidates.positives)[:NUM_REWRITES],
            retrieved_images=tuple((image_id, picture(image_id)) for image_id in retrieved),
            retrieved_texts=tuple(candidates.retrieved_texts)[:NUM_RETRIEVED_TEXTS],
        )

    return tuple(example(opened[number]) for number in sample(range(len(opened)), NUM_CONTRASTS))


_KINDS = {kind: kind for kind in NEGATIVE_KINDS} | {
    "combination": "two at once",
    "exchange": "exchanged",
    "sentence": "similar caption",
}


def _rewrites(candidates: Candidates, kind: str) -> tuple[RewrittenCaption, ...]:
    if kind == "sentence":
        return tuple(RewrittenCaption(((text, False),)) for text in list(candidates.negatives[kind])[:NUM_REWRITES])
    found = [each for each in candidates.rewrites if each.kind == kind][:NUM_REWRITES]
    return tuple(_pieces(candidates.caption, each) for each in found)


def _pieces(caption: str, rewrite: Rewrite) -> RewrittenCaption:
    pieces, end = [], 0
    for edit in sorted([*rewrite.nodes, *rewrite.articles], key=lambda each: each.start):
        pieces += [(caption[end : edit.start], False), (edit.new, True)]
        end = edit.end
    return RewrittenCaption(tuple(piece for piece in [*pieces, (caption[end:], False)] if piece[0]))


def contrasts_note(corpus: Path) -> str:
    """What the section shows, in words."""
    return (
        f"Training captions out of {len(AugmentedCorpus(corpus)):,}, with at most {NUM_REWRITES} rewrites of a kind, "
        f"{NUM_RETRIEVED_IMAGES} retrieved images and {NUM_RETRIEVED_TEXTS} retrieved texts of each. Rewrites, whose "
        "new words are marked, and similar captions of other images are read as wrong about the picture; what says "
        "the same, and retrieved images and texts, as right. Of all these, a training step draws a few."
    )
