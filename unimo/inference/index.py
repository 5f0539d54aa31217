"""Kept vectors of images and texts that were encoded alone: a folder that grows by segments, and exact search in it.

index.json lists the segments of either side; a segment is a .npy of unit vectors, which is mapped and never copied as a
whole, and a .jsonl of what each row is. A segment counts only once index.json names it, and that file is replaced in
one move: whoever dies while adding leaves the index as it was.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from unimo.errors import InputError
from unimo.files import atomic_write, is_file, map_array, parse_json, read_json, read_lines, write_json
from unimo.locks import FolderLock

Array = np.ndarray
Side = Literal["images", "texts"]
SIDES: tuple[Side, ...] = ("images", "texts")
INDEX_NAME = "index.json"
_LOCK = FolderLock(".lock", at_work="another process is adding to this index", others="others that add to it")
FORMAT_VERSION = 1
SCORE_BYTES = 32 << 20
"""Memory of one block of scores."""

BLOCK_ROWS = 1 << 15
"""Most vectors that are read at a time."""


@dataclass(frozen=True)
class Entry:
    """What a vector stands for."""

    id: str
    text: str = ""
    """Of a text; empty for an image."""


class VectorIndex:
    """An index that was created before."""

    def __init__(self, folder: str | Path) -> None:
        """Read the list of segments.

        Raises:
            InputError: no index there, or a damaged one.
        """
        self.folder = Path(folder)
        if not (self.folder / INDEX_NAME).is_file():
            raise InputError.at(folder, f"no index ({INDEX_NAME} is missing)")
        self.meta = _read_meta(self.folder)
        self._entries: dict[Side, list[Entry]] = {}

    @classmethod
    def create(cls, folder: str | Path, size: int, about: Mapping[str, Any]) -> VectorIndex:
        """An empty index of vectors of ``size`` numbers; ``about`` tells what they are made with."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        meta = {"format_version": FORMAT_VERSION, "size": size, "about": dict(about)}
        write_json(folder / INDEX_NAME, meta | {side: [] for side in SIDES})
        return cls(folder)

    @property
    def size(self) -> int:
        """D."""
        return int(self.meta["size"])

    @property
    def about(self) -> Mapping[str, Any]:
        """What the vectors are made with."""
        return dict(self.meta["about"])

    def count(self, side: Side) -> int:
        """Vectors of a side."""
        return sum(segment["rows"] for segment in self.meta[side])

    def entries(self, side: Side) -> list[Entry]:
        """What the vectors of a side stand for, in their order.

        Raises:
            InputError: a file is missing or damaged.
        """
        if side not in self._entries:
            self._entries[side] = [entry for each in self.meta[side] for entry in _read_entries(self.folder, each)]
        return self._entries[side]

    def add(self, side: Side, entries: Sequence[Entry], vectors: Array) -> None:
        """Append [N, D] vectors, made unit vectors.

        Raises:
            InputError: an id is there already, or another process adds at the same time.
        """
        assert vectors.shape == (len(entries), self.size)
        with _LOCK.held(self.folder):
            found = _read_meta(self.folder)
            if found != self.meta:  # another process added
                self.meta, self._entries = found, {}
            known = {entry.id for entry in self.entries(side)}
            for entry in entries:
                if entry.id in known:
                    raise InputError.at(self.folder, f"{side}: {entry.id!r} is there already")
                known.add(entry.id)
            name = f"{side}-{len(self.meta[side]):06d}"
            with atomic_write(self.folder / f"{name}.npy", "wb") as stream:
                np.save(stream, unit(vectors))
            with atomic_write(self.folder / f"{name}.jsonl") as stream:
                stream.writelines(json.dumps(vars(entry), ensure_ascii=False) + "\n" for entry in entries)
            data_bytes = (self.folder / f"{name}.npy").stat().st_size
            self.meta[side].append({"name": name, "rows": len(entries), "bytes": data_bytes})
            write_json(self.folder / INDEX_NAME, self.meta)
            self._entries[side] = [*self.entries(side), *entries]

    def vector(self, side: Side, entry_id: str) -> Array:
        """[D] of one entry.

        Raises:
            InputError: there is none of this id.
        """
        row = next((row for row, entry in enumerate(self.entries(side)) if entry.id == entry_id), None)
        if row is None:
            raise InputError.at(self.folder, f"{side}: no {entry_id!r} in this index")
        for segment in self.meta[side]:
            if row < segment["rows"]:
                return np.array(self._open(segment)[row], np.float32)
            row -= segment["rows"]
        raise AssertionError("fewer rows than entries")

    def search(self, side: Side, queries: Array, k: int) -> tuple[Array, Array]:
        """The k nearest vectors of a side by cosine, exactly: rows and cosines [Q, min(k, N)], best first.

        Of equal ones the earlier row comes first. Memory beyond the result is bounded whatever N is.

        Raises:
            InputError: a file is missing or damaged.
        """
        queries = unit(queries)
        try:
            return nearest(queries, self._blocks(side, len(queries)), k)
        except FloatingPointError as error:
            raise InputError.at(self.folder, f"{side}: {error}") from error

    def _blocks(self, side: Side, num_queries: int) -> Iterator[Array]:
        rows = max(1, min(BLOCK_ROWS, SCORE_BYTES // (4 * max(1, num_queries))))
        for segment in self.meta[side]:
            vectors = self._open(segment)
            for start in range(0, len(vectors), rows):
                yield np.asarray(vectors[start : start + rows])

    def _open(self, segment: Mapping[str, Any]) -> Array:
        path = self.folder / f"{segment['name']}.npy"
        # a truncated file must not be mapped: reading beyond its end kills the process
        if not is_file(path) or path.stat().st_size != segment["bytes"]:
            raise InputError.at(path, f"missing, or not the {segment['bytes']} bytes that were written")
        vectors = map_array(path)
        if vectors.shape != (segment["rows"], self.size) or vectors.dtype != np.float32:
            raise InputError.at(path, f"expected {segment['rows']} vectors of {self.size} numbers")
        return np.asarray(vectors) if not len(vectors) else vectors


def unit(vectors: Array) -> Array:
    """[N, D] -> float32 of length 1 each; zeros stay zeros."""
    vectors = np.asarray(vectors, np.float32)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), np.float32(1e-8))


def nearest(queries: Array, blocks: Iterator[Array], k: int) -> tuple[Array, Array]:
    """The k rows of all blocks with the largest products: rows and products [Q, min(k, N)], best first.

    Raises:
        FloatingPointError: a product that is no number: it could not be ordered.
    """
    rows = np.zeros((len(queries), 0), np.int64)
    scores = np.zeros((len(queries), 0), np.float32)
    start = 0
    for block in blocks:
        found = queries @ block.T
        if not np.isfinite(found).all():
            raise FloatingPointError("a vector holds what is no finite number")
        numbers = np.broadcast_to(np.arange(start, start + len(block)), found.shape)
        if len(block) > k:
            chosen = _largest(found, k)
            found, numbers = np.take_along_axis(found, chosen, 1), np.take_along_axis(numbers, chosen, 1)
        scores, rows = np.concatenate([scores, found], axis=1), np.concatenate([rows, numbers], axis=1)
        # earlier rows stand first, so a stable sort keeps them first among equals
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        scores, rows = np.take_along_axis(scores, order, 1), np.take_along_axis(rows, order, 1)
        start += len(block)
    return rows, scores


def _largest(scores: Array, k: int) -> Array:
    """Columns [Q, k] of each row's k largest, ascending; of those equal to the k-th the first."""
    threshold = np.partition(scores, scores.shape[1] - k, axis=1)[:, -k]
    chosen = np.empty((len(scores), k), np.int64)
    for row, limit in enumerate(threshold):
        above, equal = np.flatnonzero(scores[row] > limit), np.flatnonzero(scores[row] == limit)
        chosen[row] = np.sort(np.concatenate([above, equal[: k - len(above)]]))
    return chosen


def publish(partial: str | Path, folder: str | Path) -> None:
    """Move a finished index into place."""
    os.replace(partial, folder)


def _read_meta(folder: Path) -> dict[str, Any]:
    path = folder / INDEX_NAME
    meta = read_json(path)
    if not isinstance(meta, dict) or meta.get("format_version") != FORMAT_VERSION:
        raise InputError.at(path, f"not an index of format_version {FORMAT_VERSION}")
    sides = [meta.get(side) for side in SIDES]
    whole = isinstance(meta.get("about"), dict) and type(meta.get("size")) is int and meta["size"] > 0
    if not whole or not all(isinstance(side, list) and all(map(_is_segment, side)) for side in sides):
        raise InputError.at(path, "expected size, about, and lists of segments under images and texts")
    return meta


def _is_segment(segment: Any) -> bool:
    if not isinstance(segment, dict) or set(segment) != {"name", "rows", "bytes"}:
        return False
    numbers = all(type(segment[key]) is int and segment[key] >= 0 for key in ("rows", "bytes"))
    return numbers and isinstance(segment["name"], str) and Path(segment["name"]).name == segment["name"]


def _read_entries(folder: Path, segment: Mapping[str, Any]) -> list[Entry]:
    path, entries = folder / f"{segment['name']}.jsonl", []
    for number, line in read_lines(path):
        try:
            entries.append(Entry(**parse_json(line)))
        except (TypeError, ValueError) as error:
            raise InputError.at(path, f"not an entry ({error})", number) from error
    if len(entries) != segment["rows"]:
        raise InputError.at(path, f"{len(entries)} entries, expected {segment['rows']}")
    return entries
