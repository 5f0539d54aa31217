"""Fluid variable files: what the original wrote is read and written byte for byte, and damage is named."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from unimo.conversion.fluid import (
    FluidCheckpoint,
    read_fluid_folder,
    read_variable,
    write_fluid_folder,
    write_variable,
)
from unimo.errors import InputError

FP32, INT64 = b"\x08\x05", b"\x08\x03"


def variable(description: bytes, data: bytes = b"", versions: tuple[int, int, int] = (0, 0, 0)) -> bytes:
    version, levels, tensor_version = versions
    return struct.pack("<IQIi", version, levels, tensor_version, len(description)) + description + data


def test_arrays_come_back(tmp_path: Path) -> None:
    for value in (np.arange(600, dtype=np.float32).reshape(200, 3), np.asarray([-5], np.int64)):
        write_variable(tmp_path / "x", value)
        found = read_variable(tmp_path / "x")
        assert found.dtype == value.dtype and found.flags.writeable
        np.testing.assert_array_equal(found, value)


def test_dimensions_may_be_packed(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(variable(FP32 + b"\x12\x02\x01\x02", b"\0" * 8))
    assert read_variable(tmp_path / "x").shape == (1, 2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "truncated: 0 bytes"),
        (b"\0" * 19, "truncated: 19 bytes"),
        (variable(FP32 + b"\x10\x02", b"\0" * 7), "truncated: 7 bytes of data"),
        (variable(FP32 + b"\x10\x02", b"\0" * 9), "too long: 9 bytes of data"),
        (variable(FP32 + b"\x10\x02", b"\0" * 8, (1, 0, 0)), "versions 1 and 0"),
        (variable(FP32 + b"\x10\x02", b"\0" * 8, (0, 0, 7)), "versions 0 and 7"),
        (variable(FP32 + b"\x10\x02", b"\0" * 8, (0, 2**60, 0)), "LoD levels"),
        (variable(b"")[:-4] + struct.pack("<i", -1), "a description of -1 bytes"),
        (variable(b"")[:-4] + struct.pack("<i", 2**31 - 1), "a description of 2147483647 bytes"),
        (variable(FP32, b"\0" * 4), "0 dimensions"),
        (variable(FP32 + b"\x10\x01" * 10, b"\0" * 4), "10 dimensions"),
        (variable(FP32 + b"\x10\x00"), "impossible shape"),
        (variable(FP32 + b"\x10" + b"\xff" * 9 + b"\x01"), r"impossible shape \[-1\]"),
        (variable(FP32 + b"\x10" + b"\xff" * 9 + b"\x7f"), "more than 64 bits"),
        (variable(FP32 + (b"\x10" + b"\xff" * 8 + b"\x7f") * 3, b"\0" * 4), "truncated: 4 bytes of data"),
        (variable(FP32 + b"\x10\x80"), "ends within a number"),
        (variable(FP32 + b"\x12\x09\x01"), "impossible|truncated|dimensions"),
        (variable(b"\x10\x01", b"\0" * 4), "no data type"),
        (variable(b"\x08\x06\x10\x01", b"\0" * 8), "data type FP64"),
        (variable(b"\x08\x63\x10\x01", b"\0" * 8), "data type 99"),
        (variable(b"\x1a\x01\x00"), "field 0x1a"),
    ],
)
def test_damage_names_the_file(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "word_embedding"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_variable(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["fluid_ckpt", "ckpt_classification_after5"])
def test_a_released_folder_is_written_back_byte_for_byte(goldens: Path, tmp_path: Path, name: str) -> None:
    source = goldens / "model_a" / name
    checkpoint = read_fluid_folder(source)
    write_fluid_folder(checkpoint, tmp_path / "again")
    files = {path.name for path in source.iterdir()} - set(checkpoint.ignored)
    assert {path.name for path in (tmp_path / "again").iterdir()} == files
    for file in files:
        assert (tmp_path / "again" / file).read_bytes() == (source / file).read_bytes()


def test_released_parameters(goldens: Path) -> None:
    parameters = read_fluid_folder(goldens / "model_a" / "fluid_ckpt").parameters
    expected = np.load(goldens / "model_a" / "params.npz")
    assert set(parameters) == set(expected.files)
    for name in expected.files:
        np.testing.assert_array_equal(parameters[name], expected[name])


def test_optimizer_state(goldens: Path) -> None:
    checkpoint = read_fluid_folder(goldens / "model_a" / "ckpt_classification_after5")
    assert checkpoint.step == 5 and checkpoint.ignored == ("scheduled_learning_rate",)
    for part in checkpoint.optimizer_parts:
        assert set(part) == set(checkpoint.parameters)
    # the power of the next update: beta1 0.9, beta2 0.98, five updates done
    assert checkpoint.beta1_powers["word_embedding"][0] == pytest.approx(0.9**6)
    assert checkpoint.beta2_powers["word_embedding"][0] == pytest.approx(0.98**6)


def write_folder(folder: Path, **arrays: np.ndarray) -> Path:
    folder.mkdir()
    for name, value in arrays.items():
        write_variable(folder / name, value)
    return folder


def test_bad_folders(tmp_path: Path) -> None:
    floats, counter = np.zeros(3, np.float32), "@LR_DECAY_COUNTER@"
    (tmp_path / "empty").mkdir()
    cases = {
        "absent": (tmp_path / "absent", "absent: no such folder"),
        "empty": (tmp_path / "empty", "empty: no parameters"),
        "int": (write_folder(tmp_path / "int", x=np.zeros(3, np.int64)), "int/x: holds int64"),
        "orphan": (write_folder(tmp_path / "orphan", y=floats, x_moment1_0=floats), "x_moment1_0: optimizer state"),
        "shape": (write_folder(tmp_path / "shape", x=floats, x_moment2_0=floats[:2]), r"shape \(2,\), expected \(3,\)"),
        "power": (write_folder(tmp_path / "power", x=floats, x_beta1_pow_acc_0=floats), r"expected \(1,\)"),
        "step": (write_folder(tmp_path / "step", x=floats, **{counter: floats}), f"{counter}: the step counter"),
    }
    (write_folder(tmp_path / "nested", x=floats) / "more").mkdir()
    cases["nested"] = (tmp_path / "nested", "nested/more: a folder; expected one file a variable")
    for folder, message in cases.values():
        with pytest.raises(InputError, match=message):
            read_fluid_folder(folder)
    assert set(read_fluid_folder(tmp_path / "nested", lambda name: name == "more").parameters) == {"x"}


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    for parameters in ({"../x": np.zeros(1, np.float32)}, {"x": np.zeros(1, np.float64)}):
        with pytest.raises(ValueError, match="x"):
            write_fluid_folder(FluidCheckpoint(parameters), tmp_path / "out")
        assert list(tmp_path.iterdir()) == []
