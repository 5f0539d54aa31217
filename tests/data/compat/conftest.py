"""What the tests against the goldens of the original's readers share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from unimo.tokenization import UnimoTokenizer

Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="session")
def tokenizer(shared: Path) -> UnimoTokenizer:
    """The released dictionary."""
    return UnimoTokenizer.from_release(shared / "data" / "unimo_dict")


@pytest.fixture
def readers(goldens: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The goldens' folder as working directory, as it was for the original."""
    monkeypatch.chdir(goldens / "readers")
    return goldens / "readers"


def golden_batches(path: Path) -> list[Arrays]:
    """The arrays `b<i>.<name>` of a file, by batch."""
    arrays = np.load(path)
    batches: dict[int, Arrays] = {}
    for key in arrays.files:
        place, _, name = key.partition(".")
        if place[0] == "b" and place[1:].isdecimal():
            batches.setdefault(int(place[1:]), {})[name] = arrays[key]
    return [batches[number] for number in sorted(batches)]
