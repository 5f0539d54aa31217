"""The page and the report.json of the whole journey through the drawn world: pre-training and three fine-tunings."""

from __future__ import annotations

from pathlib import Path

from unimo.files import write_json
from unimo.reports.html import write_page
from unimo.reports.run import REPORT_NAME
from unimo.reports.shapes_data import Quickstart
from unimo.reports.shapes_metrics import shapes_report
from unimo.reports.shapes_page import shapes_page


def build_shapes_report(folder: Path, images: Path | None = None) -> None:
    """Write report.json and report.html into a quickstart folder.

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
