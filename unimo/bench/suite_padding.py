"""Padding: sequences in batches of fixed size, by length, and packed; its share, and the sequences read in a second.

Texts are ``--texts``, and captions with 10 to 100 drawn regions ``--captions``, where those files are named; else they
are made up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import paddle

from unimo.bench.figures import Figure
from unimo.bench.samples import captions
from unimo.bench.suites import Bench
from unimo.bench.workloads import SIZES, build_model
from unimo.data.batch import Batch, collate
from unimo.data.examples import Example, RegionInput, Vocabulary, text_example
from unimo.data.packing import Size, fill_rows, packed_batch, packed_batches, row_capacity
from unimo.data.sampling import bucketed_batches
from unimo.files import read_lines
from unimo.tokenization import UnimoTokenizer
from unimo.training.task import model_inputs

PAD_ID, VOCABULARY_SIZE = 1, 500
MOST = 20_000  # texts of a file, drawn
LONGEST = 512  # tokens of a text, special ones included; longer ones are cut
TIMED = 512  # of them, whose reading is timed
TOKENS_PER_BATCH = {"text": 4096, "pair": 8192}
# a width at which products still rule the time, and a forward over all timed examples takes a second
_SMALL = replace(
    SIZES["small"], vocab_size=VOCABULARY_SIZE, hidden_size=256, num_attention_heads=4, image_embedding_size=8
)


def measure(bench: Bench) -> list[Figure]:
    """Of texts, and of captions with regions."""
    figures = []
    for name, regions in (("text", False), ("pair", True)):
        figures += _padding(bench, name, caption_sizes(text_lengths(bench, name), regions))
    return figures


def text_lengths(bench: Bench, name: str) -> list[int]:
    """Tokens of the texts, without special tokens."""
    path = {"text": bench.texts, "pair": bench.captions}[name]
    count = 48 if bench.size == "tiny" else TIMED
    if path is None:
        bench.note(f"padding.{name}: made-up texts; --texts and --captions name files of real ones")
        return [round(1.3 * len(text.split())) for text in captions(count)]  # tokens of natural captions
    lines = [line.rstrip("\r\n").split("\t")[0] for _, line in read_lines(path)]
    rng = np.random.default_rng(7)
    chosen = sorted(rng.choice(len(lines), min(len(lines), MOST), replace=False).tolist())
    assert bench.dictionary is not None
    tokenizer = UnimoTokenizer.from_release(Path(bench.dictionary))
    return [len(ids) for ids in tokenizer.encode_batch([lines[index] for index in chosen])]


def caption_sizes(lengths: Sequence[int], regions: bool) -> list[Size]:
    """(regions, tokens) of sequences: with special tokens, and with 10 to 100 regions and the image's own."""
    rng = np.random.default_rng(7)
    counts = rng.integers(10, 101, len(lengths)) + 1 if regions else np.zeros(len(lengths), np.int64)
    return list(zip(counts.tolist(), [min(length + 2, LONGEST) for length in lengths], strict=True))


def _padding(bench: Bench, name: str, sizes: Sequence[Size]) -> list[Figure]:
    """Share of padding over all sequences; speed against fixed padding over the first of them."""
    budget = 256 if bench.size == "tiny" else TOKENS_PER_BATCH[name]
    shares = padding_shares(sizes, budget)
    timed = batches_by_kind(make_examples(sizes[:TIMED]), budget)
    config = replace(SIZES["tiny"], image_embedding_size=8) if bench.size == "tiny" else _SMALL
    model = build_model(config, {})
    model.eval()
    figures = [Figure(f"padding.{name}.fixed.share", 100 * shares["fixed"], "% padded")]
    fixed = bench.clock.timed(_reader(model, timed.pop("fixed")))
    for kind, batches in timed.items():
        label, count = f"padding.{name}.{kind}", min(TIMED, len(sizes))
        figures.append(bench.compare(label, _reader(model, batches), "sequences/s", count, local={"fixed": fixed}))
        figures.append(Figure(f"{label}.share", 100 * shares[kind], "% padded"))
    return figures


def make_examples(sizes: Sequence[Size]) -> list[Example]:
    """Random sequences of these sizes."""
    rng = np.random.default_rng(7)
    vocabulary = Vocabulary(VOCABULARY_SIZE, 0, PAD_ID, 2, VOCABULARY_SIZE - 1)
    examples = []
    for number, (num_regions, num_tokens) in enumerate(sizes):
        ids = rng.integers(3, VOCABULARY_SIZE - 1, num_tokens - 2).tolist()
        example = text_example(str(number), [ids], vocabulary, LONGEST)
        if num_regions:
            features = rng.random((num_regions, 8), np.float32)
            locations, boxes = rng.random((num_regions, 5), np.float32), np.zeros((num_regions - 1, 4), np.float32)
            example = replace(example, regions=RegionInput(features, locations, boxes))
        examples.append(example)
    return examples


def indices_by_kind(sizes: Sequence[Size], tokens_per_batch: int) -> dict[str, list[list[int]]]:
    """Kind -> which sequences share a batch. `fixed`: in order, every one as long as the longest."""
    lengths = [sum(size) for size in sizes]
    num_rows = max(1, tokens_per_batch // sum(_largest(sizes)))
    return {
        "fixed": [list(range(start, min(start + num_rows, len(sizes)))) for start in range(0, len(sizes), num_rows)],
        "by_length": bucketed_batches(lengths, tokens_per_batch, seed=7, epoch=0),
        "packed": packed_batches(sizes, tokens_per_batch, seed=7, epoch=0),
    }


def padding_shares(sizes: Sequence[Size], tokens_per_batch: int) -> dict[str, float]:
    """Kind of batch -> padded positions among all, counted without making the batches."""
    used, capacity = sum(map(sum, sizes)), row_capacity(sizes)
    positions = {}
    for kind, batches in indices_by_kind(sizes, tokens_per_batch).items():
        positions[kind] = 0
        for batch in batches:
            of_batch = [sizes[index] for index in batch]
            if kind == "packed":
                rows = [[of_batch[place] for place in row] for row in fill_rows(of_batch, capacity)]
                of_batch = [(sum(size[0] for size in row), sum(size[1] for size in row)) for row in rows]
            positions[kind] += len(of_batch) * sum(_largest(sizes if kind == "fixed" else of_batch))
    return {kind: 1 - used / count for kind, count in positions.items()}


def batches_by_kind(examples: Sequence[Example], tokens_per_batch: int) -> dict[str, list[Batch]]:
    """The batches themselves: `fixed`, `by_length`, and `packed` with several sequences in a row."""
    sizes = [(example.num_regions, example.num_tokens) for example in examples]
    least = {"fixed": _largest(sizes), "by_length": (0, 0)}
    chosen = indices_by_kind(sizes, tokens_per_batch)
    made = {
        kind: [collate([examples[index] for index in batch], PAD_ID, least=size) for batch in chosen[kind]]
        for kind, size in least.items()
    }
    packed = [
        packed_batch([examples[index] for index in batch], PAD_ID, row_capacity(sizes)) for batch in chosen["packed"]
    ]
    return made | {"packed": packed}


def _largest(sizes: Sequence[Size]) -> Size:
    return max(size[0] for size in sizes), max(size[1] for size in sizes)


def _reader(model: paddle.nn.Layer, batches: Sequence[Batch]) -> Callable[[], None]:
    inputs = [model_inputs(batch) for batch in batches]

    def read() -> None:
        with paddle.no_grad():
            for each in inputs:
                model(each)

    return read
