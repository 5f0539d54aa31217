"""What the tests of compiled loops share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from unimo import kernels
from unimo.kernels import sharing


@pytest.fixture(params=[1, 3])
def threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """One thread, and three that share even the smallest work."""
    count: int = request.param
    monkeypatch.setattr(sharing, "num_threads", lambda: count)
    monkeypatch.setattr(sharing, "FEWEST_NUMBERS", 1)
    sharing._threads.cache_clear()
    yield count
    if sharing._threads.cache_info().currsize:
        sharing._threads().shutdown()
    sharing._threads.cache_clear()


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A patch whose ``setattr(*PLAIN)`` makes everything go by Paddle's own operations."""
    return monkeypatch


PLAIN = (kernels, "_functions", lambda: None)
