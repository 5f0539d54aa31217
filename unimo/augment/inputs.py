"""What the corpus job reads: pairs, free texts, unpaired images."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from unimo.augment.options import AugmentConfig, PairFiles
from unimo.augment.sentences import split_sentences
from unimo.data.formats.captions import read_caption_file, read_captions, read_images
from unimo.data.records import CaptionRecord
from unimo.errors import InputError
from unimo.files import parse_json, read_lines, suffix_of
from unimo.regions.names import ImageNames, image_key
from unimo.regions.store import RegionStore


def read_pairs(pairs: PairFiles, statistics: Counter[str] | None = None) -> list[CaptionRecord]:
    """All images with their captions, as training reads them; blank captions are counted in ``statistics``.

    Raises:
        InputError: a file is none of the formats of captions, or an image id stands in two records.
    """
    statistics = Counter() if statistics is None else statistics
    records: list[CaptionRecord] = []
    for path in pairs.files:
        found = read_caption_file(path)
        records += found.records
        statistics["blank captions left out"] += found.num_blank
    seen: set[str] = set()
    for record in records:
        if record.image_id in seen:
            raise InputError(f"{record.record_id}: image {record.image_id!r} stands in an earlier record already")
        seen.add(record.image_id)
    return records


def iterate_texts(paths: Sequence[str], longest_line: int, statistics: Counter[str]) -> Iterator[str]:
    """The free texts, one at a time: `read_texts` of `data.formats` would hold them all.

    Lines of more than ``longest_line`` words come sentence by sentence, and are counted in ``statistics``; 0 takes all
    as they are.

    Raises:
        InputError: a line of a `.jsonl` file has no text.
    """
    for path in paths:
        as_json = suffix_of(path) == ".jsonl"
        for number, line in read_lines(path):
            text = _json_text(path, number, line) if as_json else line
            words = text.split()
            sentences = [" ".join(words)] if words else []
            if 0 < longest_line < len(words):
                sentences = split_sentences(sentences[0])
            statistics["lines of free text split into sentences"] += len(sentences) > 1
            yield from sentences


def _json_text(path: str, number: int, line: str) -> str:
    try:
        text = parse_json(line)["text"]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise InputError.at(path, "expected a JSON object with a field 'text'", number) from error
    if not isinstance(text, str):
        raise InputError.at(path, f"text: expected a string, found {type(text).__name__}", number)
    return text


def stored_images(config: AugmentConfig, image_ids: Sequence[str]) -> list[str | None]:
    """Under which id the region store has each image of the pairs; None for those that it lacks.

    Raises:
        InputError: it has none of them, or no classes to compare objects by; or an id could be either of two.
    """
    wanted = [config.pairs.image_prefix + image_id for image_id in image_ids]
    with RegionStore(config.regions) as store:
        if not store.spec.num_classes and config.retrieval.min_overlap > 0:
            told = f"{store.path} holds no class probabilities, by which objects are compared"
            hint = "set it to 0 to go by visual similarity alone"
            raise InputError(f"retrieval.min_overlap: {config.retrieval.min_overlap}, but {told}; {hint}")
        names = ImageNames(store.ids(), str(store.path))
        found = [names.find(image_id) for image_id in wanted]
    if not any(found):
        told = f"regions of none of the {len(wanted)} images of the pairs, {wanted[0]!r} first"
        raise InputError(f"regions: {store.path} holds {told} (see pairs.image_prefix)")
    return found


def free_images(config: AugmentConfig, paired: Iterable[str]) -> list[str]:
    """Ids of the unpaired images in their region store, sorted; none of the pairs or held out is there, by any name.

    ``paired``: ids of the images of the pairs, without `pairs.image_prefix`.
    """
    with RegionStore(config.image_regions or config.regions) as store:
        stored = store.ids()
        if config.images:
            names = ImageNames(stored, str(store.path))
            listed = [record.image_id for path in config.images for record in read_images(path)]
            if absent := names.absent(listed):
                raise InputError.at(store.path, f"no regions of {len(absent)} unpaired images, {absent[0]!r} first")
            stored = [found for image_id in listed if (found := names.find(image_id)) is not None]
    held_out = [record.image_id for path in config.held_out for record in read_captions(path)]
    own = [config.pairs.image_prefix + image_id for image_id in paired]
    keys = {image_key(image_id) for image_id in (*own, *held_out)}
    return sorted(image_id for image_id in set(stored) if image_key(image_id) not in keys)
