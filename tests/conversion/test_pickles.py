"""Pickled weights: what Paddle and torch write is read; a pickle that names anything else is refused, unexecuted."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conversion.torch_format import Tensor, write_torch_legacy, write_torch_zip
from unimo.conversion.fluid import read_variable, write_variable
from unimo.conversion.pickles import read_paddle_arrays
from unimo.conversion.torch_files import read_torch_arrays
from unimo.errors import InputError

ARRAYS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.asarray([7, -8], np.int64)}


class Hostile:
    """Runs a command when it is unpickled by Python's own unpickler."""

    def __init__(self, call: Callable[..., Any], *arguments: Any) -> None:
        self.call, self.arguments = call, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.call, self.arguments


def assert_same(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert found[name].dtype == value.dtype
        np.testing.assert_array_equal(found[name], value)


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_what_paddle_saves(tmp_path: Path, protocol: int) -> None:
    import paddle

    layer = paddle.nn.Linear(2, 3)
    path = tmp_path / "x.pdparams"
    paddle.save(layer.state_dict(), str(path), protocol=protocol)
    assert_same(read_paddle_arrays(path), {name: value.numpy() for name, value in layer.state_dict().items()})
    # no state dict for Paddle, which then writes (name, array)
    paddle.save({"x": layer.weight, "y": [1]}, str(path), protocol=protocol)
    with pytest.raises(InputError, match="entry 'y' is no array"):
        read_paddle_arrays(path)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_pickled_arrays_of_any_layout(tmp_path: Path, protocol: int) -> None:
    arrays = {**ARRAYS, "f": np.asfortranarray(ARRAYS["a"]), "empty": np.zeros((0, 3), np.float32)}
    path = tmp_path / "x.pdparams"
    path.write_bytes(pickle.dumps(arrays, protocol))
    assert_same(read_paddle_arrays(path), arrays)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (Hostile(os.system, "touch ran"), "names posix.system"),
        (Hostile(eval, "open('ran', 'w')"), "names builtins.eval"),
        (Hostile(getattr, "", "join"), "names builtins.getattr"),
        (Hostile(bytearray, 10**12), "names builtins.bytearray"),
        (np.float64(1), "multiarray.scalar"),
        (np.asarray([{}], dtype=object), "array of type 'O8'"),
        (np.zeros(2, [("x", "f4")]), "array of type 'V4'"),
        (np.zeros(2, ">f4"), "big-endian"),
        (Hostile(tuple, range(3)), "names builtins.range"),
    ],
)
def test_everything_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: Any, message: str) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "x.pdparams"
    path.write_bytes(pickle.dumps({"a": value}, 4))
    with pytest.raises(InputError, match=message) as caught:
        read_paddle_arrays(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)
    assert [each.name for each in tmp_path.iterdir()] == ["x.pdparams"]


def reconstructed(state: bytes) -> bytes:
    """numpy's _reconstruct, and BUILD with a pickled state."""
    start = b"}X\x01\x00\x00\x00acnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntC\x01btR"
    return b"\x80\x03" + start + state + b"bs."


FLOAT = b"cnumpy\ndtype\n(X\x02\x00\x00\x00f4I00\nI01\ntR"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "EOFError|not enough|exhausted"),
        (b"junk", "not a readable pickle"),
        (pickle.dumps([1]), "holds list"),
        (pickle.dumps({"a": 1}), "entry 'a' is no array"),
        (pickle.dumps({"a": ARRAYS["a"]})[:-20], "not a readable pickle"),
        (b"\x80\x03r\xff\xff\xff\xff.", "memo index"),
        (b"\x80\x04\x96\x00\x00\x00\x00\xff\x00\x00\x00.", "not a readable pickle"),
        (b"\x80\x03X\x01\x00\x00\x00aQ.", "persistent object"),
        (
            reconstructed(b"(I1\n(I999999999999\nt" + FLOAT + b"I00\nC\x04abcdt"),
            "4 bytes for an array of 3999999999996",
        ),
        (reconstructed(b"(I1\n(I-1\nt" + FLOAT + b"I00\nC\x04abcdt"), "impossible shape"),
        (reconstructed(b"(I1\n(I1\ntI3\nI00\nC\x04abcdt"), "array of objects"),
        (b"\x80\x03ccollections\nOrderedDict\nX\x01\x00\x00\x00ab.", "state for Admitted"),
    ],
)
def test_damaged_or_crafted(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "x.pdparams"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_paddle_arrays(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_no_file(tmp_path: Path) -> None:
    for read in (read_paddle_arrays, read_torch_arrays):
        with pytest.raises(InputError, match="no such file"):
            read(tmp_path / "x")


@pytest.mark.parametrize("write", [write_torch_zip, write_torch_legacy])
def test_what_torch_saves(tmp_path: Path, write: Callable[[Path, dict[str, Tensor]], None]) -> None:
    tied = ARRAYS["a"].reshape(-1).copy()
    state = {name: Tensor.of(value) for name, value in ARRAYS.items()}
    state["tied"] = Tensor(tied, 0, (2, 3), (3, 1))
    state["transposed"] = Tensor(tied, 0, (3, 2), (1, 3))
    state["part"] = Tensor(tied, 2, (2,), (2,))
    state["brain"] = Tensor.of(np.asarray([0x3F80, 0xC000], np.uint16))
    write(tmp_path / "x.bin", state)
    expected = ARRAYS | {"tied": ARRAYS["a"], "transposed": ARRAYS["a"].T, "part": np.asarray([2, 4], np.float32)}
    assert_same(read_torch_arrays(tmp_path / "x.bin"), expected | {"brain": np.asarray([1, -2], np.float32)})


@pytest.mark.parametrize("write", [write_torch_zip, write_torch_legacy])
@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (Tensor(np.zeros(6, np.float32), 0, (7,), (1,)), "w: shape"),
        (Tensor(np.zeros(6, np.float32), 5, (2,), (1,)), "w: shape"),
        (Tensor(np.zeros(6, np.float32), 0, (10**12,), (0,)), "w: shape"),
        (Tensor(np.zeros(6, np.float32), -1, (2,), (1,)), "impossible shape"),
        (Tensor(np.zeros(6, np.float32), 0, (2, 2), (1,)), "impossible strides"),
        (Tensor("x", 0, (1,), (1,)), "tensor without a storage"),  # type: ignore[arg-type]
        (Hostile(os.system, "touch ran"), "names posix.system"),
        (3, "entry 'w' is no tensor"),
    ],
)
def test_torch_tensors_that_do_not_fit(tmp_path: Path, write: Callable[..., None], tensor: Any, message: str) -> None:
    path = tmp_path / "x.bin"
    write(path, {"w": tensor})
    with pytest.raises(InputError, match=message) as caught:
        read_torch_arrays(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_archives_that_are_refused(tmp_path: Path) -> None:
    def refused(message: str) -> None:
        with pytest.raises(InputError, match=message):
            read_torch_arrays(path)

    path, state = tmp_path / "x.bin", {"w": Tensor.of(ARRAYS["a"])}
    for name in ("../x", "archive/../../x", "/etc/x", "..\\x", "c:/x"):
        write_torch_zip(path, state, {name: b"x"})
        refused("leads outside")
    write_torch_zip(path, state, {"other/data.pkl": b"x"})
    refused("not one that torch.save wrote")
    write_torch_zip(path, state)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    refused("damaged zip archive")
    path.write_bytes(content.replace(ARRAYS["a"].tobytes(), ARRAYS["a"][::-1].tobytes()))
    refused("damaged zip archive")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({}))
    refused("is compressed")
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", source.read("archive/data.pkl"))
    refused("its storage '0' is not in the file")


def test_torch_legacy_damage(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    write_torch_legacy(path, {"w": Tensor.of(ARRAYS["a"])})
    content = path.read_bytes()
    for damaged, message in (
        (content[:-1], "truncated: storage '0' of 24 bytes"),
        (pickle.dumps({"w": 1}), "not a file that torch.save wrote"),
        (content[:40], "not a readable pickle"),
    ):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=message):
            read_torch_arrays(path)


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """A few bytes changed, some repeated, or the end cut off."""
    damaged = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        place, kind = int(rng.integers(len(damaged))), rng.random()
        if kind < 0.7:
            damaged[place] = int(rng.integers(256))
        elif kind < 0.9:
            start = int(rng.integers(len(damaged)))
            damaged[place:place] = damaged[start : start + 20]
        elif place:
            del damaged[place:]
    return bytes(damaged)


@pytest.mark.parametrize("kind", ["fluid", "paddle", "zip", "legacy"])
def test_damage_anywhere_is_an_input_error_or_other_numbers(tmp_path: Path, kind: str) -> None:
    path, state = tmp_path / "x", {name: Tensor.of(value) for name, value in ARRAYS.items()}
    read = {"fluid": read_variable, "paddle": read_paddle_arrays}.get(kind, read_torch_arrays)
    if kind == "fluid":
        write_variable(path, ARRAYS["a"])
    elif kind == "paddle":
        path.write_bytes(pickle.dumps(ARRAYS, 4))
    else:
        (write_torch_zip if kind == "zip" else write_torch_legacy)(path, state)
    content, rng, refused = path.read_bytes(), np.random.default_rng(0), 0
    for _ in range(300):
        path.write_bytes(mutated(content, rng))
        try:
            read(path)
        except InputError as error:
            refused += str(error).startswith(f"{path}: ")
    assert 150 < refused <= 300
