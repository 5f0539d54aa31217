"""What the corpus job reads: pairs, free texts, unpaired images."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from unimo.augment.options import AugmentConfig, PairFiles
from unimo.data.formats import multi30k
from unimo.data.formats.captions import read_captions, read_images
from unimo.data.formats.parts import split_part
from unimo.data.records import CaptionRecord
from unimo.errors import InputError
from unimo.files import parse_json, read_lines, suffix_of
from unimo.regions.names import ImageNames, image_key
from unimo.regions.store import RegionStore

HASHED_BYTES = 64 << 20  # of each input file go into its fingerprint, with the length


def read_pairs(pairs: PairFiles) -> list[CaptionRecord]:
    """All images with their captions, blank captions left out; images without any are left out too.

    Raises:
        InputError: a file is none of the formats of captions, or an image id stands in two records.
    """
    records = []
    for path in pairs.files:
        for each in read_captions(path):
            captions = tuple(filter(str.strip, each.captions))
            names = [pairs.image_prefix + name for name in (each.image_id, *each.also_true)]
            if captions:
                records.append(CaptionRecord(each.record_id, names[0], captions, tuple(names[1:])))
    seen: set[str] = set()
    for record in records:
        if record.image_id in seen:
            raise InputError(f"{record.record_id}: image {record.image_id!r} stands in an earlier record already")
        seen.add(record.image_id)
    if not records:
        raise InputError(f"pairs: no captions in {', '.join(pairs.files)}")
    return records


def iterate_texts(paths: Sequence[str]) -> Iterator[str]:
    """The free texts, one at a time: `read_texts` of `data.records` would hold them all.

    Raises:
        InputError: a line of a `.jsonl` file has no text.
    """
    for path in paths:
        as_json = suffix_of(path) == ".jsonl"
        for number, line in read_lines(path):
            text = _json_text(path, number, line) if as_json else line
            if text.strip():
                yield " ".join(text.split())


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
    with RegionStore(config.regions) as store:
        if not store.spec.num_classes and config.retrieval.min_overlap > 0:
            told = f"{store.path} holds no class probabilities, by which objects are compared"
            hint = "set it to 0 to go by visual similarity alone"
            raise InputError(f"retrieval.min_overlap: {config.retrieval.min_overlap}, but {told}; {hint}")
        names = ImageNames(store.ids(), str(store.path))
        found = [names.find(image_id) for image_id in image_ids]
    if not any(found):
        told = f"regions of none of the {len(image_ids)} images of the pairs, {image_ids[0]!r} first"
        raise InputError(f"regions: {store.path} holds {told} (see pairs.image_prefix)")
    return found


def free_images(config: AugmentConfig, paired: Iterable[str]) -> list[str]:
    """Ids of the unpaired images in their region store, sorted; none of the pairs or held out is there, by any name."""
    with RegionStore(config.image_regions or config.regions) as store:
        stored = store.ids()
        if config.images:
            names = ImageNames(stored, str(store.path))
            listed = [record.image_id for path in config.images for record in read_images(path)]
            if absent := names.absent(listed):
                raise InputError.at(store.path, f"no regions of {len(absent)} unpaired images, {absent[0]!r} first")
            stored = [found for image_id in listed if (found := names.find(image_id)) is not None]
    held_out = [record.image_id for path in config.held_out for record in read_captions(path)]
    keys = {image_key(image_id) for image_id in (*paired, *held_out)}
    return sorted(image_id for image_id in set(stored) if image_key(image_id) not in keys)


def input_files(config: AugmentConfig) -> list[Path]:
    """Every file that the corpus depends on."""
    given = [*config.pairs.files, *config.texts, *config.images, *config.held_out, config.positives.paraphrases]
    files = [split_part(name)[0] for name in given if name]
    for listed in [file for file in files if file.name.endswith(multi30k.IMAGES_NAME)]:
        files += multi30k.caption_files(listed)
    for store in {config.regions, config.image_regions} - {""}:
        files.append(Path(store) / "meta.json")
    for folder in {config.positives.translate_to, config.positives.translate_back} - {""}:
        files.append(Path(folder) / "model.bin")
    if config.parser.vocabulary:
        files += [Path(config.parser.vocabulary) / f"{name}.txt" for name in ("objects", "attributes", "relations")]
    return files


def fingerprint_file(path: Path) -> str:
    """Hash of a file's length and its beginning.

    Raises:
        InputError: no such file.
    """
    if not path.is_file():
        raise InputError.at(path, "no such file")
    digest = hashlib.blake2b(str(path.stat().st_size).encode(), digest_size=16)
    with open(path, "rb") as stream:
        digest.update(stream.read(HASHED_BYTES))
    return digest.hexdigest()
