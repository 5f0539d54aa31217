"""Another input makes another corpus, wherever in it the difference lies."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from unimo.augment.identity import BLOCK_BYTES, NUM_BLOCKS, fingerprint_file, identity_of, input_files
from unimo.augment.options import AugmentConfig, PairFiles, PositiveOptions
from unimo.errors import InputError
from unimo.regions import FeatureSpec, Regions, RegionStoreWriter


@pytest.fixture
def config(pairs_file: Path, tmp_path: Path) -> AugmentConfig:
    return AugmentConfig(PairFiles((str(pairs_file),)), str(tmp_path / "out"))


def changed_at(path: Path, place: int) -> str:
    """The fingerprint with one byte inverted, which then is as it was."""
    with path.open("r+b") as stream:
        stream.seek(place)
        byte = stream.read(1)[0]
        for value in (byte ^ 255, byte):
            stream.seek(place)
            stream.write(bytes([value]))
            stream.flush()
            if value != byte:
                found = fingerprint_file(path)
    return found


def test_any_byte_of_a_small_file_counts(tmp_path: Path) -> None:
    path = tmp_path / "small"
    path.write_bytes(bytes(1000))
    assert len({fingerprint_file(path), *(changed_at(path, place) for place in (0, 1, 500, 999))}) == 5
    path.write_bytes(bytes(1001))
    assert fingerprint_file(path) != changed_at(path, 0)
    (tmp_path / "empty").touch()
    assert fingerprint_file(tmp_path / "empty") != fingerprint_file(path)


def test_a_large_file_is_looked_at_from_its_beginning_to_its_end(tmp_path: Path) -> None:
    path, size = tmp_path / "large", 2 * NUM_BLOCKS * BLOCK_BYTES
    with path.open("wb") as stream:
        stream.truncate(size)  # takes no room on the disk
    starts = [(size - BLOCK_BYTES) * number // (NUM_BLOCKS - 1) for number in (0, 1, 31, 62, 63)]
    places = [*starts, *(start + BLOCK_BYTES - 1 for start in starts)]
    assert starts[-1] + BLOCK_BYTES == size
    assert len({fingerprint_file(path), *(changed_at(path, place) for place in places)}) == len(places) + 1
    assert changed_at(path, starts[1] - 1) == fingerprint_file(path)  # between two blocks: not looked at


def write_store(path: Path, ids: Iterable[str], value: float = 1.0) -> str:
    with RegionStoreWriter(path, FeatureSpec("test", "1", 3, 0)) as writer:
        for image_id in ids:
            boxes = np.asarray([[0, 0, 5, 5]], np.float32)
            writer.add(
                image_id, Regions(np.full((1, 3), value, np.float32), boxes, 10, 10, np.zeros((1, 0), np.float32))
            )
    return str(path)


def test_a_store_is_told_by_its_images_and_its_data(config: AugmentConfig, tmp_path: Path) -> None:
    """All three have the same `meta.json`."""
    path = tmp_path / "store"
    config = dataclasses.replace(config, regions=str(path))
    made = []
    for ids, value in ((["1", "2"], 1.0), (["1", "3"], 1.0), (["1", "2"], 2.0), (["1", "2"], 1.0)):
        write_store(path, ids, value)
        made.append(identity_of(config))
    metas, data, named = (
        [each["inputs"][f"{path}{name}"] for each in made] for name in ("/meta.json", "/data.mdb", " (ids)")
    )
    assert len(set(metas)) == 1
    assert len(set(data[:3])) == 3
    assert named[0] == named[2] == named[3] != named[1]
    assert made[0] == made[3]


def test_all_files_of_a_translation_count(config: AugmentConfig, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("there", "back")]
    positives = PositiveOptions(translate_to=str(folders[0]), translate_back=str(folders[1]))
    config = dataclasses.replace(config, positives=positives)
    files = [folder / name for folder in folders for name in ("model.bin", "source.spm", "target.spm")]
    assert set(files) < set(input_files(config))
    for file in files:
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"one")
    made = {identity_of(config)["fingerprint"]}
    for file in files:
        file.write_bytes(b"two")
        made.add(identity_of(config)["fingerprint"])
    assert len(made) == 7
    files[1].unlink()
    with pytest.raises(InputError, match=r"source\.spm: no such file"):
        identity_of(config)
