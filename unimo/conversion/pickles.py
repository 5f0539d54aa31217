"""Pickled weights, read without running what the pickle says; Paddle's `.pdparams`.

A pickle is a program that may call anything. Here it may call nothing but placeholders for arrays and plain
containers; whatever else it names is refused, with its name.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from unimo.errors import InputError

PADDLE_NAME_TABLE = "StructuredToParameterName@@"
"""Entry that paddle.save adds to a state dict: its keys -> the parameters' own names."""

_FAULTS = (
    pickle.UnpicklingError,
    EOFError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    OverflowError,
    MemoryError,
)
"""What a damaged or hostile pickle makes the unpickler raise."""

STORAGE = "torch storage"
"""Key of what stands for torch's persistent objects among the classes of ``load_pickle``."""

_NUMPY_TYPES = frozenset({"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "b1"})


def read_paddle_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """Arrays of a file that paddle.save wrote from a state dict, by its keys; they cannot be written to.

    Raises:
        InputError: the file is missing, damaged, no state dict, or names anything but arrays and containers.
    """
    path = Path(path)
    content = read_file(path)
    loaded = load_pickle(path, io.BytesIO(content), _NUMPY_CLASSES)
    if not isinstance(loaded, dict):
        raise InputError.at(path, f"holds {type(loaded).__name__}, expected a state dict")
    arrays = {}
    for name, value in loaded.items():
        if name == PADDLE_NAME_TABLE:
            continue
        if isinstance(value, tuple) and len(value) == 2:  # (own name, array), as paddle.save writes nested tensors
            value = value[1]
        if not isinstance(name, str) or not isinstance(value, _Array) or value.array is None:
            raise InputError.at(path, f"entry {name!r} is no array")
        arrays[name] = value.array
    return arrays


class Placeholder:
    """Stands for something that a pickle names.

    A pickle cannot change one by BUILD. None copies numbers, so that naming the same bytes a thousand times costs
    nothing.
    """

    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        raise ValueError(f"state for {type(self).__name__}")


class Admitted(Placeholder):
    """A name that may be called, by our own function."""

    __slots__ = ("call",)

    def __init__(self, call: Callable[..., Any]) -> None:
        self.call = call

    def __call__(self, *arguments: Any) -> Any:
        """What stands for the pickle's call."""
        return self.call(*arguments)


class Marker(Placeholder):
    """A name that may only be handed on."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


class _Dtype(Placeholder):
    __slots__ = ("dtype",)

    def __init__(self, text: Any, align: Any = False, copy: Any = False) -> None:
        if text not in _NUMPY_TYPES:
            raise ValueError(f"array of type {text!r}")
        self.dtype = np.dtype("<" + text)

    def __setstate__(self, state: Any) -> None:
        if state[1] not in ("<", "|") or any(state[2:5]):
            raise ValueError("array that is big-endian or has fields")


class _Array(Placeholder):
    __slots__ = ("array",)

    def __init__(self, *arguments: Any) -> None:
        # the arguments of numpy's _reconstruct (subclass, shape, type) say nothing: the state holds it all
        self.array: np.ndarray | None = None

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, is_fortran, data = state
        self.fill(shape, dtype, "F" if is_fortran else "C", data)

    def fill(self, shape: Any, dtype: Any, order: Any, data: Any) -> None:
        if not isinstance(dtype, _Dtype) or not isinstance(data, bytes | bytearray):
            raise ValueError("array of objects")
        wanted = num_elements(shape) * dtype.dtype.itemsize
        if wanted != len(data):
            raise ValueError(f"{len(data)} bytes for an array of {wanted}")
        array = np.frombuffer(data, dtype.dtype).reshape(shape, order=order)
        array.flags.writeable = False
        self.array = array


def num_elements(shape: Any) -> int:
    """Product of a tuple of sizes.

    Raises:
        ValueError: not a tuple of numbers that are not negative.
    """
    if not isinstance(shape, tuple) or not all(type(size) is int and size >= 0 for size in shape):
        raise ValueError("impossible shape")
    return math.prod(shape)


def _frombuffer(data: Any, dtype: Any, shape: Any, order: Any) -> _Array:
    array = _Array()
    array.fill(shape, dtype, order, data)
    return array


def _tuple(value: Any) -> tuple[Any, ...]:
    if not isinstance(value, tuple):
        raise ValueError(f"tuple of {type(value).__name__}")
    return value


def _empty_bytes() -> bytes:
    """How protocol 2 spells no bytes."""
    return b""


class _Dict(dict[Any, Any]):
    """An OrderedDict without the attributes that torch hangs on it (`_metadata`)."""

    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        pass


CONTAINERS: dict[str, Placeholder] = {
    "collections.OrderedDict": Admitted(_Dict),
    "builtins.tuple": Admitted(_tuple),
    "__builtin__.tuple": Admitted(_tuple),
    "__builtin__.bytes": Admitted(_empty_bytes),
}
_NUMPY_CLASSES: dict[str, Placeholder] = CONTAINERS | {
    "numpy.ndarray": Marker("ndarray"),
    "numpy.dtype": Admitted(_Dtype),
    "numpy.core.multiarray._reconstruct": Admitted(_Array),
    "numpy._core.multiarray._reconstruct": Admitted(_Array),
    "numpy.core.numeric._frombuffer": Admitted(_frombuffer),
    "numpy._core.numeric._frombuffer": Admitted(_frombuffer),
}


class _Unpickler(pickle.Unpickler):
    def __init__(self, path: Path, stream: io.BytesIO, classes: Mapping[str, Placeholder]) -> None:
        super().__init__(stream)
        self._path, self._classes = path, classes
        self._encodable = len(stream.getbuffer())

    def find_class(self, module: str, name: str) -> Any:
        """The placeholder for a name, or a refusal."""
        full = f"{module}.{name}"
        if full == "_codecs.encode":
            return Admitted(self._encode)
        if full not in self._classes:
            raise InputError.at(self._path, f"names {full}, which is neither an array nor a plain container; refused")
        return self._classes[full]

    def persistent_load(self, identifier: Any) -> Any:
        """An object that lies outside the pickle: only torch has those, its storages."""
        if STORAGE not in self._classes:
            raise ValueError("persistent object")
        label, *arguments = identifier
        if label != "storage":
            raise ValueError(f"persistent object {label!r}")
        make = self._classes[STORAGE]
        assert isinstance(make, Admitted)
        return make(*arguments)

    def _encode(self, text: str, encoding: str) -> bytes:
        """How protocol 2 spells bytes; altogether they are no longer than the file."""
        self._encodable -= len(text)
        if encoding != "latin1" or self._encodable < 0:
            raise ValueError(f"{len(text)} bytes in {encoding}")
        return text.encode("latin1")


def read_file(path: Path) -> bytes:
    """The content of a file.

    Raises:
        InputError: it is missing.
    """
    if not path.is_file():
        raise InputError.at(path, "no such file")
    return path.read_bytes()


def load_pickle(path: Path, stream: io.BytesIO, classes: Mapping[str, Placeholder]) -> Any:
    """The next pickle of a stream.

    Args:
        path: the file named in errors.
        stream: left behind the pickle.
        classes: full name -> what stands for it; under ``STORAGE`` what is called for torch's storages.

    Raises:
        InputError: the pickle names anything else, or is damaged.
    """
    start, limit = stream.tell(), len(stream.getbuffer())
    try:
        for opcode, argument, _ in pickletools.genops(stream):
            # the unpickler allocates its memo up to the largest index it is told
            if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and int(argument or 0) > limit:
                raise ValueError(f"memo index {argument}")
        stream.seek(start)
        return _Unpickler(path, stream, classes).load()
    except InputError:
        raise
    except _FAULTS as error:
        raise InputError.at(path, f"not a readable pickle of arrays ({type(error).__name__}: {error})") from error
