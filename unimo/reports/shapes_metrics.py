"""The numbers of a quickstart: what the runs reached on the test split, beside what is reached without looking."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import comb
from typing import Any

from unimo.data.records import CaptionRecord
from unimo.errors import InputError
from unimo.reports.sampling import SEED
from unimo.reports.shapes_data import Quickstart
from unimo.worlds.shapes import chance_levels, part_by_pairs, score_captions
from unimo.worlds.shapes.negatives import COUNTS, NUM_WRONG

WAYS = ("text_to_image", "image_to_text")
RANKS = (1, 5, 10)
SCORERS = {"matching_head": "match", "likelihood": "likelihood"}
"""Name in the report -> prefix in the pre-training run's report."""

NUM_LABELS = 2  # of the statements
_RATES = (
    "parsed",
    "scene_accuracy",
    "attributes_accuracy",
    "relation_accuracy",
    "position_accuracy",
    "relation_given_objects",
    "position_given_objects",
)


def shapes_report(quickstart: Quickstart) -> dict[str, Any]:
    """The report of a quickstart: `chance`, `zero_shot`, `finetuned`, `seconds` by stage and `total_seconds`.

    Whatever stands under `zero_shot` and `finetuned` has its chance level under the same name in `chance`. Recall and
    accuracy are shares of 1; null is written where a value is undefined (no test image with a held-out pair, say).
    """
    recall = random_recall(quickstart.queries)
    return {
        "chance": {
            **{name: recall for name in SCORERS},
            "captioning": caption_chance(quickstart),
            "retrieval": recall,
            "text": {"accuracy": 1 / NUM_LABELS},
            "hard_negatives": negatives_chance(quickstart.negatives),
        },
        "zero_shot": {
            **{name: recall_values(quickstart, "pretraining", f"{key}.") for name, key in SCORERS.items()},
            "hard_negatives": quickstart.negatives,
        },
        "finetuned": {
            "captioning": caption_values(quickstart),
            "retrieval": recall_values(quickstart, "retrieval", ""),
            "text": {"accuracy": text_accuracy(quickstart)},
        },
        "seconds": quickstart.seconds,
        "total_seconds": quickstart.total_seconds,
    }


def recall_values(quickstart: Quickstart, run: str, prefix: str) -> dict[str, dict[str, float | None]]:
    """Recall at 1, 5 and 10 in both directions, from a run's report.json."""
    return {way: {f"r{rank}": quickstart.test_value(run, f"{prefix}{way}.r{rank}") for rank in RANKS} for way in WAYS}


def negatives_chance(values: Mapping[str, Any]) -> dict[str, Any]:
    """What random scores reach, under the names of what `evaluate-negatives` wrote."""
    alone = {
        "accuracy": 1 / (1 + NUM_WRONG),
        "pairwise": dict.fromkeys(COUNTS, 0.5),
        "accuracy_by_kind": {kind: 1 / (1 + count) for kind, count in COUNTS.items()},
    }
    level = alone | {part: alone for part in ("seen", "unseen", "shuffled")}
    return {name: level if isinstance(value, Mapping) else value for name, value in values.items()}


def random_recall(records: Sequence[CaptionRecord]) -> dict[str, dict[str, float]]:
    """Expected recall of a random ranking: a hit is any right image (caption) among the first k.

    With m right ones among n, the chance of no hit is C(n - m, k) / C(n, k).
    """
    own = Counter({record.image_id: len(record.captions) for record in records})
    texts, images = Counter(own), len(own)
    right_images = []
    for record in records:
        others = {image_id for image_id in record.also_true if image_id in own and image_id != record.image_id}
        right_images += [1 + len(others)] * len(record.captions)
        texts.update(dict.fromkeys(others, len(record.captions)))
    return {
        "text_to_image": {f"r{rank}": _mean_hit(right_images, images, rank) for rank in RANKS},
        "image_to_text": {f"r{rank}": _mean_hit(list(texts.values()), len(right_images), rank) for rank in RANKS},
    }


def _mean_hit(right: Sequence[int], candidates: int, rank: int) -> float:
    rank = min(rank, candidates)
    misses = sum(Fraction(comb(candidates - each, rank), comb(candidates, rank)) for each in right)
    return float(1 - misses / len(right))


def caption_values(quickstart: Quickstart) -> dict[str, Any]:
    """How many captions are right, over all test images and over those with and without a held-out pair; CIDEr."""
    captions = quickstart.captions
    held_out, seen = part_by_pairs(captions, quickstart.scenes, quickstart.held_out)
    return {
        **_scores(captions, quickstart),
        "cider": quickstart.test_value("captioning", "cider"),
        "count": len(captions),
        "held_out": {**_scores(held_out, quickstart), "count": len(held_out)},
        "seen": {**_scores(seen, quickstart), "count": len(seen)},
    }


def _scores(captions: Mapping[str, str], quickstart: Quickstart) -> dict[str, float | None]:
    if not captions:
        return dict.fromkeys(_RATES)
    scores: dict[str, float | None] = dict(score_captions(captions, quickstart.scenes))
    if not scores["scene_accuracy"]:
        scores |= {"relation_given_objects": None, "position_given_objects": None}
    return scores


def caption_chance(quickstart: Quickstart) -> dict[str, Any]:
    """The same values without looking at the image: a true caption of another test image, or the commonest answer."""
    references = quickstart.references
    firsts = {image_id: texts[0] for image_id, texts in references.items()}
    held_out, seen = part_by_pairs(firsts, quickstart.scenes, quickstart.held_out)
    return {
        **_chance(list(references), quickstart),
        "cider": _chance_cider(quickstart),
        "count": len(references),
        "held_out": {**_chance(list(held_out), quickstart), "count": len(held_out)},
        "seen": {**_chance(list(seen), quickstart), "count": len(seen)},
    }


def _chance(image_ids: Sequence[str], quickstart: Quickstart) -> dict[str, float | None]:
    """`parsed` is 1: a caption of another image is a sentence too."""
    if len(image_ids) < 2:
        return dict.fromkeys(_RATES)
    captions = {image_id: quickstart.references[image_id] for image_id in image_ids}
    return {"parsed": 1.0, **chance_levels(captions, quickstart.scenes, quickstart.prior)}


def _chance_cider(quickstart: Quickstart) -> float | None:
    """CIDEr of captions dealt out to other images: the images in random order, each given a caption of the next."""
    from unimo.metrics.captioning import caption_metrics

    image_ids = sorted(quickstart.references)
    if len(image_ids) < 2:
        return None
    rng = random.Random(SEED)
    rng.shuffle(image_ids)
    dealt = zip(image_ids, image_ids[1:] + image_ids[:1], strict=True)
    captions = {image_id: rng.choice(quickstart.references[other]) for image_id, other in dealt}
    references = {image_id: list(texts) for image_id, texts in quickstart.references.items()}
    values, _ = caption_metrics(captions, references, ("cider",))
    return values["cider"]


def text_accuracy(quickstart: Quickstart) -> float:
    """Share of the statements whose label is right.

    Raises:
        InputError: the run's report.json says another value, so that predictions and report are of different runs.
    """
    records, labels = quickstart.statements, quickstart.labels
    accuracy = sum(labels[name] == record.label for name, record in records.items()) / len(records)
    reported = quickstart.test_value("statements", "accuracy")
    if reported is None or abs(reported - accuracy) > 1e-6:
        path = quickstart.run("statements") / "report.json"
        raise InputError.at(
            path, f"says accuracy {reported}, but its predictions have {accuracy}; are they of one run?"
        )
    return accuracy
