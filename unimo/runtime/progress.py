"""One progress bar for everything that takes long: lively on a terminal, a line now and then in a log."""

from __future__ import annotations

import sys
from typing import Any

LOG_INTERVAL = 15.0  # seconds between updates where standard error is not a terminal


def progress_bar(unit: str, total: int | None = None, initial: int = 0, disable: bool = False) -> Any:
    """A tqdm bar."""
    from tqdm import tqdm

    interval = 0.1 if sys.stderr.isatty() else LOG_INTERVAL
    return tqdm(total=total, initial=initial, disable=disable, unit=unit, mininterval=interval, maxinterval=interval)
