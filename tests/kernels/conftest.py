"""What the tests of compiled loops share."""

from __future__ import annotations

from collections.abc import Callable, Iterator

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
def go_plain(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From its call on everything goes by Paddle's own operations."""
    return lambda: monkeypatch.setattr(kernels, "_are_there", lambda: False)
