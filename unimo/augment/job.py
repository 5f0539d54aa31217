"""The corpus job: pairs, texts and images in, a sharded corpus for contrastive learning out.

`<output>/job.json` says from the start what is made, so that an interrupted job goes on with the shards that are
missing and never mixes two configurations. Shards depend on the configuration and the inputs alone: the same
bytes come out whatever the number of processes, on one machine or a cluster.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unimo.augment.claims import claim, is_of, job_lock
from unimo.augment.corpus import read_index
from unimo.augment.executors import ShardFunction, run_shards
from unimo.augment.identity import identity_of
from unimo.augment.inputs import free_images, iterate_texts, read_pairs, stored_images
from unimo.augment.options import AugmentConfig
from unimo.augment.shards import augment_shard, count_shard
from unimo.augment.similarity import BLOCK_ROWS, save_block
from unimo.augment.tables import TextTable, write_table
from unimo.augment.vectors import TextVectors, image_vectors
from unimo.augment.vocabulary import Vocabulary
from unimo.augment.workspace import ShardRecord
from unimo.data.records import CaptionRecord
from unimo.errors import InputError
from unimo.files import atomic_write, read_json, write_json
from unimo.regions.store import RegionStore
from unimo.runtime.progress import progress_bar

RARE = 2  # a pair of words that a large corpus holds less often is not kept in the vocabulary
LARGE = 20000  # captions


@dataclass(frozen=True)
class JobResult:
    """What a job made."""

    num_shards: int
    num_new: int
    """Shards written by this run; the others were there."""

    statistics: dict[str, int]


def augment(
    config: AugmentConfig, num_workers: int = 1, scheduler: str = "", overwrite: bool = False, quiet: bool = False
) -> JobResult:
    """Make the corpus, or go on with it.

    Args:
        config: the job.
        num_workers: processes on this machine.
        scheduler: address of a Dask scheduler whose workers do the work instead; they must see the same files.
        overwrite: throw away a corpus of another configuration.
        quiet: no progress bar.

    Raises:
        InputError: a file is missing or wrong, another corpus lies in the output folder, or another job is at work
            there.
    """
    folder = Path(config.output).resolve()
    identity = identity_of(config)
    if (finished := _finished(folder, identity)) is not None:
        return finished
    with job_lock(folder):
        if (finished := _finished(folder, identity)) is not None:
            return finished
        claim(folder, config, identity, overwrite)
        num_shards = _prepare(folder, config)
        _run("count", count_shard, folder, _missing(folder, "counts", num_shards), num_workers, scheduler, quiet)
        _gather_counts(folder, num_shards)
        todo = _missing(folder, "shard", num_shards)
        _run("shard", augment_shard, folder, todo, num_workers, scheduler, quiet)
        statistics = _finish(folder, config, identity, num_shards)
        return JobResult(num_shards, len(todo), statistics)


def _finished(folder: Path, identity: dict[str, Any]) -> JobResult | None:
    """The corpus that lies in a folder, where this job made it; None where it has not, or not all of it."""
    if not (folder / "index.json").is_file() or not is_of(folder, identity):
        return None
    index = read_index(folder)
    return JobResult(len(index["shards"]), 0, index["statistics"])


# -- before the shards


def _prepare(folder: Path, config: AugmentConfig) -> int:
    """Write what the passes read, once; returns the number of shards."""
    work, marker = folder / "work", folder / "work" / "prepared.json"
    if marker.is_file():
        return int(read_json(marker)["shards"])
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    statistics: Counter[str] = Counter()
    records = read_pairs(config.pairs, statistics)
    image_ids = [record.image_id for record in records]
    stored = stored_images(config, image_ids) if config.retrieves_images else [None] * len(records)
    num_shards = _write_records(work, records, stored, config.records_per_shard)
    write_table(folder / "captions", (caption for record in records for caption in record.captions))
    write_table(folder / "image_ids", image_ids)
    del records
    vectors = TextVectors(work / "vectors")
    vectors.count("captions", TextTable(folder / "captions"))
    if config.texts:
        write_table(folder / "texts", iterate_texts(config.texts, config.retrieval.longest_line, statistics))
        vectors.count("texts", TextTable(folder / "texts"))
    vectors.weigh(["captions", "texts"] if config.texts else ["captions"])
    if config.retrieves_images:
        _write_images(folder, config, image_ids)
    write_json(marker, {"shards": num_shards, "statistics": statistics})
    return num_shards


def _write_records(work: Path, records: Sequence[CaptionRecord], stored: Sequence[str | None], per_shard: int) -> int:
    """The records of each shard, and where each record's captions begin."""
    numbers = {record.image_id: number for number, record in enumerate(records)}
    related: list[set[int]] = [set() for _ in records]
    for number, record in enumerate(records):
        for image_id in record.also_true:
            if image_id in numbers:
                # a caption that is true of another image is no negative for it, nor are that image's for this one
                related[number].add(numbers[image_id])
                related[numbers[image_id]].add(number)
    starts = np.cumsum([0, *(len(record.captions) for record in records)])
    with atomic_write(work / "starts.npy", "wb") as stream:
        np.save(stream, starts.astype(np.int64))
    num_shards = -(-len(records) // per_shard)
    for shard in range(num_shards):
        with atomic_write(work / f"records-{shard:05d}.jsonl") as stream:
            for number in range(shard * per_shard, min((shard + 1) * per_shard, len(records))):
                each = ShardRecord(records[number], tuple(sorted(related[number])), stored[number])
                stream.write(json.dumps(each.to_json(), ensure_ascii=False) + "\n")
    return num_shards


def _write_images(folder: Path, config: AugmentConfig, paired: Sequence[str]) -> None:
    ids = free_images(config, paired)
    write_table(folder / "images", ids)
    with RegionStore(config.image_regions or config.regions) as store, RegionStore(config.regions) as own:
        if store.spec != own.spec:
            raise InputError(f"image_regions: {store.path} holds other features than {own.path}")
        for number, first in enumerate(range(0, len(ids), BLOCK_ROWS)):
            features, classes = image_vectors(store[image_id] for image_id in ids[first : first + BLOCK_ROWS])
            save_block(folder / "work" / "vectors" / "features", number, features)
            if config.retrieval.min_overlap > 0:
                save_block(folder / "work" / "vectors" / "classes", number, classes)


# -- the passes


def _missing(folder: Path, what: str, num_shards: int) -> list[int]:
    return [shard for shard in range(num_shards) if not (folder / "work" / f"{what}-{shard:05d}.json").is_file()]


def _run(
    unit: str,
    function: ShardFunction,
    folder: Path,
    todo: Sequence[int],
    num_workers: int,
    scheduler: str,
    quiet: bool,
) -> None:
    if not todo:
        return
    with progress_bar(unit, total=len(todo), disable=quiet) as bar:
        for _ in run_shards(function, str(folder), todo, num_workers, scheduler):
            bar.update()


def _gather_counts(folder: Path, num_shards: int) -> None:
    """One vocabulary of all shards, and one table of what the captions speak of."""
    work = folder / "work"
    if (work / "vocabulary.json").is_file():
        return
    vocabulary = Vocabulary()

    def contents() -> Iterator[str]:
        for shard in range(num_shards):
            found = read_json(work / f"counts-{shard:05d}.json")
            vocabulary.merge(found["tables"])
            yield from found["contents"]

    num_captions = write_table(work / "contents", contents())
    write_json(work / "vocabulary.json", vocabulary.to_json(RARE if num_captions >= LARGE else 1))


def _finish(folder: Path, config: AugmentConfig, identity: dict[str, Any], num_shards: int) -> dict[str, int]:
    """Write where every record lies, the counts and the index, and drop what only the job needed."""
    shards, places = [], []
    statistics = Counter[str](read_json(folder / "work" / "prepared.json")["statistics"])
    starts = np.load(folder / "work" / "starts.npy")
    for shard in range(num_shards):
        found = read_json(folder / "work" / f"shard-{shard:05d}.json")
        places += [(shard, offset) for offset in found.pop("offsets")]
        statistics.update(found.pop("statistics"))
        shards.append(found)
    with atomic_write(folder / "records.npy", "wb") as stream:
        last = (num_shards, 0)
        rows = [(*place, first) for place, first in zip([*places, last], starts.tolist(), strict=True)]
        np.save(stream, np.asarray(rows, np.int64))
    counted = dict(sorted(statistics.items()))
    write_json(folder / "stats.json", counted)
    about = {key: identity[key] for key in ("format_version", "job_version", "fingerprint", "config", "parser")}
    totals = {"records": len(places), "captions": int(starts[-1])}
    index = {**about, "seed": config.seed, "counts": totals, "shards": shards, "statistics": counted}
    write_json(folder / "index.json", index)
    shutil.rmtree(folder / "work")
    for left in folder.glob(".*.tmp"):  # by workers that were killed
        left.unlink()
    return counted
