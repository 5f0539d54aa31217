"""The region store: what goes in comes out, nothing half-written, and damage is named."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.regions.test_regions import regions
from unimo.cli import main
from unimo.errors import InputError
from unimo.regions import FeatureSpec, Regions, RegionStore, RegionStoreWriter, verify_store
from unimo.regions.store import decode_record, encode_record

SPEC = FeatureSpec("test", "1", 4, 2)


def write_store(path: Path, count: int = 5) -> Path:
    with RegionStoreWriter(path, SPEC) as writer:
        for number in range(count):
            writer.add(f"image_{number}", regions())
    return path


@given(st.integers(1, 6), st.integers(1, 9), st.integers(0, 4), st.integers(0, 3), st.booleans())
def test_records_round_trip(count: int, size: int, classes: int, attributes: int, named: bool) -> None:
    rng = np.random.default_rng(count * 100 + size)
    corners = rng.random((count, 2)).astype(np.float32) * 10
    value = Regions(
        rng.standard_normal((count, size)).astype(np.float16).astype(np.float32),
        np.concatenate([corners, corners + 1], axis=1),
        20,
        30,
        rng.random((count, classes)).astype(np.float16).astype(np.float32),
        rng.random((count, attributes)).astype(np.float16).astype(np.float32) if attributes else None,
        tuple(f"name {i}" for i in range(count)) if named else None,
    )
    found = decode_record(encode_record(value))
    for name, expected in vars(value).items():
        np.testing.assert_array_equal(getattr(found, name), expected)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"cut short|regions"):
        decode_record(data)


def test_every_flipped_byte_is_found() -> None:
    data = encode_record(regions())
    for place in range(len(data)):
        damaged = bytearray(data)
        damaged[place] ^= 0x10
        with pytest.raises(ValueError):
            decode_record(bytes(damaged))


def test_reading(tmp_path: Path) -> None:
    with RegionStore(write_store(tmp_path / "store")) as store:
        assert len(store) == 5
        assert store.ids() == [f"image_{number}" for number in range(5)]
        assert "image_3" in store
        assert "image_9" not in store
        assert store.spec == SPEC
        assert store.num_regions("image_0") == 3
        np.testing.assert_allclose(store["image_0"].features, regions().features, atol=2e-3)
        copy = pickle.loads(pickle.dumps(store))
        assert copy.ids() == store.ids()
        with pytest.raises(InputError, match="no image 'absent'"):
            store["absent"]


def test_an_error_leaves_nothing_at_the_final_place(tmp_path: Path) -> None:
    path = tmp_path / "store"
    with pytest.raises(RuntimeError), RegionStoreWriter(path, SPEC) as writer:
        writer.add("image", regions())
        raise RuntimeError
    assert not path.exists()
    assert RegionStoreWriter(path, SPEC).ids() == {"image"}


def test_partial_work_of_other_features_is_dropped(tmp_path: Path) -> None:
    writer = RegionStoreWriter(tmp_path / "store", SPEC)
    writer.add("image", regions())
    writer.close()
    assert RegionStoreWriter(tmp_path / "store", FeatureSpec("test", "2", 4, 2)).ids() == set()


@pytest.mark.parametrize("keep", [0, 1000, -4096])
def test_a_truncated_file_is_an_error_and_not_a_crash(tmp_path: Path, keep: int) -> None:
    data = write_store(tmp_path / "store") / "data.mdb"
    content = data.read_bytes()
    data.write_bytes(content[:keep])
    with pytest.raises(InputError, match="damaged"):
        RegionStore(tmp_path / "store")


def test_check_names_the_damaged_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_store(tmp_path / "store")
    assert main(["regions", "check", "--store", str(path)]) == 0
    assert "every record is whole" in capsys.readouterr().out
    content = bytearray((path / "data.mdb").read_bytes())
    place = content.find(encode_record(regions())[28:60])
    content[place] ^= 0xFF
    (path / "data.mdb").write_bytes(bytes(content))
    assert main(["regions", "check", "--store", str(path)]) == 2
    assert "record 'image_" in capsys.readouterr().err


def test_verify_finds_boxes_outside(tmp_path: Path) -> None:
    outside = Regions(**{**vars(regions()), "boxes": regions().boxes * 10})
    with RegionStoreWriter(tmp_path / "store", SPEC) as writer:
        writer.add("image", outside)
    with pytest.raises(InputError, match="outside the image"):
        list(verify_store(tmp_path / "store"))
