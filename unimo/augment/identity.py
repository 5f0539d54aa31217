"""What a corpus depends on: its configuration, and every file that it is made from, told by what is in it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from unimo.augment.options import AugmentConfig
from unimo.augment.spacy_parsing import make_parser
from unimo.config import to_plain
from unimo.data.formats import multi30k
from unimo.data.formats.parts import split_part
from unimo.errors import InputError
from unimo.regions.store import DATA_NAME, META_NAME, RegionStore

FORMAT_VERSION = 1  # of the files: a reader takes no other
JOB_VERSION = 2
"""Raised when the job makes something else of the same configuration and files, or tells files by something else.

2: free texts in sentences, no rewrite that a positive says, the images' own ids with `pairs.image_prefix`, files told
by samples of all of them. A corpus without the key is of version 1, and is read as before.
"""

BLOCK_BYTES = 1 << 20
NUM_BLOCKS = 64


def identity_of(config: AugmentConfig) -> dict[str, Any]:
    """What a corpus depends on: a change of any of it makes another corpus.

    Raises:
        InputError: a file is missing, or a region store damaged.
    """
    values = to_plain(config)
    del values["output"]
    files = {str(path): fingerprint_file(path) for path in input_files(config)}
    for store in region_stores(config):
        files[f"{store} (ids)"] = _fingerprint_ids(store)
    parser = make_parser(config.parser).name
    versions = {"format_version": FORMAT_VERSION, "job_version": JOB_VERSION}
    whole = {**versions, "config": values, "inputs": files, "parser": parser}
    digest = hashlib.blake2b(json.dumps(whole, sort_keys=True).encode(), digest_size=16).hexdigest()
    return {**whole, "fingerprint": digest}


def region_stores(config: AugmentConfig) -> list[Path]:
    """The region stores that are named, each once."""
    return [Path(store) for store in sorted({config.regions, config.image_regions} - {""})]


def input_files(config: AugmentConfig) -> list[Path]:
    """Every file that the corpus depends on."""
    given = [*config.pairs.files, *config.texts, *config.images, *config.held_out, config.positives.paraphrases]
    files = [split_part(name)[0] for name in given if name]
    for listed in [file for file in files if file.name.endswith(multi30k.IMAGES_NAME)]:
        files += multi30k.caption_files(listed)
    files += [store / name for store in region_stores(config) for name in (META_NAME, DATA_NAME)]
    for folder in sorted({config.positives.translate_to, config.positives.translate_back} - {""}):
        files += [Path(folder) / name for name in ("model.bin", "source.spm", "target.spm")]
    if config.parser.vocabulary:
        files += [Path(config.parser.vocabulary) / f"{name}.txt" for name in ("objects", "attributes", "relations")]
    return files


def fingerprint_file(path: Path) -> str:
    """Hash of a file's length and content; of a large file, of ``NUM_BLOCKS`` blocks from its first to its last byte.

    Raises:
        InputError: no such file.
    """
    if not path.is_file():
        raise InputError.at(path, "no such file")
    size = path.stat().st_size
    digest = hashlib.blake2b(str(size).encode(), digest_size=16)
    with open(path, "rb") as stream:
        for offset in _block_offsets(size):
            stream.seek(offset)
            digest.update(stream.read(BLOCK_BYTES))
    return digest.hexdigest()


def _block_offsets(size: int) -> Iterable[int]:
    if size <= NUM_BLOCKS * BLOCK_BYTES:
        return range(0, size, BLOCK_BYTES)
    return [(size - BLOCK_BYTES) * number // (NUM_BLOCKS - 1) for number in range(NUM_BLOCKS)]


def _fingerprint_ids(path: Path) -> str:
    """Hash of the images of a store: they lie among its records, most of which no sample meets."""
    digest = hashlib.blake2b(digest_size=16)
    with RegionStore(path) as store:
        for image_id in store.ids():
            digest.update(f"{image_id}\n".encode())
    return digest.hexdigest()
