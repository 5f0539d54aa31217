"""A RoBERTa of Hugging Face as the model that pre-training starts from (PAPER section 1).

The network is the same but for names, transposed matrices, and RoBERTa's one row of token types, which is added to
every position here. Its LM head becomes the masked-language head; its tanh pooler has no place, UNIMO's use relu.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from unimo.config.architecture import UnimoConfig
from unimo.conversion.converted import Converted, check_all_named, fresh_model, listed
from unimo.conversion.torch_files import read_torch_arrays
from unimo.errors import InputError
from unimo.files import read_json
from unimo.modeling.pretrained import CONFIG_NAME, WEIGHTS_NAME, check_size, load_arrays, read_arrays

TORCH_NAME = "pytorch_model.bin"
PREFIX = "roberta."
WORDS, POSITIONS, TOKEN_TYPES = (f"embeddings.{kind}_embeddings.weight" for kind in ("word", "position", "token_type"))
TIED_WEIGHT, BIAS, TIED_BIAS = "lm_head.decoder.weight", "lm_head.bias", "lm_head.decoder.bias"
POOLER = "pooler."
BUFFERS = ("embeddings.position_ids", "embeddings.token_type_ids")
"""Constants that older versions saved among the weights."""

_SIZES = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "max_position_embeddings")
_RATES = ("hidden_dropout_prob", "attention_probs_dropout_prob", "initializer_range")
"""Keys of RoBERTa's config.json that mean the same here."""

_FIXED = {"model_type": "roberta", "hidden_act": "gelu", "type_vocab_size": 1, "position_embedding_type": "absolute"}
_NAMES: Mapping[str, str] = {
    "text_embeddings.words.weight": WORDS,
    "text_embeddings.positions.weight": POSITIONS,
    "heads.masked_language.bias": BIAS,
}
_STEMS: Mapping[str, str] = {
    "text_embeddings.norm": "embeddings.LayerNorm",
    "heads.masked_language.transform": "lm_head.dense",
    "heads.masked_language.norm": "lm_head.layer_norm",
}
_LAYER_STEMS: Mapping[str, str] = {
    "attention.output": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "expand": "intermediate.dense",
    "contract": "output.dense",
    "output_norm": "output.LayerNorm",
}
_LAYER = re.compile(r"layers\.(\d+)\.(.+)\.(weight|bias)")
_QKV = ("query", "key", "value")


def from_roberta(
    folder: str | Path,
    images: UnimoConfig | None = None,
    allow_missing: Collection[str] = (),
    allow_unused: Collection[str] = (),
    seed: int = 1,
) -> Converted:
    """A folder with config.json and model.safetensors or pytorch_model.bin as a model of ours.

    Args:
        folder: of Hugging Face.
        images: an architecture whose region embeddings the model gets, freshly initialised; None: texts alone.
        allow_missing: RoBERTa's names, or beginnings of them, that may be absent; theirs stay freshly initialised.
        allow_unused: RoBERTa's names, or beginnings of them, that may be left over.
        seed: of what is freshly initialised.

    Raises:
        InputError: files missing or damaged, another kind of model, or names or shapes that do not fit.
    """
    folder = Path(folder)
    config = read_roberta_config(folder / CONFIG_NAME)
    arrays, source = _read_weights(folder)
    check_size(config, {}, source)
    given = set(arrays)
    heads = {"masked_language": 0} if any(name.startswith("lm_head.") for name in arrays) else {}
    notes = [] if heads else ["no LM head among the weights: the masked-language head is left to pre-training"]
    _untie(arrays, source)
    model = fresh_model(_with_images(config, images), heads, seed, source)
    ours, absent = _rename(arrays, model.state_dict(), source)
    check_all_named(absent, allow_missing, source, "parameters missing from the checkpoint", "--allow-missing")
    used = {name for place in ours for name in roberta_names(place)} | {TOKEN_TYPES, TIED_WEIGHT, TIED_BIAS, *BUFFERS}
    pooler = [name for name in given if name.startswith(POOLER)]
    unused = given - used - set(pooler)
    check_all_named(unused, allow_unused, source, "parameters without a place in the model", "--allow_unused")
    notes += [f"left out: {listed(unused)}"] if unused else []
    notes += [f"left out: {listed(pooler)} (tanh; the poolers here use relu)"] if pooler else []
    fresh = sorted(set(model.state_dict()) - set(ours))
    notes += [f"freshly initialised with seed {seed}: {listed(fresh)}"] if fresh else []
    load_arrays(model, ours, source, model.head_sizes, allow_missing=fresh)
    return Converted(model, tuple(notes))


def read_roberta_config(path: str | Path) -> UnimoConfig:
    """RoBERTa's config.json as ours, without images.

    Raises:
        InputError: a key is missing, or another kind of model.
    """
    values = read_json(path)
    if not isinstance(values, dict):
        raise InputError.at(path, "expected a JSON object")
    for key, only in _FIXED.items():
        if values.get(key, only) != only:
            raise InputError.at(path, f"{key}: {values[key]!r}, a RoBERTa has {only!r}")
    absent = [key for key in (*_SIZES, "intermediate_size") if type(values.get(key)) is not int or values[key] < 1]
    absent += [key for key in (*_RATES, "layer_norm_eps") if type(values.get(key)) not in (int, float)]
    if absent:
        raise InputError.at(path, f"no number for {', '.join(absent)}")
    width = 0 if values["intermediate_size"] == 4 * values["hidden_size"] else values["intermediate_size"]
    more = {"intermediate_size": width, "layer_norm_epsilon": values["layer_norm_eps"]}
    try:
        return UnimoConfig(
            **{key: values[key] for key in (*_SIZES, *_RATES)}, **more, image_embedding_size=0, image_class_size=0
        )
    except ValueError as error:
        raise InputError.at(path, str(error)) from error


def roberta_names(ours: str) -> tuple[str, ...]:
    """RoBERTa's parameters that fill one of ours, three for query, key and value; none where it has no such thing."""
    if ours in _NAMES:
        return (_NAMES[ours],)
    if found := _LAYER.fullmatch(ours):
        prefix, stem, kind = f"encoder.layer.{found[1]}.", found[2], found[3]
        if stem == "attention.qkv":
            return tuple(f"{prefix}attention.self.{part}.{kind}" for part in _QKV)
        return (f"{prefix}{_LAYER_STEMS[stem]}.{kind}",) if stem in _LAYER_STEMS else ()
    stem, _, kind = ours.rpartition(".")
    return (f"{_STEMS[stem]}.{kind}",) if stem in _STEMS else ()


def _read_weights(folder: Path) -> tuple[dict[str, np.ndarray], Path]:
    """Arrays by name without the prefix, and the file they come from."""
    if (folder / WEIGHTS_NAME).is_file():
        arrays, source = read_arrays(folder), folder / WEIGHTS_NAME
    elif (folder / TORCH_NAME).is_file():
        arrays, source = read_torch_arrays(folder / TORCH_NAME), folder / TORCH_NAME
    else:
        raise InputError.at(folder, f"neither {WEIGHTS_NAME} nor {TORCH_NAME} in this folder")
    short = {name.removeprefix(PREFIX): value for name, value in arrays.items()}
    if len(short) != len(arrays):
        raise InputError.at(source, f"a parameter comes with and without the prefix {PREFIX}")
    return short, source


def _untie(arrays: dict[str, np.ndarray], source: Path) -> None:
    """Check what the LM head shares with the embeddings, and take either of both names.

    Raises:
        InputError: they differ: the model was not trained with tied weights.
    """
    for name, tied in ((WORDS, TIED_WEIGHT), (BIAS, TIED_BIAS)):
        if tied not in arrays:
            continue
        if name in arrays and not np.array_equal(arrays[name], arrays[tied]):
            raise InputError.at(source, f"{tied} differs from {name}: the LM head here has tied weights")
        arrays[name] = arrays[tied]


def _rename(
    arrays: Mapping[str, np.ndarray], wanted: Mapping[str, Any], source: Path
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Our arrays, and RoBERTa's names that were not there.

    Raises:
        InputError: a shape does not fit.
    """
    ours: dict[str, np.ndarray] = {}
    absent = [] if TOKEN_TYPES in arrays else [TOKEN_TYPES]
    for place, value in wanted.items():
        names = roberta_names(place)
        missing = [name for name in names if name not in arrays]
        absent += missing
        if names and not missing:
            transposed = len(value.shape) == 2 and not place.startswith("text_embeddings.")
            shape = (*value.shape[:-1], value.shape[-1] // len(names))
            parts = [_fitting(arrays, name, shape[::-1] if transposed else shape, source) for name in names]
            ours[place] = np.concatenate([part.T if transposed else part for part in parts], axis=-1)
    positions = "text_embeddings.positions.weight"
    if positions in ours and TOKEN_TYPES in arrays:
        ours[positions] = ours[positions] + _fitting(arrays, TOKEN_TYPES, (1, ours[positions].shape[1]), source)
    return ours, absent


def _fitting(arrays: Mapping[str, np.ndarray], name: str, shape: tuple[int, ...], source: Path) -> np.ndarray:
    value = arrays[name]
    if value.shape != shape:
        raise InputError.at(source, f"{name}: shape {value.shape}, expected {shape} by its {CONFIG_NAME}")
    if value.dtype.kind != "f":
        raise InputError.at(source, f"{name}: holds {value.dtype}, expected floating-point numbers")
    return value.astype(np.float32)


def _with_images(config: UnimoConfig, images: UnimoConfig | None) -> UnimoConfig:
    """The config with the image sizes of another.

    Raises:
        InputError: the other leaves them open.
    """
    if images is None:
        return config
    if not images.image_embedding_size:
        raise InputError("image_embedding_size: 0, but fresh region embeddings need the size of a region's feature")
    keys = ("image_embedding_size", "image_class_size", "region_norm", "location_frequencies")
    return replace(config, **{key: getattr(images, key) for key in keys})
