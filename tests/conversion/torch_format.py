"""Files as torch.save writes them, without torch: a stand-in module whose names end up in the pickle."""

from __future__ import annotations

import io
import pickle
import struct
import sys
import types
import zipfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

KINDS = {"float32": "FloatStorage", "int64": "LongStorage", "float16": "HalfStorage", "uint16": "BFloat16Storage"}


class Tensor:
    """An array that pickles as torch's tensors do: a view into a storage that lies outside the pickle."""

    def __init__(self, storage: np.ndarray, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> None:
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides

    @classmethod
    def of(cls, value: np.ndarray) -> Tensor:
        flat = np.ascontiguousarray(value)
        return cls(flat.reshape(-1), 0, value.shape, tuple(stride // flat.itemsize for stride in flat.strides))


@contextmanager
def torch_stub() -> Iterator[None]:
    """`torch` and `torch._utils` in sys.modules, with the names that a pickle refers to."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for name in KINDS.values():
        setattr(torch, name, type(name, (), {"__module__": "torch", "__qualname__": name}))

    def _rebuild_tensor_v2() -> None: ...

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2  # type: ignore[attr-defined]
    before = {name: sys.modules.get(name) for name in ("torch", "torch._utils")}
    sys.modules |= {"torch": torch, "torch._utils": utils}
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


class _Pickler(pickle.Pickler):
    def __init__(self, stream: io.BytesIO, legacy: bool) -> None:
        super().__init__(stream, protocol=2)
        self.legacy = legacy
        self.storages: dict[int, np.ndarray] = {}

    def persistent_id(self, value: Any) -> Any:
        if not isinstance(value, np.ndarray):
            return None
        keys = list(self.storages)
        if id(value) not in self.storages:
            self.storages[id(value)] = value
            keys.append(id(value))
        identifier = ("storage", getattr(sys.modules["torch"], KINDS[value.dtype.name]), str(keys.index(id(value))))
        return (*identifier, "cpu", value.size, None) if self.legacy else (*identifier, "cpu", value.size)

    def reducer_override(self, value: Any) -> Any:
        if not isinstance(value, Tensor):
            return NotImplemented
        rebuild = sys.modules["torch._utils"]._rebuild_tensor_v2  # type: ignore[attr-defined]
        return rebuild, (value.storage, value.offset, value.shape, value.strides, False, OrderedDict())


def _pickled(state: Mapping[str, Tensor], legacy: bool) -> tuple[bytes, list[np.ndarray]]:
    stream = io.BytesIO()
    ordered = OrderedDict(state)
    ordered._metadata = OrderedDict(version=1)  # type: ignore[attr-defined]
    with torch_stub():
        pickler = _Pickler(stream, legacy)
        pickler.dump(ordered)
    return stream.getvalue(), list(pickler.storages.values())


def write_torch_zip(path: Path, state: Mapping[str, Tensor], members: Mapping[str, bytes] | None = None) -> None:
    """The format of torch 1.6 and later; ``members``: more of the archive."""
    content, storages = _pickled(state, legacy=False)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", content)
        archive.writestr("archive/byteorder", "little")
        for key, value in enumerate(storages):
            archive.writestr(f"archive/data/{key}", value.tobytes())
        for name, member in (members or {}).items():
            archive.writestr(name, member)


def write_torch_legacy(path: Path, state: Mapping[str, Tensor]) -> None:
    """The format before torch 1.6, as the first RoBERTa files were written."""
    content, storages = _pickled(state, legacy=True)
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    parts = [pickle.dumps(value, 2) for value in (0x1950A86A20F9469CFC6C, 1001, system)]
    parts += [content, pickle.dumps([str(key) for key in range(len(storages))], 2)]
    for value in storages:
        parts += [struct.pack("<q", value.size), value.tobytes()]
    path.write_bytes(b"".join(parts))
