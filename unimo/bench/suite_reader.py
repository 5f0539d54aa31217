"""Regions of images as float32 arrays: from the store, from the release's caption lines, and from their gzip form."""

from __future__ import annotations

import base64
import gzip
import subprocess
import sys
import tempfile
from collections import deque
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from unimo.bench.figures import Figure
from unimo.bench.memory_worker import MEMORY, read_store
from unimo.bench.peers import REPOSITORY
from unimo.bench.samples import captions, images
from unimo.bench.suites import Bench
from unimo.regions import FeatureSpec, Regions, RegionStore, RegionStoreWriter
from unimo.regions.lines import CAPTIONS, read_regions

FILE_NAME, REGIONS_OF_A_FILE = "captions.txt", 36
FEATURE_SIZE, NUM_CLASSES, NUM_ATTRIBUTES = 2048, 1601, 401  # bottom-up attention's


def measure(bench: Bench) -> list[Figure]:
    """Images a second of the store and of feature files, and how memory grows while a large store is read."""
    with tempfile.TemporaryDirectory() as folder:
        figures = [_reading(bench, Path(folder))]
        if MEMORY.exists():
            figures.append(_memory(bench, Path(folder)))
        else:
            bench.note("reader.store.memory_growth: needs Linux's /proc")
    return figures


def _reading(bench: Bench, folder: Path) -> Figure:
    count, sizes = (8, (32, 8, 4)) if bench.size == "tiny" else (100, (FEATURE_SIZE, NUM_CLASSES, NUM_ATTRIBUTES))
    made = list(images(count, REGIONS_OF_A_FILE, *sizes))
    with RegionStoreWriter(folder / "store", FeatureSpec("bench", "1", *sizes[:2])) as writer:
        writer.add_many(made)
    texts = captions(count)
    lines = "".join(
        caption_line(number, text, regions) for number, ((_, regions), text) in enumerate(zip(made, texts, strict=True))
    )
    (folder / FILE_NAME).write_text(lines)
    with gzip.open(folder / f"{FILE_NAME}.gz", "wb", compresslevel=6) as stream:
        stream.write(lines.encode())
    with RegionStore(folder / "store") as store:
        files = {"lines": folder / FILE_NAME, "gzip": folder / f"{FILE_NAME}.gz"}
        local = {name: bench.clock.timed(partial(_read_lines, path)) for name, path in files.items()}
        return bench.compare("reader.store", partial(read_store, store), "images/s", count, local=local)


def _memory(bench: Bench, folder: Path) -> Figure:
    """Megabytes of memory of its own that a new process takes while it reads every image of a store once."""
    count, sizes = (200, (32, 8)) if bench.size == "tiny" else (20_000, (256, 32))
    with RegionStoreWriter(folder / "many", FeatureSpec("bench", "1", *sizes)) as writer:
        made = images(count, REGIONS_OF_A_FILE, *sizes)
        while chunk := list(islice(made, 500)):
            writer.add_many(chunk)
    command = [sys.executable, "-m", "unimo.bench.memory_worker", str(folder / "many")]
    grown = int(subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, check=True).stdout)
    return Figure("reader.store.memory_growth", grown / 1e6, f"MB, {count} images")


def _read_lines(path: Path) -> None:
    deque(read_regions(path, CAPTIONS), maxlen=0)


def caption_line(number: int, text: str, regions: Regions) -> str:
    """A line of the release's caption files; every word stands for one token."""
    count = len(text.split())
    tokens = " ".join(map(str, range(3, 3 + count)))
    arrays = (regions.boxes, regions.class_probabilities, regions.attribute_probabilities, regions.features)
    encoded = [base64.b64encode(np.ascontiguousarray(array, "<f4").tobytes()).decode() for array in arrays]
    sizes = [str(value) for value in (regions.image_height, regions.image_width, len(regions))]
    words = [tokens, " ".join(["0"] * count), " ".join(map(str, range(2, 2 + count))), *[" ".join(["0"] * count)] * 3]
    return ";".join([f"coco_img_{number}", str(number), *words, *sizes, *encoded, "0"]) + "\n"
