"""The page of any single run folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unimo.config import read_yaml
from unimo.data.formats.json_fields import read_jsonl
from unimo.errors import InputError
from unimo.files import read_json
from unimo.regions.extract import find_images
from unimo.reports.contrasts import contrast_examples, contrasts_note
from unimo.reports.curves import read_curves
from unimo.reports.html import write_page
from unimo.reports.page import CaptionExample, MetricRow, Page, RankedImage, RetrievalExample, TextExample, Timing
from unimo.reports.sampling import SAMPLED, sample
from unimo.training.runlog import read_events

REPORT_NAME = "report.html"
NUM_CAPTIONS, NUM_RANKINGS, NUM_TEXTS, NUM_HITS = 16, 8, 12, 5

_ABSENT = "what its contrastive learning read cannot be shown (paths are relative to the working directory)."
_NUMBERS = ("loss", "cider", "seconds", "perplexity")
"""Metrics that are no shares of 1 though they may lie below it."""

_SPEED_KEYS = ("tokens_per_second", "padding_share", "data_wait_share")


def build_run_report(folder: Path, images: Path | None = None) -> Path:
    """Write report.html into a run folder from its report.json, metrics.jsonl and predictions.

    Args:
        folder: a run folder. A run that has not ended has no report.json yet: its page shows the losses so far.
        images: folder of pictures named by image id, for showing; without it their place stays empty.

    Returns:
        the file written.

    Raises:
        InputError: there is neither a report.json nor a metrics.jsonl, or a file is not what it should be.
    """
    folder = Path(folder)
    if not (folder / "report.json").is_file() and not (folder / "metrics.jsonl").is_file():
        raise InputError.at(folder, "no run folder: it has neither a report.json nor a metrics.jsonl")
    output = folder / REPORT_NAME
    write_page(run_page(folder, images), output)
    return output


def run_page(folder: Path, images: Path | None = None) -> Page:
    """What stands on the page of a run folder."""
    report = read_report(folder) if (folder / "report.json").is_file() else {}
    split, predictions = _last_predictions(folder)
    found = {} if images is None else find_images(images)
    note = f"{SAMPLED} From the split {split!r}."
    seconds = report.get("seconds")
    corpus = augmented_corpus(folder)
    there = corpus is not None and (corpus / "index.json").is_file()
    absent = [] if there or corpus is None else [f"{corpus / 'index.json'} is missing: {_ABSENT}"]
    return Page(
        title=f"{str(report.get('task', 'run')).replace('_', ' ').capitalize()}: {folder.resolve().name}",
        summary=_summary(folder, report),
        metrics=tuple(_metric_rows(report.get("splits", {}))),
        timings=(Timing("training and evaluation", float(seconds)),) if isinstance(seconds, int | float) else (),
        curves=read_curves(folder, str(report.get("task", folder.resolve().name)).replace("_", " ")),
        captions=tuple(
            CaptionExample(each["image_id"], found.get(each["image_id"]), each["caption"])
            for each in sample([p for p in predictions if "caption" in p and "ranked_images" not in p], NUM_CAPTIONS)
        ),
        captions_note=note,
        retrieval=tuple(
            ranking_example(each, {each["image_id"]}, found)
            for each in sample([p for p in predictions if "ranked_images" in p], NUM_RANKINGS)
        ),
        retrieval_note=f"{note} The image that belongs to the caption is framed.",
        texts=tuple(
            TextExample((str(each["record_id"]),), str(each["label"]))
            for each in sample([p for p in predictions if "record_id" in p and "label" in p], NUM_TEXTS)
        ),
        texts_note=note,
        contrasts=contrast_examples(corpus, found) if there and corpus is not None else (),
        contrasts_note=f"{SAMPLED} {contrasts_note(corpus)}" if there and corpus is not None else "",
        notes=(*throughput_notes({"this run": folder}), *absent),
    )


def augmented_corpus(folder: Path) -> Path | None:
    """The corpus that a run's contrastive learning reads, by its config.yaml; None where there is none."""
    if not (folder / "config.yaml").is_file():
        return None
    value: Any = read_yaml([folder / "config.yaml"], [])
    for key in ("options", "contrastive", "augmented"):
        value = value.get(key) if isinstance(value, Mapping) else None
    return Path(value) if isinstance(value, str) and value else None


def read_report(folder: Path) -> dict[str, Any]:
    """A run's report.json.

    Raises:
        InputError: it is missing or no JSON object with `splits`.
    """
    report = read_json(folder / "report.json")
    if not isinstance(report, dict) or not isinstance(report.get("splits"), dict):
        raise InputError.at(folder / "report.json", "expected an object with the key 'splits'")
    return report


def read_predictions(path: Path) -> list[dict[str, Any]]:
    """Predictions, one JSON object a line."""
    return read_jsonl(path, lambda _, fields: fields)


def ranking_example(prediction: Mapping[str, Any], right: set[str], images: Mapping[str, Path]) -> RetrievalExample:
    """A line of a retrieval run's predictions, the images in `right` being right answers."""
    ranked = [str(image_id) for image_id in prediction["ranked_images"]]
    hits = tuple(
        RankedImage(image_id, images.get(image_id), float(score), image_id in right)
        for image_id, score in zip(ranked[:NUM_HITS], prediction["scores"], strict=False)
    )
    rank = next((place for place, image_id in enumerate(ranked, start=1) if image_id in right), None)
    return RetrievalExample(str(prediction["caption"]), hits, rank, len(ranked))


def throughput_notes(runs: Mapping[str, Path]) -> list[str]:
    """One sentence a run on tokens per second, padding and waiting for data: means over the log, weighted by time."""
    notes = []
    for name, folder in runs.items():
        events = read_events(folder / "metrics.jsonl")
        windows = [each for each in events if each["split"] == "train" and _has_speed(each)]
        seconds = sum(each["seconds"] for each in windows)
        if seconds:
            speed, padding, waiting = (
                sum(each["seconds"] * each[key] for each in windows) / seconds for key in _SPEED_KEYS
            )
            notes.append(
                f"Speed of {name}: {speed:,.0f} tokens a second (text and regions); {padding:.1%} of the positions "
                f"were padding, {waiting:.1%} of the time was waiting for data (means over the log, weighted by time)."
            )
    return notes


def _has_speed(event: Mapping[str, Any]) -> bool:
    return all(isinstance(event.get(key), int | float) for key in ("seconds", *_SPEED_KEYS))


def _last_predictions(folder: Path) -> tuple[str, list[dict[str, Any]]]:
    """The split `test` where there is one, or else the last by name."""
    files = sorted((folder / "predictions").glob("*.jsonl"), key=lambda path: (path.stem == "test", path.stem))
    return (files[-1].stem, read_predictions(files[-1])) if files and files[-1].stat().st_size else ("", [])


def _metric_rows(splits: Mapping[str, Mapping[str, Any]]) -> list[MetricRow]:
    return [
        MetricRow(split, name.replace("_", " "), value, unit="number" if _is_number(name, value) else "share")
        for split, values in splits.items()
        for name, value in values.items()
        if value is None or isinstance(value, int | float)
    ]


def _is_number(name: str, value: float | None) -> bool:
    return any(word in name.lower() for word in _NUMBERS) or (value is not None and not 0 <= value <= 1)


def _summary(folder: Path, report: Mapping[str, Any]) -> str:
    if not report:
        events = read_events(folder / "metrics.jsonl")
        last = f" It has come to step {events[-1]['step']}." if events else ""
        return f"This run has not ended: there is no report.json yet.{last}"
    parts = [f"A run of {report['steps']:,} steps" if "steps" in report else "A run"]
    if "num_parameters" in report:
        parts.append(f" on a model of {report['num_parameters']:,} parameters")
    best = f" The values are those of step {report['best_step']:,}" if report.get("best_step") else ""
    chosen = (
        f", the best one by {report['best_metric']}." if best and report.get("best_metric") else "." if best else ""
    )
    return "".join(parts) + "." + best + chosen
