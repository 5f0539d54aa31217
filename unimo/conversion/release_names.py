"""Each parameter of the original release and the place it takes here (ORIGINAL section 10).

The release keeps query, key and value apart; here they are the columns of one matrix, in this order.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from unimo.config.architecture import UnimoConfig
from unimo.errors import InputError

_SHARED_KEYS = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "max_position_embeddings",
    "initializer_range",
    "image_embedding_size",
    "image_class_size",
)
"""Keys of a released model config that mean the same here."""

QKV = ("query", "key", "value")

_STEMS: Mapping[str, str] = {
    "word_embedding": "text_embeddings.words.weight",
    "pos_embedding": "text_embeddings.positions.weight",
    "role_embedding": "text_embeddings.roles.weight",
    "turn_embedding": "text_embeddings.turns.weight",
    "pre_encoder_layer_norm": "text_embeddings.norm",
    "v_pre_encoder_layer_norm": "region_embeddings.norm",
    "image_emb": "region_embeddings.features",
    "image_loc": "region_embeddings.locations",
    "pooled_fc_text": "heads.text_pooler.dense",
    "pooled_fc_image": "heads.image_pooler.dense",
    "mask_lm_trans_fc": "heads.masked_language.transform",
    "mask_lm_trans_layer_norm": "heads.masked_language.norm",
    "mask_lm_out_fc.b_0": "heads.masked_language.bias",
    "match_fc": "heads.match.dense",
    "cls_out_w_0": "heads.entailment.hidden.weight",
    "cls_out_b_0": "heads.entailment.hidden.bias",
    "cls_out_w_1": "heads.entailment.dense.weight",
    "cls_out_b_1": "heads.entailment.dense.bias",
}

_LAYER_STEMS: Mapping[str, str] = {
    "multi_head_att_output_fc": "attention.output",
    "post_att_layer_norm": "attention_norm",
    "ffn_fc_0": "expand",
    "ffn_fc_1": "contract",
    "post_ffn_layer_norm": "output_norm",
}

_SUFFIXES: Mapping[str, str] = {".w_0": ".weight", ".b_0": ".bias", "_scale": ".weight", "_bias": ".bias"}
_LAYER = re.compile(r"encoder_layer_(\d+)_(.+)")
_QKV = re.compile(r"multi_head_att_(query|key|value)_fc\.([wb])_0")
_CLASSIFIER = re.compile(r"cls_out_(\d+)_([wb])")


def our_name(original: str) -> tuple[str, int | None] | None:
    """The parameter that an original name fills, and which third of it where it is query, key or value.

    Returns None for a name that the network has no parameter for.
    """
    if original in _STEMS:
        return _STEMS[original], None
    if found := _CLASSIFIER.fullmatch(original):
        return f"heads.classifier.dense.{'weight' if found[2] == 'w' else 'bias'}", None
    if found := _LAYER.fullmatch(original):
        prefix, rest = f"layers.{found[1]}.", found[2]
        if part := _QKV.fullmatch(rest):
            return f"{prefix}attention.qkv.{'weight' if part[2] == 'w' else 'bias'}", QKV.index(part[1])
        name = _with_suffix(rest, _LAYER_STEMS)
        return (prefix + name, None) if name else None
    name = _with_suffix(original, _STEMS)
    return (name, None) if name else None


def _with_suffix(original: str, stems: Mapping[str, str]) -> str | None:
    for suffix, ours in _SUFFIXES.items():
        stem = original.removesuffix(suffix)
        if stem != original and stem in stems:
            return stems[stem] + ours
    return None


_ORIGINAL_STEMS: Mapping[str, str] = {ours: original for original, ours in _STEMS.items()}
_ORIGINAL_LAYER_STEMS: Mapping[str, str] = {ours: original for original, ours in _LAYER_STEMS.items()}
_OUR_LAYER = re.compile(r"layers\.(\d+)\.(.+)")
_OUR_QKV = re.compile(r"attention\.qkv\.(weight|bias)")
_OUR_CLASSIFIER = re.compile(r"heads\.classifier\.dense\.(weight|bias)")


def original_names(ours: str, num_labels: int = 0) -> tuple[str, ...]:
    """The inverse of :func:`our_name`: the original parameters that fill one of ours, three for query, key and value.

    Empty for a parameter that the original has not. ``num_labels``: outputs of our classifier, part of its name there.
    """
    if ours in _ORIGINAL_STEMS:
        return (_ORIGINAL_STEMS[ours],)
    if found := _OUR_CLASSIFIER.fullmatch(ours):
        return (f"cls_out_{num_labels}_{found[1][0]}",)
    if found := _OUR_LAYER.fullmatch(ours):
        prefix, rest = f"encoder_layer_{found[1]}_", found[2]
        if part := _OUR_QKV.fullmatch(rest):
            return tuple(f"{prefix}multi_head_att_{each}_fc.{part[1][0]}_0" for each in QKV)
        name = _with_original_suffix(rest, _ORIGINAL_LAYER_STEMS)
        return (prefix + name,) if name else ()
    name = _with_original_suffix(ours, _ORIGINAL_STEMS)
    return (name,) if name else ()


def _with_original_suffix(ours: str, stems: Mapping[str, str]) -> str | None:
    stem, _, kind = ours.rpartition(".")
    if stem not in stems or kind not in ("weight", "bias"):
        return None
    if stems[stem].endswith("layer_norm"):
        return stems[stem] + ("_scale" if kind == "weight" else "_bias")
    return stems[stem] + (".w_0" if kind == "weight" else ".b_0")


def to_release(ours: Mapping[str, np.ndarray], num_labels: int = 0) -> tuple[dict[str, np.ndarray], list[str]]:
    """Our arrays by our name -> original arrays by original name, and the names that the original has not."""
    arrays: dict[str, np.ndarray] = {}
    unused = []
    for name, value in ours.items():
        originals = original_names(name, num_labels)
        if not originals:
            unused.append(name)
        else:
            parts = np.split(value, len(originals), axis=-1)
            arrays |= {original: np.ascontiguousarray(part) for original, part in zip(originals, parts, strict=True)}
    return arrays, sorted(unused)


def from_release(
    arrays: Mapping[str, np.ndarray], source: str = "checkpoint"
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Original arrays by original name -> our arrays by our name, and the names that have no place here.

    Raises:
        InputError: of query, key and value some are there and some are not.
    """
    ours: dict[str, np.ndarray] = {}
    thirds: dict[str, dict[int, np.ndarray]] = {}
    unused = []
    for original, value in arrays.items():
        place = our_name(original)
        if place is None:
            unused.append(original)
        elif place[1] is None:
            ours[place[0]] = value
        else:
            thirds.setdefault(place[0], {})[place[1]] = value
    for name, parts in thirds.items():
        if len(parts) != len(QKV):
            absent = [part for index, part in enumerate(QKV) if index not in parts]
            raise InputError.at(source, f"{name}: no {', '.join(absent)} among the original parameters")
        ours[name] = np.concatenate([parts[index] for index in range(len(QKV))], axis=-1)
    return ours, sorted(unused)


def heads_of(arrays: Mapping[str, np.ndarray]) -> dict[str, int]:
    """The heads (name -> outputs) that arrays under our names hold."""
    heads = {name.split(".")[1] for name in arrays if name.startswith("heads.")}
    sizes = {name: 0 for name in sorted(heads)}
    for name in ("classifier", "entailment", "answers"):
        if name in sizes:
            sizes[name] = int(arrays[f"heads.{name}.dense.bias"].shape[0])
    return sizes


def config_from_release(values: Mapping[str, object]) -> UnimoConfig:
    """A released model config (its json) -> ours; keys that only the original's programs read are left out."""
    missing = [name for name in _SHARED_KEYS if name not in values]
    if missing:
        raise InputError(f"model config: no {', '.join(missing)}")
    if values.get("hidden_act", "gelu") != "gelu":
        raise InputError(f"model config: hidden_act {values['hidden_act']!r}, only gelu is released")
    return UnimoConfig(**{name: values[name] for name in _SHARED_KEYS})  # type: ignore[arg-type]
