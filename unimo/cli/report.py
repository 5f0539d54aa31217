"""`unimo report`: write report.html into a run folder, or into the folder of a quickstart.

Examples::

    python -m unimo report --run runs/sst2
    python -m unimo report --run runs/captioning --images photos
    python -m unimo report --run runs/shapes

A folder with world/manifest.json is a quickstart: its report.json is written besides.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SUMMARY = "write report.html: scores, losses and sample predictions of a run"


@dataclass(frozen=True)
class Arguments:
    """What the page is about."""

    run: Path
    """A run folder, or a quickstart folder."""

    images: Path | None = None
    """Folder of pictures named by image id, for showing; a quickstart has its own in world/images."""


def run(arguments: Arguments) -> int:
    """Write the page and print where it is."""
    from unimo.reports.run import REPORT_NAME, build_run_report
    from unimo.reports.shapes import build_shapes_report, summary
    from unimo.reports.shapes_data import is_quickstart

    if is_quickstart(arguments.run):
        print(*summary(build_shapes_report(arguments.run, arguments.images)), sep="\n")
    else:
        build_run_report(arguments.run, arguments.images)
    print(arguments.run / REPORT_NAME)
    return 0
