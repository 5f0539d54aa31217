"""What every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# before Paddle starts: tests are small, and several run side by side
os.environ.setdefault("OMP_NUM_THREADS", "1")

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("UNIMO_SHARED", REPOSITORY.parent / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data and goldens beside the checkout; the test is skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"no real data: {SHARED} is not there (set UNIMO_SHARED)")
    return SHARED


@pytest.fixture(scope="session")
def goldens(shared: Path) -> Path:
    """Inputs and outputs of the original program."""
    return shared / "goldens"
