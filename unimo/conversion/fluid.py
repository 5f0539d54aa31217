"""Variables of the original program on disk: a folder with one binary file a variable (ORIGINAL section 10).

A file, little endian: uint32 version 0, uint64 number of LoD levels 0, uint32 tensor version 0, int32 n, n bytes of a
protobuf TensorDesc (field 1 the data type, field 2 one dimension each), raw data. Nothing may follow.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from unimo.errors import InputError
from unimo.files import atomic_folder

COUNTER_NAME = "@LR_DECAY_COUNTER@"
"""int64 [1]: updates done."""

IGNORED_NAMES = (
    "scheduled_learning_rate",
    "duplicated_trigram_blocking_delta_score_out",
    "duplicated_trigram_blocking_id2is_full_token",
)
"""Variables that are no parameters: the last learning rate, and two tables of the decoding programs (ORIGINAL Q23)."""

OPTIMIZER_SUFFIXES = ("_moment1_0", "_moment2_0", "_beta1_pow_acc_0", "_beta2_pow_acc_0")
"""What a training program keeps beside each parameter: first and second moment, powers of beta1 and beta2."""

MAX_DIMENSIONS = 9
"""Most dimensions of a tensor in Paddle."""

_HEADER = struct.Struct("<IQIi")
_DATA_TYPES = {0: "BOOL", 1: "INT16", 2: "INT32", 3: "INT64", 4: "FP16", 5: "FP32", 6: "FP64"}
_NUMPY_TYPES: dict[int, np.dtype[Any]] = {3: np.dtype("<i8"), 5: np.dtype("<f4")}
_TYPE_FIELD, _DIMENSION_FIELD, _PACKED_DIMENSIONS_FIELD = 0x08, 0x10, 0x12


@dataclass(frozen=True)
class FluidCheckpoint:
    """The variables of a folder by what they are; every mapping is keyed by the original parameter's name."""

    parameters: Mapping[str, np.ndarray]
    """float32 arrays."""

    moment1: Mapping[str, np.ndarray] = field(default_factory=dict)
    """First moments of Adam, each of its parameter's shape; empty without optimizer state."""

    moment2: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Second moments of Adam."""

    beta1_powers: Mapping[str, np.ndarray] = field(default_factory=dict)
    """float32 [1] each: beta1 to the power of updates done + 1."""

    beta2_powers: Mapping[str, np.ndarray] = field(default_factory=dict)
    """float32 [1] each: beta2 to the power of updates done + 1."""

    step: int | None = None
    """Updates done; None where the folder has no counter."""

    ignored: tuple[str, ...] = ()
    """Files that were not read: they hold no parameter (``IGNORED_NAMES``), or were skipped."""

    @property
    def optimizer_parts(self) -> tuple[Mapping[str, np.ndarray], ...]:
        """In the order of ``OPTIMIZER_SUFFIXES``."""
        return self.moment1, self.moment2, self.beta1_powers, self.beta2_powers


def is_optimizer_name(name: str) -> bool:
    """Whether a variable's file belongs to the optimizer's state."""
    return name == COUNTER_NAME or name.endswith(OPTIMIZER_SUFFIXES)


def read_variable(path: str | Path) -> np.ndarray:
    """The array of one variable file, float32 or int64.

    Nothing is allocated on the word of the header: what it declares is compared with the size of the file.

    Raises:
        InputError: the file is missing, truncated, too long, or not of this format; the message names it.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError.at(path, "no such file")
    content = path.read_bytes()

    def fail(message: str) -> NoReturn:
        raise InputError.at(path, message)

    if len(content) < _HEADER.size:
        fail(f"truncated: {len(content)} bytes, a fluid variable has at least {_HEADER.size}")
    version, num_levels, tensor_version, length = _HEADER.unpack_from(content)
    if version or tensor_version:
        fail(f"not a fluid variable: versions {version} and {tensor_version}, expected 0 and 0")
    if num_levels:
        fail(f"has {num_levels} LoD levels: a parameter has none")
    start = _HEADER.size + length
    if length < 0 or start > len(content):
        fail(f"truncated: a description of {length} bytes in a file of {len(content)}")
    data_type, shape = _parse_description(content[_HEADER.size : start], fail)
    wanted, found = math.prod(shape) * data_type.itemsize, len(content) - start
    if wanted != found:
        what = "truncated" if found < wanted else "too long"
        fail(f"{what}: {found} bytes of data, shape {shape} of {data_type.name} needs {wanted}")
    return np.frombuffer(content, data_type, offset=start).reshape(shape).copy()


def write_variable(path: str | Path, value: np.ndarray) -> None:
    """Write an array, float32 or int64, as the original program would.

    Raises:
        ValueError: another type, or no dimensions.
    """
    numbers = {dtype: number for number, dtype in _NUMPY_TYPES.items()}
    if value.dtype not in numbers or not value.ndim:
        raise ValueError(f"{path}: {value.dtype} with shape {value.shape}; fluid variables are float32 or int64 arrays")
    description = bytes([_TYPE_FIELD, numbers[value.dtype]])
    description += b"".join(bytes([_DIMENSION_FIELD]) + _varint(size) for size in value.shape)
    with open(path, "wb") as stream:
        stream.write(_HEADER.pack(0, 0, 0, len(description)) + description)
        stream.write(np.ascontiguousarray(value, value.dtype.newbyteorder("<")).tobytes())


def read_fluid_folder(folder: str | Path, skip: Callable[[str], bool] = lambda name: False) -> FluidCheckpoint:
    """Every variable of a released checkpoint folder, with or without optimizer state.

    Args:
        folder: one file a variable, nothing else.
        skip: names for which this is true are not read.

    Raises:
        InputError: the folder is missing or empty, holds another folder, a file is damaged, a parameter is not float32,
            or an optimizer variable does not fit its parameter; the message names the file.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError.at(folder, "no such folder")
    parts: dict[str, dict[str, np.ndarray]] = {suffix: {} for suffix in ("", *OPTIMIZER_SUFFIXES)}
    step, ignored = None, []
    for path in sorted(folder.iterdir()):
        if path.name in IGNORED_NAMES or skip(path.name):
            ignored.append(path.name)
        elif path.is_dir():
            raise InputError.at(path, "a folder; expected one file a variable")
        elif path.name == COUNTER_NAME:
            step = _read_counter(path)
        else:
            stem, suffix = _split_name(path.name)
            parts[suffix][stem] = _read_floats(path)
    parameters, moment1, moment2, beta1_powers, beta2_powers = parts.values()
    checkpoint = FluidCheckpoint(parameters, moment1, moment2, beta1_powers, beta2_powers, step, tuple(ignored))
    if not checkpoint.parameters:
        raise InputError.at(folder, "no parameters in this folder")
    for suffix, stem, value in _optimizer_variables(checkpoint):
        parameter, path = checkpoint.parameters.get(stem), folder / (stem + suffix)
        if parameter is None:
            raise InputError.at(path, f"optimizer state of a parameter that is not there ({stem})")
        shape = parameter.shape if "moment" in suffix else (1,)
        if value.shape != shape:
            raise InputError.at(path, f"shape {value.shape}, expected {shape}")
    return checkpoint


def write_fluid_folder(checkpoint: FluidCheckpoint, folder: str | Path) -> None:
    """The inverse of ``read_fluid_folder`` (ignored variables are not written); the folder appears whole.

    Raises:
        ValueError: a name that is no file name, or an array of another type.
    """
    with atomic_folder(folder) as temporary:
        for suffix, stem, value in (*_variables("", checkpoint.parameters), *_optimizer_variables(checkpoint)):
            if not stem or "/" in stem or stem.startswith("."):
                raise ValueError(f"{stem!r} cannot be the name of a variable's file")
            write_variable(temporary / (stem + suffix), value)
        if checkpoint.step is not None:
            write_variable(temporary / COUNTER_NAME, np.asarray([checkpoint.step], np.int64))


def _parse_description(description: bytes, fail: Callable[[str], NoReturn]) -> tuple[np.dtype, tuple[int, ...]]:
    """Type and shape of a protobuf TensorDesc."""
    types: list[int] = []
    shape: list[int] = []
    position = 0
    while position < len(description):
        key, position = description[position], position + 1
        if key not in (_TYPE_FIELD, _DIMENSION_FIELD, _PACKED_DIMENSIONS_FIELD):
            fail(f"not a fluid variable: field {key:#x} in its description")
        number, position = _read_varint(description, position, fail)
        if key == _PACKED_DIMENSIONS_FIELD:
            end = position + number
            while position < end:
                size, position = _read_varint(description[:end], position, fail)
                shape.append(size)
        else:
            (types if key == _TYPE_FIELD else shape).append(number)
    if len(types) != 1:
        fail("not a fluid variable: its description has no data type" if not types else "two data types")
    if types[0] not in _NUMPY_TYPES:
        fail(f"data type {_DATA_TYPES.get(types[0], types[0])}, expected FP32 or INT64")
    if not 1 <= len(shape) <= MAX_DIMENSIONS:
        fail(f"{len(shape)} dimensions, expected 1 to {MAX_DIMENSIONS}")
    if any(not 0 < size < 2**63 for size in shape):
        signed = [size - 2**64 if size >= 2**63 else size for size in shape]
        fail(f"impossible shape {signed}")
    return _NUMPY_TYPES[types[0]], tuple(shape)


def _read_varint(content: bytes, position: int, fail: Callable[[str], NoReturn]) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(content):
            fail("truncated: its description ends within a number")
        byte, position = content[position], position + 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >= 2**64:
                break
            return value, position
    fail("not a fluid variable: a number of more than 64 bits in its description")


def _varint(number: int) -> bytes:
    content = bytearray()
    while number >= 0x80:
        content.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*content, number])


def _split_name(name: str) -> tuple[str, str]:
    for suffix in OPTIMIZER_SUFFIXES:
        if name.endswith(suffix):
            return name.removesuffix(suffix), suffix
    return name, ""


def _read_floats(path: Path) -> np.ndarray:
    value = read_variable(path)
    if value.dtype != np.float32:
        raise InputError.at(path, f"holds {value.dtype}, a parameter is float32")
    return value


def _read_counter(path: Path) -> int:
    value = read_variable(path)
    if value.dtype != np.int64 or value.shape != (1,) or value[0] < 0:
        raise InputError.at(path, "the step counter is one int64 that is not negative")
    return int(value[0])


def _optimizer_variables(checkpoint: FluidCheckpoint) -> Iterator[tuple[str, str, np.ndarray]]:
    for suffix, values in zip(OPTIMIZER_SUFFIXES, checkpoint.optimizer_parts, strict=True):
        yield from _variables(suffix, values)


def _variables(suffix: str, values: Mapping[str, np.ndarray]) -> Iterator[tuple[str, str, np.ndarray]]:
    for stem, value in values.items():
        yield suffix, stem, value
