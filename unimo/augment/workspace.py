"""What the passes over the shards read, from the job's folder and the files that its configuration names."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unimo.augment.graph import SceneGraph
from unimo.augment.options import AugmentConfig
from unimo.augment.positives import make_providers
from unimo.augment.rewriting import Rewriter
from unimo.augment.spacy_parsing import make_parser
from unimo.augment.tables import TextTable
from unimo.config import load_config
from unimo.data.records import CaptionRecord
from unimo.files import read_json

CONFIG_NAME, JOB_NAME = "config.yaml", "job.json"


@dataclass(frozen=True)
class ShardRecord:
    """One image with its captions, as a shard reads it."""

    record: CaptionRecord
    also_true: tuple[int, ...]
    """Numbers of the records whose captions are true of this image as well, or the other way round."""

    stored_id: str | None
    """Under which id the region store has the image; None where it has not, or no images are retrieved."""

    def to_json(self) -> dict[str, Any]:
        """The record in plain containers."""
        own = {name: getattr(self.record, name) for name in ("record_id", "image_id", "captions")}
        return {**own, "also_true": self.also_true, "stored_id": self.stored_id}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> ShardRecord:
        """What :meth:`to_json` returned."""
        record = CaptionRecord(fields["record_id"], fields["image_id"], tuple(fields["captions"]))
        return cls(record, tuple(fields["also_true"]), fields["stored_id"])


class Workspace:
    """What the passes read, each part loaded when it is first asked for."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.work = self.folder / "work"
        self.config: AugmentConfig = load_config({"": AugmentConfig}, [self.folder / CONFIG_NAME])[""]

    @functools.cached_property
    def parser(self) -> Any:
        """Of scene graphs."""
        return make_parser(self.config.parser)

    @functools.cached_property
    def rewriter(self) -> Rewriter:
        """With the vocabulary of all shards."""
        tables = read_json(self.work / "vocabulary.json")
        rewriting = self.config.rewriting
        return Rewriter(tables, self.parser.lexicon, rewriting.min_count, rewriting.exchange)

    @functools.cached_property
    def providers(self) -> list[Any]:
        """Of positives."""
        return make_providers(self.config.positives)

    @functools.cached_property
    def captions(self) -> TextTable:
        """All captions by number."""
        return TextTable(self.folder / "captions")

    @functools.cached_property
    def contents(self) -> TextTable:
        """What every caption speaks of: base forms, parted by bars."""
        return TextTable(self.work / "contents")

    @functools.cached_property
    def starts(self) -> np.ndarray:
        """[records + 1] number of the first caption of every record."""
        return np.load(self.work / "starts.npy", mmap_mode="r")

    def records(self, shard: int) -> list[ShardRecord]:
        """The records of a shard."""
        lines = (self.work / f"records-{shard:05d}.jsonl").read_text("utf-8").splitlines()
        return [ShardRecord.from_json(json.loads(line)) for line in lines]

    def graphs(self, shard: int) -> Iterator[SceneGraph]:
        """The scene graphs that the first pass found in a shard, caption by caption."""
        with (self.work / f"graphs-{shard:05d}.jsonl").open(encoding="utf-8") as lines:
            yield from (SceneGraph.from_json(json.loads(line)) for line in lines)


def open_workspace(folder: str) -> Workspace:
    """The workspace of a job, kept for its further shards.

    A process may work for several jobs in the same folder, one after the other: the kept one is told by the job.
    """
    return _workspace(folder, read_json(Path(folder) / JOB_NAME)["fingerprint"])


@functools.lru_cache(maxsize=1)
def _workspace(folder: str, fingerprint: str) -> Workspace:
    return Workspace(folder)
