"""Texts by number, from a file that is mapped into memory: nothing is read but what is asked for."""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from unimo.errors import InputError
from unimo.files import atomic_write, map_array


class TextTable(Sequence[str]):
    """`<path>.txt` holds the texts one after the other, `<path>.npy` where each begins (int64, one more than texts)."""

    def __init__(self, path: str | Path) -> None:
        """Open a table.

        Raises:
            InputError: a file is missing, or the two do not belong together.
        """
        self.path = Path(path)
        texts = self.path.with_suffix(".txt")
        if not texts.is_file() or not self.path.with_suffix(".npy").is_file():
            raise InputError.at(texts, "no such table")
        self.offsets = map_numbers(self.path.with_suffix(".npy"))
        if int(self.offsets[-1]) != texts.stat().st_size:
            raise InputError.at(texts, f"{texts.stat().st_size} bytes, expected {int(self.offsets[-1])}: damaged")
        self._stream = open(texts, "rb")  # noqa: SIM115 - open as long as the table
        self._map = mmap.mmap(self._stream.fileno(), 0, access=mmap.ACCESS_READ) if self.offsets[-1] else b""

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, number: int | slice) -> str:  # type: ignore[override]
        assert not isinstance(number, slice)
        if not 0 <= number < len(self):
            raise IndexError(number)
        try:
            return bytes(self._map[int(self.offsets[number]) : int(self.offsets[number + 1])]).decode("utf-8")
        except UnicodeDecodeError as error:
            raise InputError.at(self.path.with_suffix(".txt"), f"text {number} is not UTF-8: damaged") from error

    def __reduce__(self) -> tuple[type[TextTable], tuple[Path]]:
        return TextTable, (self.path,)

    def __del__(self) -> None:
        if hasattr(self, "_stream"):
            self._stream.close()


def map_numbers(path: Path, *columns: int) -> np.ndarray:
    """[N, *columns] whole numbers of a `.npy` file, mapped; at least one row.

    Raises:
        InputError: no such file, or it holds anything else.
    """
    numbers = map_array(path)
    if numbers.dtype != np.int64 or numbers.shape[1:] != columns:
        raise InputError.at(path, f"expected rows of {columns or 'single'} whole numbers: damaged")
    if not len(numbers):
        raise InputError.at(path, "holds no rows: damaged")
    return numbers


def write_table(path: str | Path, texts: Iterable[str]) -> int:
    """Write a table; returns the number of texts."""
    offsets = [0]
    with atomic_write(Path(path).with_suffix(".txt"), "wb") as stream:
        for text in texts:
            offsets.append(offsets[-1] + stream.write(text.encode("utf-8")))
    with atomic_write(Path(path).with_suffix(".npy"), "wb") as stream:
        np.save(stream, np.asarray(offsets, np.int64))
    return len(offsets) - 1
