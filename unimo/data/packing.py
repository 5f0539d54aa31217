"""Several short examples in one row, none seeing another: padding nearly gone where lengths differ much.

A row holds the regions of its examples side by side, then their texts. What fills it is its greater part, the regions
where there are images, else the tokens; rows with much text beside rows with much are batched together.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence

import numpy as np

from unimo.data.batch import Batch, collate
from unimo.data.examples import Example

# positions of a row filled level, and at least how many of the longest sequence: shorter rows leave padding where
# sequences are long, longer ones cost more attention than padding saves
LEVEL_LENGTH, LEVEL_SEQUENCES = 128, 2.5
# records drawn together before rows are filled, as a multiple of what a batch holds
POOL_BATCHES = 50

Size = tuple[int, int]
"""Regions and tokens of an example."""


def fill_rows(sizes: Sequence[Size], capacity: int = 0, max_examples: int = 0) -> list[list[int]]:
    """Examples in rows, each as full as can be (best fit, the largest first).

    Args:
        sizes: of the examples; where any has regions these are what a row is filled with, else the tokens.
        capacity: regions (tokens) of a row; no less than the largest example's.
        max_examples: most examples of a row; 0 is no limit.
    """
    part = 0 if any(size[0] for size in sizes) else 1
    wanted = [size[part] for size in sizes]
    capacity = max(capacity, max(wanted))
    rows: list[list[int]] = []
    room: list[tuple[int, int]] = []  # (free places, row), sorted
    for index in sorted(range(len(sizes)), key=lambda index: -wanted[index]):
        place = bisect.bisect_left(room, (wanted[index], -1))
        if place == len(room):
            rows.append([])
            free, row = capacity, len(rows) - 1
        else:
            free, row = room.pop(place)
        rows[row].append(index)
        if not max_examples or len(rows[row]) < max_examples:
            bisect.insort(room, (free - wanted[index], row))
    return rows


def level_rows(sizes: Sequence[Size], length: int = 0) -> list[list[int]]:
    """Examples in rows of about ``length`` positions that grow alike, the largest first; for sizes of any mixture.

    0 takes ``LEVEL_LENGTH`` positions, or ``LEVEL_SEQUENCES`` of the longest sequence where these are more.

    Every row of a batch is as wide as the most regions and the most tokens of any, so rows of one batch are filled
    level, where :func:`fill_rows` fills each to the brim.
    """
    regions, tokens = np.asarray(sizes, np.int64).reshape(-1, 2).T
    length = length or max(LEVEL_LENGTH, round(LEVEL_SEQUENCES * int((regions + tokens).max(initial=0))))
    num_rows = min(len(sizes), max(1, -(-int(regions.sum() + tokens.sum()) // length)))
    filled = np.zeros((2, num_rows), np.int64)
    rows: list[list[int]] = [[] for _ in range(num_rows)]
    for index in np.argsort(-(regions + tokens), kind="stable").tolist():
        width = np.maximum(filled[0] + regions[index], filled[0].max())
        width += np.maximum(filled[1] + tokens[index], filled[1].max())
        row = int(np.lexsort((filled.sum(axis=0), width))[0])
        rows[row].append(index)
        filled[:, row] += regions[index], tokens[index]
    return [row for row in rows if row]


def level_batch(examples: Sequence[Example], pad_id: int) -> Batch:
    """Examples of any mixture of lengths in rows filled level, all with ``text_starts`` and ``image_starts``."""
    return collate(examples, pad_id, level_rows([(example.num_regions, example.num_tokens) for example in examples]))


def packed_batch(examples: Sequence[Example], pad_id: int, capacity: int = 0) -> Batch:
    """The examples' rows as a batch; ``text_starts`` and ``image_starts`` tell where each example stands."""
    rows = fill_rows([(example.num_regions, example.num_tokens) for example in examples], capacity)
    return collate(examples, pad_id, rows)


def packed_batches(
    sizes: Sequence[Size], tokens_per_batch: int, seed: int, epoch: int, max_examples: int = 0
) -> list[list[int]]:
    """Cut a shuffled order into batches whose rows pack well: every record once, batches in random order.

    Args:
        sizes: regions and tokens of each record.
        tokens_per_batch: largest number of rows times longest row; one row alone may exceed it.
        seed: of the run.
        epoch: changes the order.
        max_examples: most records of a batch; 0 is no limit.
    """
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(len(sizes))
    mean = max(1.0, float(np.mean([sum(size) for size in sizes])))
    pool = max(1, round(POOL_BATCHES * tokens_per_batch / mean))
    capacity = row_capacity(sizes)
    batches: list[list[int]] = []
    for start in range(0, len(order), pool):
        drawn = order[start : start + pool].tolist()
        rows = fill_rows([sizes[index] for index in drawn], capacity, max_examples)
        drawn_rows = [[drawn[number] for number in row] for row in rows]
        batches += _cut(drawn_rows, sizes, capacity, tokens_per_batch, max_examples)
    return [batches[index] for index in rng.permutation(len(batches))]


def row_capacity(sizes: Sequence[Size]) -> int:
    """What every row of a dataset can hold: its largest example's regions, or tokens where nothing has regions."""
    return max(size[0] for size in sizes) or max(size[1] for size in sizes)


def padded_positions(sizes: Sequence[Size], capacity: int = 0) -> int:
    """Positions that examples take in rows that :func:`fill_rows` fills, padding included."""
    return _positions([_size_of(row, sizes) for row in fill_rows(sizes, capacity)])


def _cut(
    rows: Sequence[Sequence[int]], sizes: Sequence[Size], capacity: int, tokens_per_batch: int, max_examples: int
) -> list[list[int]]:
    """Rows of similar length, the other part's first, in batches within the budget.

    A batch is laid out anew from its records, of which each process has some, and may come out wider than its rows
    here; then it loses its last rows to the next.
    """
    left = sorted(rows, key=lambda row: _size_of(row, sizes)[::-1])
    batches: list[list[int]] = []
    while left:
        count = _rows_within(left, sizes, tokens_per_batch, max_examples)
        while True:
            batch = [index for row in left[:count] for index in row]
            if count == 1 or padded_positions([sizes[index] for index in batch], capacity) <= tokens_per_batch:
                break
            count -= 1
        batches.append(batch)
        left = left[count:]
    return batches


def _rows_within(rows: Sequence[Sequence[int]], sizes: Sequence[Size], tokens_per_batch: int, max_examples: int) -> int:
    """How many of the rows, from the first on, fit a batch; at least one."""
    widest, examples = (0, 0), 0
    for number, row in enumerate(rows):
        regions, tokens = _size_of(row, sizes)
        widest = max(widest[0], regions), max(widest[1], tokens)
        examples += len(row)
        full = (number + 1) * sum(widest) > tokens_per_batch or (max_examples and examples > max_examples)
        if number and full:
            return number
    return len(rows)


def _size_of(row: Sequence[int], sizes: Sequence[Size]) -> Size:
    return sum(sizes[index][0] for index in row), sum(sizes[index][1] for index in row)


def _positions(rows: Sequence[Size]) -> int:
    return len(rows) * (max(regions for regions, _ in rows) + max(tokens for _, tokens in rows))
