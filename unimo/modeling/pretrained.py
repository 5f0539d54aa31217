"""A model as a folder: config.json and model.safetensors. Nothing is loaded in part without being told."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from unimo.config.architecture import UnimoConfig
from unimo.errors import InputError
from unimo.files import give_usual_mode, read_json, write_json
from unimo.manifest import check_listed
from unimo.modeling.heads import HEADS

CONFIG_NAME = "config.json"
WEIGHTS_NAME = "model.safetensors"
FORMAT_VERSION = 1


class Network(Protocol):
    """What saving and loading need of a model."""

    config: UnimoConfig
    head_sizes: dict[str, int]

    def state_dict(self) -> Any:
        """Parameter name -> tensor."""

    def set_state_dict(self, state_dict: Any) -> Any:
        """Fill the parameters."""


@dataclass(frozen=True)
class LoadReport:
    """What a checkpoint and a model did not share."""

    fresh: tuple[str, ...]
    """Parameters of the model that the checkpoint lacks; they keep their initialisation."""

    unused: tuple[str, ...]
    """Arrays of the checkpoint that the model has no place for."""


def write_model_files(model: Network, folder: Path) -> None:
    """Write config.json and model.safetensors into an existing folder."""
    arrays = {name: np.ascontiguousarray(value.numpy()) for name, value in model.state_dict().items()}
    write_arrays(arrays, model.config, model.head_sizes, folder)


def write_arrays(
    arrays: Mapping[str, np.ndarray], config: UnimoConfig, head_sizes: Mapping[str, int], folder: Path
) -> None:
    """The same from arrays that no longer belong to a model."""
    from safetensors.numpy import save_file

    save_file(dict(arrays), folder / WEIGHTS_NAME)
    give_usual_mode(folder / WEIGHTS_NAME)
    values = dataclasses.asdict(config)
    write_json(folder / CONFIG_NAME, {"format_version": FORMAT_VERSION, "heads": dict(head_sizes), **values})


def read_config(folder: str | Path) -> tuple[UnimoConfig, dict[str, int]]:
    """The config and the heads of a saved model.

    Raises:
        InputError: config.json is missing, is not the one that a manifest.json beside it lists, is not JSON, or has
            keys or values that are not a UnimoConfig's.
    """
    path = Path(folder) / CONFIG_NAME
    check_listed(folder, {CONFIG_NAME})
    values = read_json(path)
    if not isinstance(values, dict):
        raise InputError.at(path, "expected a JSON object")
    version = values.pop("format_version", FORMAT_VERSION)
    if version != FORMAT_VERSION:
        raise InputError.at(path, f"format_version {version!r} is not the one this version reads ({FORMAT_VERSION})")
    heads = values.pop("heads", {})
    if not isinstance(heads, dict):
        raise InputError.at(path, "heads: expected a JSON object")
    if strangers := sorted(set(heads) - set(HEADS)):
        raise InputError.at(path, f"unknown heads {', '.join(map(repr, strangers))}; there are {', '.join(HEADS)}")
    known = {field.name: field.default for field in dataclasses.fields(UnimoConfig)}
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise InputError.at(path, f"unknown keys {', '.join(unknown)}")
    for name, value in values.items():
        if isinstance(known[name], int) and (type(value) is not int or value < 0):
            raise InputError.at(path, f"{name}: expected a whole number, found {value!r}")
    try:
        config = UnimoConfig(**values)
        sizes = {str(name): int(size) for name, size in heads.items()}
    except (TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise InputError.at(path, str(error)) from error
    for name in ("vocab_size", "max_position_embeddings"):
        if not getattr(config, name):
            raise InputError.at(path, f"{name}: 0, but a saved model has some")
    check_size(config, sizes, path.with_name(WEIGHTS_NAME))
    return config, sizes


def check_size(config: UnimoConfig, heads: Mapping[str, int], weights: Path) -> None:
    """Refuse sizes for which a file of weights is too small, before anything so large is built.

    Raises:
        InputError: fewer bytes than parameters.
    """
    if not weights.is_file():
        return
    rows = config.vocab_size + config.max_position_embeddings + config.num_roles + config.num_turns
    rows += config.image_embedding_size + config.image_class_size + sum(heads.values())
    layers = config.num_hidden_layers * (4 * config.hidden_size + 2 * config.feed_forward_size)
    num_parameters = config.hidden_size * (rows + layers)
    if min(heads.values(), default=0) < 0 or num_parameters > weights.stat().st_size:
        size = f"{weights.stat().st_size:,} bytes"
        kind = "safetensors file" if weights.suffix == ".safetensors" else "file"
        told = f"not a readable {kind} of the about {num_parameters:,} parameters of {CONFIG_NAME} ({size})"
        raise InputError.at(weights, told)


def read_arrays(folder: str | Path) -> dict[str, np.ndarray]:
    """Every array of a saved model, by parameter name.

    Raises:
        InputError: the weights file is missing, damaged, or not the one that a manifest.json beside it lists.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    path = Path(folder) / WEIGHTS_NAME
    if not path.is_file():
        raise InputError.at(path, "no such file")
    check_listed(folder, {WEIGHTS_NAME})
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError.at(path, f"not a readable safetensors file ({error})") from error


def fingerprint(folder: str | Path) -> str:
    """SHA-256 of a saved model's weights: what was computed with them can be told from what was not.

    Raises:
        InputError: there are none.
    """
    path = Path(folder) / WEIGHTS_NAME
    if not path.is_file():
        raise InputError.at(path, "no such file")
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def load_arrays(
    model: Network,
    arrays: Mapping[str, np.ndarray],
    source: str | Path,
    saved_heads: Mapping[str, int],
    allow_missing: Collection[str] = (),
    allow_unused: Collection[str] = (),
) -> LoadReport:
    """Copy arrays into a model by name; whole heads may be added or dropped, everything else must match.

    Args:
        model: filled in place.
        arrays: parameter name -> array.
        source: the file named in errors.
        saved_heads: heads that the arrays come with; a head of the model that is not among them (or has another
            number of outputs) keeps its initialisation, one that the model lacks is dropped.
        allow_missing: further prefixes of parameter names that may keep their initialisation.
        allow_unused: further prefixes of array names that may be dropped.

    Raises:
        InputError: names or shapes do not match.
    """
    wanted = model.state_dict()
    kept = {name for name, size in model.head_sizes.items() if saved_heads.get(name) == size}
    fresh_prefixes = tuple(f"heads.{name}." for name in model.head_sizes if name not in kept) + tuple(allow_missing)
    unused_prefixes = tuple(f"heads.{name}." for name in saved_heads if name not in kept) + tuple(allow_unused)
    present = {name: value for name, value in arrays.items() if not name.startswith(unused_prefixes or ("\0",))}
    missing = sorted(set(wanted) - set(present))
    unused = sorted(set(present) - set(wanted))
    if wrong := [name for name in missing if not name.startswith(fresh_prefixes or ("\0",))]:
        raise InputError.at(source, f"parameters missing from the checkpoint: {_some(wrong)}")
    if unused:
        raise InputError.at(source, f"the model has no place for {_some(unused)}: it is another architecture")
    for name, value in present.items():
        if tuple(value.shape) != tuple(wanted[name].shape):
            raise InputError.at(source, f"{name}: shape {tuple(value.shape)}, expected {tuple(wanted[name].shape)}")
    model.set_state_dict({**{name: wanted[name] for name in missing}, **present})
    return LoadReport(tuple(missing), tuple(sorted(set(arrays) - set(present))))


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:4])
    return shown if len(names) <= 4 else f"{shown} and {len(names) - 4} more"
