"""Reports: one page that shows what a run learnt, readable without a network.

:class:`Page` says what stands on it, :func:`write_page` draws it as one self-contained HTML file;
:func:`build_shapes_report` and :func:`build_run_report` fill it from the folders of runs.
"""

from __future__ import annotations

from unimo.reports.html import write_page
from unimo.reports.page import (
    CaptionExample,
    ChoiceExample,
    ChoiceRow,
    ContrastExample,
    Curve,
    MetricRow,
    Page,
    RankedImage,
    RetrievalExample,
    RewrittenCaption,
    ScoredCaption,
    TextExample,
    Timing,
    Verdict,
)
from unimo.reports.run import build_run_report
from unimo.reports.shapes import build_shapes_report

__all__ = [
    "CaptionExample",
    "ChoiceExample",
    "ChoiceRow",
    "ContrastExample",
    "Curve",
    "MetricRow",
    "Page",
    "RankedImage",
    "RetrievalExample",
    "RewrittenCaption",
    "ScoredCaption",
    "TextExample",
    "Timing",
    "Verdict",
    "build_run_report",
    "build_shapes_report",
    "write_page",
]
