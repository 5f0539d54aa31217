"""Regions of images as float32 arrays: from the store, from feature lines, from their gzip form. And padding.

Padding: captions of a few hundred images with 10 to 100 regions as batches of fixed size, by length, and packed; their
share of padded positions and the sequences that a small encoder reads in a second.
"""

from __future__ import annotations

import base64
import gzip
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import paddle

from unimo.bench.figures import Figure
from unimo.bench.samples import captions, images
from unimo.bench.suites import Bench
from unimo.bench.workloads import SIZES, build_model
from unimo.data.batch import Batch, collate
from unimo.data.examples import Example, RegionInput, Vocabulary, text_example
from unimo.data.packing import packed_batch, packed_batches
from unimo.data.sampling import bucketed_batches
from unimo.regions import FeatureSpec, Regions, RegionStore, RegionStoreWriter
from unimo.regions.lines import BOTTOM_UP, read_regions
from unimo.training.task import model_inputs

FILE_NAME, REGIONS_OF_A_FILE = "features.tsv", 36
PAD_ID = 1


def measure(bench: Bench) -> list[Figure]:
    """Images a second of the store and of feature files; sequences a second by kind of batch."""
    with tempfile.TemporaryDirectory() as folder:
        reading = _reading(bench, Path(folder))
    return [reading, *_padding(bench, "text", regions=False), *_padding(bench, "pair", regions=True)]


def _reading(bench: Bench, folder: Path) -> Figure:
    count, feature_size, num_classes = (8, 32, 8) if bench.size == "tiny" else (100, 2048, 1601)
    with RegionStoreWriter(folder / "store", FeatureSpec("bench", "1", feature_size, num_classes)) as writer:
        made = list(images(count, REGIONS_OF_A_FILE, feature_size, num_classes))
        writer.add_many(made)
    lines = "".join(_feature_line(name, regions) for name, regions in made).encode()
    (folder / FILE_NAME).write_bytes(lines)
    with gzip.open(folder / f"{FILE_NAME}.gz", "wb", compresslevel=6) as stream:
        stream.write(lines)
    with RegionStore(folder / "store") as store:
        ids = store.ids()

        def from_store() -> None:
            for image_id in ids:
                store[image_id]

        files = {"lines": folder / FILE_NAME, "gzip": folder / f"{FILE_NAME}.gz"}
        local = {name: bench.clock.timed(partial(_read_lines, path)) for name, path in files.items()}
        return bench.compare("reader.store", from_store, "images/s", count, local=local)


def _read_lines(path: Path) -> list[tuple[str, Regions]]:
    return list(read_regions(path, BOTTOM_UP))


def _feature_line(image_id: str, regions: Regions) -> str:
    arrays = (regions.boxes, regions.features, regions.class_probabilities)
    encoded = [base64.b64encode(np.ascontiguousarray(array, "<f4").tobytes()).decode() for array in arrays]
    sizes = [str(value) for value in (regions.image_width, regions.image_height, len(regions))]
    return "\t".join([image_id, *sizes, *encoded]) + "\n"


def _padding(bench: Bench, name: str, regions: bool) -> list[Figure]:
    """Share of padding, and speed against fixed padding, of batches by length and of packed ones."""
    examples = caption_examples(48 if bench.size == "tiny" else 512, regions)
    longest = max(example.num_tokens + example.num_regions for example in examples)
    budget = (4 if bench.size == "tiny" else 16) * longest
    kinds = batches_by_kind(examples, budget)
    config = replace(SIZES["tiny"], image_embedding_size=8) if bench.size == "tiny" else _SMALL
    model = build_model(config, {})
    model.eval()
    figures = []
    fixed = bench.clock.timed(_reader(model, kinds.pop("fixed")))
    for kind, batches in kinds.items():
        figures.append(
            bench.compare(
                f"padding.{name}.{kind}", _reader(model, batches), "sequences/s", len(examples), local={"fixed": fixed}
            )
        )
        padded = 1 - sum(b.num_valid for b in batches) / sum(b.num_positions for b in batches)
        figures.append(Figure(f"padding.{name}.{kind}.share", 100 * padded, "% padded"))
    return figures


# a width at which products still rule the time, and a forward over all examples takes a second
_SMALL = replace(SIZES["small"], vocab_size=500, hidden_size=256, num_attention_heads=4, image_embedding_size=8)


def caption_examples(count: int, regions: bool) -> list[Example]:
    """Captions as sequences, with 10 to 100 regions where images are asked for."""
    rng = np.random.default_rng(7)
    vocabulary = Vocabulary(500, 0, PAD_ID, 2, 499)
    examples = []
    for number, text in enumerate(captions(count)):
        size = round(1.3 * len(text.split()))  # tokens of natural captions
        example = text_example(str(number), [rng.integers(3, 499, size).tolist()], vocabulary, 512)
        if regions:
            num_regions = int(rng.integers(10, 101)) + 1
            features = rng.random((num_regions, 8), np.float32)
            locations, boxes = rng.random((num_regions, 5), np.float32), np.zeros((num_regions - 1, 4), np.float32)
            example = replace(example, regions=RegionInput(features, locations, boxes))
        examples.append(example)
    return examples


def batches_by_kind(examples: Sequence[Example], tokens_per_batch: int) -> dict[str, list[Batch]]:
    """`fixed`: every sequence padded to the longest; `by_length`; `packed`: several sequences in a row."""
    sizes = [(example.num_regions, example.num_tokens) for example in examples]
    lengths = [sum(size) for size in sizes]
    num_rows = max(1, tokens_per_batch // max(lengths))
    fixed = [list(range(start, min(start + num_rows, len(sizes)))) for start in range(0, len(sizes), num_rows)]
    full = (max(size[0] for size in sizes), max(size[1] for size in sizes))
    by_length = bucketed_batches(lengths, tokens_per_batch, seed=7, epoch=0)
    return {
        "fixed": [collate([examples[i] for i in batch], PAD_ID, least=full) for batch in fixed],
        "by_length": [collate([examples[i] for i in batch], PAD_ID) for batch in by_length],
        "packed": [
            packed_batch([examples[i] for i in batch], PAD_ID)
            for batch in packed_batches(sizes, tokens_per_batch, seed=7, epoch=0)
        ],
    }


def _reader(model: paddle.nn.Layer, batches: Sequence[Batch]) -> Callable[[], None]:
    inputs = [model_inputs(batch) for batch in batches]

    def read() -> None:
        with paddle.no_grad():
            for each in inputs:
                model(each)

    return read
