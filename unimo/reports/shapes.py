"""The page and the report.json of the whole journey through the drawn world: pre-training and three fine-tunings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from unimo.files import write_json
from unimo.reports.html import write_page
from unimo.reports.run import REPORT_NAME
from unimo.reports.shapes_data import Quickstart
from unimo.reports.shapes_metrics import shapes_report
from unimo.reports.shapes_page import SCORER_NAMES, shapes_page


def build_shapes_report(folder: Path, images: Path | None = None) -> dict[str, Any]:
    """Write report.json and report.html into a quickstart folder; returns what the former holds.

    Args:
        folder: holds world/, the run folders pretraining/, captioning/, retrieval/ and statements/, the
            corpus augmented/, negatives.json and negatives.jsonl of `evaluate-negatives`, and stages.tsv (a
            stage, its seconds, and when it began in seconds since 1970, between tabs; older ones lack the last).
        images: folder of pictures named by image id; by default world/images.

    Raises:
        InputError: a file is missing, or does not fit the others; the message names it.
    """
    quickstart = Quickstart(Path(folder))
    report = shapes_report(quickstart)
    page = shapes_page(quickstart, report, images or quickstart.world / "images")
    write_json(quickstart.folder / "report.json", report)
    write_page(page, quickstart.folder / REPORT_NAME)
    return report


def summary(report: Mapping[str, Any]) -> Iterator[str]:
    """What was reached, for the screen: a line a task, and the time."""
    zero_shot, tuned, chance = report["zero_shot"], report["finetuned"], report["chance"]
    told, guessed = tuned["captioning"], chance["captioning"]
    parts = {
        "both objects": "attributes_accuracy",
        "where the first is": "position_accuracy",
        "the relation": "relation_accuracy",
    }
    shown = ", ".join(f"{name} {told[key]:.1%} (by chance {guessed[key]:.2%})" for name, key in parts.items())
    yield f"captions with {shown}"
    retrieved = {"zero-shot, head": zero_shot["matching_head"], "zero-shot, likelihood": zero_shot["likelihood"]}
    for name, found in (retrieved | {"fine-tuned": tuned["retrieval"]}).items():
        ways = (f"{way.replace('_', ' ')} {found[way]['r1']:.3f}" for way in ("text_to_image", "image_to_text"))
        yield f"R@1, {name}: {', '.join(ways)}"
    negatives = zero_shot["hard_negatives"]
    shown = ", ".join(f"{name} {negatives[key]['accuracy']:.1%}" for key, name in SCORER_NAMES.items())
    yield f"the right caption above ten wrong ones: {shown} (by chance {negatives['chance']:.1%})"
    yield f"sentences told true or false: {tuned['text']['accuracy']:.1%} (by chance {chance['text']['accuracy']:.0%})"
    yield f"{report['total_seconds']:.0f} s without the environment"
