"""The arrays of one of the original's programs, by the names it gave them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray


class MissingGoldenError(Exception):
    """A golden that should be there is not; the message names file and key."""


class Goldens(Mapping[str, Array]):
    """The arrays of one npz file, some keys of which share a prefix such as `train.`."""

    def __init__(
        self, path: Path, arrays: Mapping[str, Array], prefix: str = "", asked_for: set[str] | None = None
    ) -> None:
        self.path, self.arrays, self.prefix = path, arrays, prefix
        self.asked_for = set() if asked_for is None else asked_for
        """Full keys of the arrays that somebody read, under whichever prefix."""

    @classmethod
    def read(cls, path: Path) -> Goldens:
        """All arrays of a file."""
        if not path.is_file():
            raise MissingGoldenError(f"no {path.name}")
        with np.load(path, allow_pickle=False) as arrays:
            return cls(path, dict(arrays))

    def under(self, prefix: str) -> Goldens:
        """The arrays whose keys begin with ``prefix``, without it."""
        return Goldens(self.path, self.arrays, self.prefix + prefix, self.asked_for)

    def numbers(self, stem: str, last: str) -> list[int]:
        """The numbers i, ascending, of which there is a key `<stem><i>.<last>`."""
        found = (re.fullmatch(rf"{re.escape(stem)}(\d+)\.{re.escape(last)}", key) for key in self)
        numbers = sorted(int(match[1]) for match in found if match)
        if not numbers:
            raise MissingGoldenError(f"{self.path.name}: no {self.prefix}{stem}0.{last}")
        return numbers

    def scalar(self, key: str) -> float:
        """An array of one number."""
        return float(self[key].reshape(()))

    def json(self, key: str) -> Any:
        """A string of JSON."""
        return json.loads(str(self[key]))

    def __getitem__(self, key: str) -> Array:
        if key not in self:
            raise MissingGoldenError(f"{self.path.name}: no {self.prefix}{key}")
        self.asked_for.add(self.prefix + key)
        return self.arrays[self.prefix + key]

    def __contains__(self, key: object) -> bool:
        return f"{self.prefix}{key}" in self.arrays

    def __iter__(self) -> Iterator[str]:
        return (key.removeprefix(self.prefix) for key in self.arrays if key.startswith(self.prefix))

    def __len__(self) -> int:
        return sum(1 for _ in self)
