"""The page of a quickstart: its numbers in words, and examples judged against the scenes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from unimo.regions.extract import find_images
from unimo.reports.contrasts import (
    NUM_CHOICES,
    choice_examples,
    choice_rows,
    contrast_examples,
    contrasts_note,
)
from unimo.reports.curves import read_curves
from unimo.reports.page import CaptionExample, Curve, MetricRow, Page, RetrievalExample, TextExample, Timing, Verdict
from unimo.reports.run import (
    NUM_CAPTIONS,
    NUM_RANKINGS,
    NUM_TEXTS,
    ranking_example,
    read_report,
    throughput_notes,
)
from unimo.reports.sampling import SAMPLED, sample
from unimo.reports.shapes_data import RUNS, Quickstart
from unimo.worlds.shapes import Claims, Scene, check_caption, parse_caption

_TITLES = {
    "pretraining": "pre-training",
    "captioning": "captioning",
    "retrieval": "retrieval",
    "statements": "sentences with statements",
}
_RECALLS = {
    "Retrieval": ("finetuned", "retrieval"),
    "Retrieval, zero-shot by the matching head": ("zero_shot", "matching_head"),
    "Retrieval, zero-shot by likelihood": ("zero_shot", "likelihood"),
}
SCORER_NAMES = {"matching_head": "matching head", "likelihood": "likelihood"}
_WAYS = {"text_to_image": "text to image", "image_to_text": "image to text"}
_CAPTION_ROWS = {
    "parsed": ("sentences of the language", "a sentence that the world's grammar can say"),
    "scene_accuracy": ("both objects right", "colour and shape of two objects that are there"),
    "attributes_accuracy": ("objects and attributes right", "and every size and texture that is stated"),
    "position_accuracy": ("objects and position right", "and the area of the picture that is stated"),
    "relation_accuracy": ("objects and relation right", "and left of, right of, above or below"),
    "position_given_objects": ("position, where the objects are right", "chance: the commonest area"),
    "relation_given_objects": ("relation, where the objects are right", "chance: the commonest relation"),
}


def shapes_page(quickstart: Quickstart, report: Mapping[str, Any], images: Path) -> Page:
    """What stands on the page, from the report of the same folder."""
    found = find_images(images)
    return Page(
        title="UNIMO on the drawn world",
        summary=_summary(quickstart, report),
        metrics=tuple(_metric_rows(report)),
        timings=tuple(Timing(stage, seconds) for stage, seconds in report["seconds"].items()),
        total_seconds=quickstart.total_seconds,
        curves=_curves(quickstart),
        captions=tuple(caption_example(quickstart, each, found) for each in _sampled_images(quickstart)),
        captions_note=_captions_note(len(_sampled_images(quickstart))),
        retrieval=_retrieval(quickstart, found),
        retrieval_note=f"Captions of the test split and the five images ranked first by the fine-tuned model among "
        f"all {len(quickstart.queries)}, with their scores; the right image is framed. {SAMPLED}",
        choices=choice_examples(quickstart.negative_predictions, found, SCORER_NAMES),
        choice_rows=choice_rows(quickstart.negatives, report["chance"]["hard_negatives"], SCORER_NAMES),
        choices_note=_choices_note(quickstart),
        contrasts=contrast_examples(quickstart.augmented, found),
        contrasts_note=f"{SAMPLED} {contrasts_note(quickstart.augmented)}",
        texts=tuple(_text_examples(quickstart)),
        texts_note=f"Is the statement true of the sentence (1) or not (0)? {SAMPLED}",
        notes=tuple(_notes(quickstart)),
    )


def _choices_note(quickstart: Quickstart) -> str:
    count = quickstart.negatives["count"]
    return (
        f"{count} true captions of test images against ten each that the world makes wrong in one detail: another "
        "object, attribute or relation; scored before any fine-tuning. With another image only the wording is left to "
        f"go by, and a model that looks falls to chance. Below, {NUM_CHOICES} of the images. {SAMPLED} Nothing was "
        "picked. The captions are sorted by the first score; a tie counts against the true one."
    )


def _captions_note(count: int) -> str:
    return (
        f"{count} of the test images. {SAMPLED} Nothing was picked: right and wrong ones stand here as often as chance "
        "drew them. A caption is all right if its objects, attributes, position and relation are true of the scene."
    )


def _summary(quickstart: Quickstart, report: Mapping[str, Any]) -> str:
    captioning, chance = report["finetuned"]["captioning"], report["chance"]
    recall = report["finetuned"]["retrieval"]["text_to_image"]["r1"]
    text = report["finetuned"]["text"]["accuracy"]
    counts = quickstart.manifest["counts"]
    minutes = quickstart.total_seconds / 60
    return (
        f"One small model was pre-trained on {counts['captions_train']:,} captioned drawings, "
        f"{counts['images_train']:,} drawings without text and {counts['texts_train']:,} texts without drawings, then "
        f"fine-tuned for three tasks, in {minutes:.0f} minutes together. On {len(quickstart.references)} test images "
        f"it names both objects right in {_percent(captioning['scene_accuracy'])} of its captions (chance "
        f"{_percent(chance['captioning']['scene_accuracy'])}); for {_percent(recall)} of the captions the right image "
        f"is ranked first (chance {_percent(chance['retrieval']['text_to_image']['r1'])}); of statements it "
        f"judges {_percent(text)} rightly (chance {_percent(chance['text']['accuracy'])})."
    )


def _percent(value: float | None) -> str:
    return "an undefined share" if value is None else f"{100 * value:.1f} %"


def _metric_rows(report: Mapping[str, Any]) -> list[MetricRow]:
    captioning = report["finetuned"]["captioning"], report["chance"]["captioning"]
    rows = _caption_rows("Captioning", *captioning, names=tuple(_CAPTION_ROWS))
    knowing = captioning[1]["relation_given_objects_and_position"]
    told = f"chance: the commonest; {_percent(knowing)} knowing the position"
    rows[-1] = replace(rows[-1], note=told)
    rows.append(
        MetricRow(
            "Captioning",
            "CIDEr",
            captioning[0]["cider"],
            captioning[1]["cider"],
            "chance: captions dealt out to other images",
            "number",
        )
    )
    for part, told in (("held_out", "a pair never trained on"), ("seen", "only pairs of training")):
        values, chance = captioning[0][part], captioning[1][part]
        names = ("scene_accuracy", "position_accuracy", "relation_accuracy")
        task = f"Captioning, {told}"
        rows += _caption_rows(task, values, chance, names, f"{values['count']} images")
    level = report["chance"]["text"]["accuracy"]
    rows.append(MetricRow("Pairs of sentences", "accuracy", report["finetuned"]["text"]["accuracy"], level))
    for task, (stage, name) in _RECALLS.items():
        for way, words in _WAYS.items():
            for rank, value in report[stage][name][way].items():
                level = report["chance"][name][way][rank]
                rows.append(MetricRow(task, f"{words}, R@{rank[1:]}", value, level))
    for name, told in SCORER_NAMES.items():
        if name in report["zero_shot"]["hard_negatives"]:
            values, level = report["zero_shot"]["hard_negatives"][name], report["chance"]["hard_negatives"][name]
            row = MetricRow("Right caption among ten wrong ones", f"by {told}", values["accuracy"], level["accuracy"])
            rows.append(row)
    return rows


def _caption_rows(
    task: str, values: Mapping[str, Any], chance: Mapping[str, Any], names: tuple[str, ...], note: str = ""
) -> list[MetricRow]:
    return [
        MetricRow(
            task,
            _CAPTION_ROWS[name][0],
            values[name],
            None if name == "parsed" else chance[name],
            note or _CAPTION_ROWS[name][1],
        )
        for name in names
    ]


def _curves(quickstart: Quickstart) -> tuple[Curve, ...]:
    return tuple(curve for run in RUNS for curve in read_curves(quickstart.run(run), _TITLES[run]))


def _sampled_images(quickstart: Quickstart) -> list[str]:
    return sample(sorted(quickstart.captions), NUM_CAPTIONS)


def caption_example(quickstart: Quickstart, image_id: str, images: Mapping[str, Path]) -> CaptionExample:
    """A test image with its caption judged, and its true captions."""
    caption = quickstart.captions[image_id]
    verdicts = judge(caption, quickstart.scenes[image_id])
    return CaptionExample(image_id, images.get(image_id), caption, verdicts, quickstart.references[image_id])


def judge(caption: str, scene: Scene) -> tuple[Verdict, ...]:
    """What is right and wrong about a caption, with reasons; agrees with `check_caption`."""
    claims, check = parse_caption(caption), check_caption(caption, scene)
    if claims is None:
        return (Verdict("sentence", False, "not a sentence of the world's language"),)
    if not check.scene_correct:
        return (Verdict("objects", False, _object_fault(claims, scene)),)
    return (
        Verdict("objects", True, "are there"),
        Verdict("attributes", check.attributes_correct, _attribute_reason(claims, scene)),
        Verdict("position", check.position_correct, _position_reason(claims, scene)),
        Verdict("relation", check.relation_correct, _relation_reason(claims, scene)),
    )


def _object_fault(claims: Claims, scene: Scene) -> str:
    if len(claims.objects) != 2:
        return f"names {len(claims.objects)} object, two are expected"
    absent = [
        f"{claim.color or 'uncoloured'} {claim.shape}"
        for claim in claims.objects
        if scene.find((claim.color or "", claim.shape)) is None
    ]
    there = ", ".join(f"{item.color} {item.shape}" for item in scene.objects)
    return f"no {' and no '.join(absent)}; there are: {there}" if absent else "the same object is named twice"


def _attribute_reason(claims: Claims, scene: Scene) -> str:
    stated, faults = 0, []
    for claim in claims.objects:
        item = scene.find((claim.color or "", claim.shape))
        assert item is not None
        for said, true in ((claim.size, item.size), (claim.texture, item.texture)):
            stated += said is not None
            if said not in (None, true):
                faults.append(f"{item.color} {item.shape}: {true}, not {said}")
    return "; ".join(faults) or ("are right" if stated else "none stated")


def _position_reason(claims: Claims, scene: Scene) -> str:
    faults, right = [], []
    for claim, area in zip(claims.objects, claims.positions, strict=True):
        item = scene.find((claim.color or "", claim.shape))
        assert item is not None
        if area is not None and scene.area(item) != area:
            faults.append(f"{item.color} {item.shape}: {scene.area(item)}, not {area}")
        elif area is not None:
            right.append(f"{item.color} {item.shape}: {area}")
    return "; ".join(faults or right) or "none stated"


def _relation_reason(claims: Claims, scene: Scene) -> str:
    if claims.relation is None:
        return "none stated"
    first, second = (scene.find((claim.color or "", claim.shape)) for claim in claims.objects)
    assert first is not None and second is not None
    true = scene.relation(first, second)
    if true == claims.relation:
        return f"{first.color} {first.shape} {true} {second.color} {second.shape}"
    if true is None:
        return f"{claims.relation} is not clear in this scene: the objects stand askew"
    return f"{first.color} {first.shape} {true} {second.color} {second.shape}, not {claims.relation}"


def _retrieval(quickstart: Quickstart, images: Mapping[str, Path]) -> tuple[RetrievalExample, ...]:
    also_true = {
        (record.image_id, caption): set(record.also_true)
        for record in quickstart.queries
        for caption in record.captions
    }
    examples = []
    for each in sample(quickstart.rankings, NUM_RANKINGS):
        image_id, caption = str(each["image_id"]), str(each["caption"])
        examples.append(ranking_example(each, {image_id} | also_true.get((image_id, caption), set()), images))
    return tuple(examples)


def _text_examples(quickstart: Quickstart) -> list[TextExample]:
    records = sample(list(quickstart.statements.values()), NUM_TEXTS)
    return [
        TextExample((record.text_a, record.text_b or ""), quickstart.labels[record.record_id], record.label)
        for record in records
    ]


def _notes(quickstart: Quickstart) -> list[str]:
    pairs = ", ".join(f"{color} {shape}" for color, shape in sorted(quickstart.held_out))
    return [
        f"All values are of the test split, of the weights chosen by: {_chosen_by(quickstart)}.",
        "Retrieval: R@k is the share of queries with a right answer among the first k.",
        "Chance for objects, attributes, positions and relations: a true caption of another test image, over all pairs "
        "of images. Chance for retrieval: the expected recall of a random ranking. Position and relation given the "
        "objects: always the commonest answer of the training captions.",
        f"Pairs of colour and shape that no training image has, only test images: {pairs}."
        if pairs
        else "No pair of colour and shape was held out.",
        f"World: seed {quickstart.manifest['seed']}, {quickstart.manifest['counts']['images']:,} images.",
        *throughput_notes({_TITLES[run]: quickstart.run(run) for run in RUNS}),
    ]


def _chosen_by(quickstart: Quickstart) -> str:
    """By what each run's step was chosen: a choice on the test split itself flatters its values, and is said."""
    flattered = " (on the test split itself, which flatters it)"
    chosen = {}
    for run in RUNS:
        report = read_report(quickstart.run(run))
        is_last = report.get("best_step") is not None and report["best_step"] == report.get("steps")
        chosen[run] = "" if is_last else str(report.get("best_metric", ""))
    return ", ".join(
        f"{_TITLES[run]} {metric or 'its last step'}{flattered if metric.startswith('test.') else ''}"
        for run, metric in chosen.items()
    )
