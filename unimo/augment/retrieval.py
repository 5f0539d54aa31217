"""What is retrieved for a shard: captions of other images, sentences of the free text, unpaired images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unimo.augment.rewriting import plain_text
from unimo.augment.said import Said
from unimo.augment.similarity import BlockFolder, Condition, top_k
from unimo.augment.vectors import image_vectors, rows_between
from unimo.augment.workspace import Workspace
from unimo.regions.store import RegionStore

LOOKED_AT = 2  # times as many neighbours as are wanted are looked at first, since some say nothing wrong
WIDER = 8  # times as many again, for captions that found too few among those
MOST_HELD = 1 << 22  # neighbours of all captions that are looked for at a time, of 12 bytes each


@dataclass(frozen=True)
class Asking:
    """A caption that similar ones are looked for."""

    same: frozenset[int]
    """Numbers of the records whose captions are no negatives for it, its own among them."""

    said: Said
    """What all captions of its image say, and their positives."""

    true: Sequence[str]
    """Those captions and positives."""


def similar_sentences(space: Workspace, first: int, asking: Sequence[Asking]) -> list[list[int]]:
    """For every caption the nearest captions of other images that say something else, by number.

    Those above `max_similarity` are never looked at. Where those looked at are not enough (most of them say nothing
    wrong, or the same words), more are, until there are enough or no more: the result is exact.

    Args:
        space: of the job.
        first: number of the first caption.
        asking: it and those that follow it.
    """
    options = space.config.rewriting
    chosen: list[list[int]] = [[] for _ in asking]
    if options.num_sentences == 0:
        return chosen
    blocks = BlockFolder(space.work / "vectors" / "captions")
    queries = rows_between(blocks, first, first + len(asking))
    count, places = LOOKED_AT * options.num_sentences + 10, list(range(len(asking)))
    while places:
        lacking, at_once = [], max(1, MOST_HELD // count)
        for start in range(0, len(places), at_once):
            part = places[start : start + at_once]
            found = top_k(queries[part], blocks, count, maximum=options.max_similarity)
            for place, (numbers, _) in zip(part, found, strict=True):
                chosen[place] = _choose(space, numbers, asking[place])
                if len(chosen[place]) < options.num_sentences and len(numbers) == count:
                    lacking.append(place)
        places, count = lacking, count * WIDER
    return chosen


def _choose(space: Workspace, neighbours: np.ndarray, asking: Asking) -> list[int]:
    """Of the nearest captions those of other images that say something that the captions of this image do not."""
    chosen: list[int] = []
    taken = {plain_text(text) for text in asking.true}
    owners = np.searchsorted(space.starts, neighbours, side="right") - 1
    for number, owner in zip(neighbours.tolist(), owners.tolist(), strict=True):
        if len(chosen) == space.config.rewriting.num_sentences:
            break
        if owner in asking.same:
            continue
        content = space.contents[number]
        if not content or all(name in asking.said.true for name in content.split("|")):
            continue
        plain = plain_text(space.captions[number])
        if plain not in taken:
            taken.add(plain)
            chosen.append(number)
    return chosen


def similar_texts(space: Workspace, first: int, count: int) -> list[list[int]]:
    """Numbers of the free texts nearest to each of ``count`` captions, of which ``first`` is the first."""
    options = space.config.retrieval
    if not space.config.texts or options.num_texts == 0:
        return [[] for _ in range(count)]
    queries = rows_between(BlockFolder(space.work / "vectors" / "captions"), first, first + count)
    texts = BlockFolder(space.work / "vectors" / "texts")
    return [numbers.tolist() for numbers, _ in top_k(queries, texts, options.num_texts, options.min_similarity)]


def similar_images(space: Workspace, stored_ids: Sequence[str | None]) -> list[list[int]]:
    """Numbers of the unpaired images most like each image; none for an image without regions (None)."""
    options = space.config.retrieval
    found: list[list[int]] = [[] for _ in stored_ids]
    known = {place: stored_id for place, stored_id in enumerate(stored_ids) if stored_id is not None}
    vectors = space.work / "vectors"
    collection = BlockFolder(vectors / "features")
    if not known or not len(collection):
        return found
    with RegionStore(space.config.regions) as store:
        features, classes = image_vectors(store[stored_id] for stored_id in known.values())
    condition = None
    if options.min_overlap > 0:
        condition = Condition(classes, BlockFolder(vectors / "classes"), options.min_overlap)
    nearest = top_k(features, collection, options.num_images, -1.0, condition)
    for place, (numbers, _) in zip(known, nearest, strict=True):
        found[place] = numbers.tolist()
    return found
