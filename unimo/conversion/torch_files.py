"""Weights that torch.save wrote (`.bin`, `.pt`), in both of its formats, without torch."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from unimo.conversion.pickles import (
    CONTAINERS,
    STORAGE,
    Admitted,
    Marker,
    Placeholder,
    load_pickle,
    num_elements,
    read_file,
)
from unimo.errors import InputError

_TORCH_MAGIC = 0x1950A86A20F9469CFC6C
_TORCH_PROTOCOL = 1001
_BFLOAT16 = "bfloat16"
_TORCH_TYPES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "BFloat16Storage": _BFLOAT16,
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "|i1",
    "ByteStorage": "|u1",
    "BoolStorage": "|b1",
}


def read_torch_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """Arrays of a file that torch.save wrote from a state dict, by its keys; both of torch's formats.

    They cannot be written to; tensors of one storage share its memory. bfloat16 becomes float32.

    Raises:
        InputError: the file is missing, damaged, no state dict, or names anything but tensors and containers.
    """
    path = Path(path)
    content = read_file(path)
    is_zip = content[:4] == b"PK\x03\x04"
    loaded, contents = _load_torch_zip(path, content) if is_zip else _load_torch_legacy(path, content)
    if not isinstance(loaded, dict):
        raise InputError.at(path, f"holds {type(loaded).__name__}, expected a state dict")
    arrays: dict[str, np.ndarray] = {}
    storages: dict[tuple[str, str], np.ndarray] = {}
    for name, value in loaded.items():
        if not isinstance(name, str) or not isinstance(value, _Tensor):
            raise InputError.at(path, f"entry {name!r} is no tensor")
        place = (value.storage.key, value.storage.kind)
        if place[0] not in contents:
            raise InputError.at(path, f"{name}: its storage {place[0]!r} is not in the file")
        try:
            if place not in storages:
                storages[place] = _numbers(contents[place[0]], _TORCH_TYPES[place[1]])
            arrays[name] = value.view(storages[place])
        except ValueError as error:
            raise InputError.at(path, f"{name}: {error}") from error
    return arrays


class _Storage(Placeholder):
    __slots__ = ("key", "kind")

    def __init__(self, kind: Any, key: Any, device: Any, size: Any, view: Any = None) -> None:
        if not isinstance(kind, Marker) or view is not None:
            raise ValueError("storage of an unknown kind")
        self.key, self.kind = str(key), kind.name


class _Tensor(Placeholder):
    """A view into a storage whose numbers are read later."""

    __slots__ = ("offset", "shape", "storage", "strides")

    def __init__(self, storage: Any, offset: Any, shape: Any, strides: Any, *others: Any) -> None:
        if not isinstance(storage, _Storage) or num_elements((offset,)) < 0 or num_elements(strides) < 0:
            raise ValueError("tensor without a storage")
        if num_elements(shape) < 0 or len(shape) != len(strides):
            raise ValueError("impossible strides")
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides

    def view(self, flat: np.ndarray) -> np.ndarray:
        """The tensor's numbers among those of its storage.

        Raises:
            ValueError: it does not fit into the storage.
        """
        size = num_elements(self.shape)
        last = self.offset + sum((length - 1) * stride for length, stride in zip(self.shape, self.strides, strict=True))
        if size > len(flat) or (size and last >= len(flat)):
            raise ValueError(f"shape {self.shape} does not fit into its storage of {len(flat)} numbers")
        strides = [stride * flat.itemsize for stride in self.strides]
        start = flat[self.offset :] if size else flat[:0]
        return np.lib.stride_tricks.as_strided(start, self.shape, strides, writeable=False)


def _numbers(content: bytes, dtype: str) -> np.ndarray:
    if dtype != _BFLOAT16:
        return np.frombuffer(content, dtype)
    return (np.frombuffer(content, "<u2").astype(np.uint32) << 16).view(np.float32)


_TORCH_CLASSES: dict[str, Placeholder] = CONTAINERS | {
    "torch._utils._rebuild_tensor_v2": Admitted(_Tensor),
    "torch._utils._rebuild_parameter": Admitted(lambda data, *others: data),
    STORAGE: Admitted(_Storage),
    **{f"torch.{name}": Marker(name) for name in _TORCH_TYPES},
}


def _load_torch_zip(path: Path, content: bytes) -> tuple[Any, dict[str, bytes]]:
    """The object of torch's zip format (1.6 on), and its storages by key."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            _check_members(path, members, len(content))
            found = [member.filename for member in members if member.filename.endswith("/data.pkl")]
            if len(found) != 1:
                raise InputError.at(path, "a zip archive, but not one that torch.save wrote (no data.pkl)")
            root = found[0].removesuffix("data.pkl")
            loaded = load_pickle(path, io.BytesIO(archive.read(found[0])), _TORCH_CLASSES)
            prefix = f"{root}data/"
            names = [member.filename for member in members if member.filename.startswith(prefix)]
            order = f"{root}byteorder"
            if order in archive.namelist() and archive.read(order) != b"little":
                raise InputError.at(path, "was written on a big-endian machine")
            return loaded, {name.removeprefix(prefix): archive.read(name) for name in names}
    except InputError:
        raise
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError, LookupError) as error:
        raise InputError.at(path, f"damaged zip archive ({error})") from error


def _check_members(path: Path, members: list[zipfile.ZipInfo], size: int) -> None:
    """Refuse names that lead outside, and an archive that unpacks to more than itself."""
    for member in members:
        parts = member.filename.replace("\\", "/").split("/")
        if member.filename.startswith(("/", "\\")) or ".." in parts or ":" in parts[0]:
            raise InputError.at(path, f"its member {member.filename!r} leads outside; refused")
        if member.compress_type != zipfile.ZIP_STORED:
            raise InputError.at(path, f"its member {member.filename!r} is compressed; torch.save stores")
    if sum(member.file_size for member in members) > size:
        raise InputError.at(path, "its members overlap; refused")


def _load_torch_legacy(path: Path, content: bytes) -> tuple[Any, dict[str, bytes]]:
    """The object of torch's older format: five pickles, then each storage as its length and its numbers."""
    stream = io.BytesIO(content)
    if load_pickle(path, stream, {}) != _TORCH_MAGIC or load_pickle(path, stream, {}) != _TORCH_PROTOCOL:
        raise InputError.at(path, "not a file that torch.save wrote")
    system = load_pickle(path, stream, {})
    if not isinstance(system, dict) or not system.get("little_endian", True):
        raise InputError.at(path, "was written on a big-endian machine")
    loaded = load_pickle(path, stream, _TORCH_CLASSES)
    keys = load_pickle(path, stream, {})
    if not isinstance(loaded, dict) or not isinstance(keys, list):
        raise InputError.at(path, "holds no state dict")
    kinds = {value.storage.key: value.storage.kind for value in loaded.values() if isinstance(value, _Tensor)}
    contents = {}
    for key in map(str, keys):
        kind = _TORCH_TYPES.get(kinds.get(key, ""))
        if kind is None:
            raise InputError.at(path, f"storage {key!r} belongs to no tensor")
        width = 2 if kind == _BFLOAT16 else np.dtype(kind).itemsize
        length = int.from_bytes(stream.read(8), "little", signed=True) * width
        if not 0 <= length <= len(content) - stream.tell():
            raise InputError.at(path, f"truncated: storage {key!r} of {length} bytes")
        contents[key] = stream.read(length)
    return loaded, contents
