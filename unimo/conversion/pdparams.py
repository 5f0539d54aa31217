"""Our weights as Paddle's users expect them: a `.pdparams` file under our parameter names."""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from unimo.config.architecture import UnimoConfig
from unimo.conversion.converted import Converted, check_all_named, fresh_model, is_named, listed
from unimo.conversion.pickles import read_paddle_arrays
from unimo.conversion.release_names import heads_of
from unimo.errors import InputError
from unimo.files import atomic_write
from unimo.modeling import UnimoModel
from unimo.modeling.heads import HEADS
from unimo.modeling.pretrained import load_arrays


def write_pdparams(model: UnimoModel, path: str | Path) -> None:
    """Write what ``paddle.save(model.state_dict(), path)`` writes; the file appears whole."""
    import paddle

    content = io.BytesIO()
    paddle.save(model.state_dict(), content)
    with atomic_write(path, "wb") as stream:
        stream.write(content.getbuffer())


def from_pdparams(
    path: str | Path,
    config: UnimoConfig,
    allow_missing: Collection[str] = (),
    allow_unused: Collection[str] = (),
    seed: int = 1,
) -> Converted:
    """A `.pdparams` file under our parameter names as a model of ours; its heads are those that it holds.

    Args:
        path: the file.
        config: sizes; a vocabulary or image feature of size 0 takes the file's.
        allow_missing: names, or beginnings of them, that may be absent; theirs stay freshly initialised.
        allow_unused: names, or beginnings of them, that may be left over.
        seed: of what is freshly initialised.

    Raises:
        InputError: the file is missing, damaged or holds anything but arrays; names or shapes do not fit.
    """
    given = read_paddle_arrays(path)
    arrays = {name: _floats(value, name, path) for name, value in given.items() if not is_named(name, allow_unused)}
    heads = {name: size for name, size in heads_of(arrays).items() if name in HEADS}
    model = fresh_model(_fit(config, arrays, path), heads, seed, path)
    wanted = model.state_dict()
    strangers, absent = set(arrays) - set(wanted), set(wanted) - set(arrays)
    check_all_named(strangers, (), path, "parameters without a place in the model", "--allow_unused")
    check_all_named(absent, allow_missing, path, "parameters missing from the file", "--allow-missing")
    load_arrays(model, arrays, path, heads, allow_missing=sorted(absent))
    left = set(given) - set(arrays)
    notes = [f"left out: {listed(left)}"] if left else []
    notes += [f"freshly initialised with seed {seed}: {listed(absent)}"] if absent else []
    return Converted(model, tuple(notes))


def _floats(value: np.ndarray, name: str, path: str | Path) -> np.ndarray:
    if value.dtype.kind != "f":
        raise InputError.at(path, f"{name}: holds {value.dtype}, expected floating-point numbers")
    return value.astype(np.float32)


def _fit(config: UnimoConfig, arrays: Mapping[str, np.ndarray], path: str | Path) -> UnimoConfig:
    """The config with the sizes that it leaves open.

    Raises:
        InputError: an array that tells a size has no rows.
    """
    changes: dict[str, Any] = {}
    places = {
        "vocab_size": "text_embeddings.words.weight",
        "image_embedding_size": "region_embeddings.features.weight",
        "num_roles": "text_embeddings.roles.weight",
        "num_turns": "text_embeddings.turns.weight",
    }
    for key, name in places.items():
        if not getattr(config, key) and name in arrays:
            if not arrays[name].shape or not len(arrays[name]):
                raise InputError.at(path, f"{name}: shape {arrays[name].shape}, expected rows")
            changes[key] = len(arrays[name])
    return replace(config, **changes)
