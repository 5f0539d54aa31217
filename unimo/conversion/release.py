"""Checkpoints of the original release <-> our model and optimizer state (ORIGINAL sections 1, 2 and 10)."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from unimo.config.architecture import UnimoConfig
from unimo.conversion.converted import Converted, check_all_named, fresh_model, is_named, listed
from unimo.conversion.fluid import FluidCheckpoint
from unimo.conversion.release_names import from_release, original_names, our_name, to_release
from unimo.conversion.release_optimizer import state_from_fluid, with_state
from unimo.errors import InputError
from unimo.modeling import UnimoModel
from unimo.modeling.pretrained import load_arrays

FEATURE_NAME = "bottom-up-attention"
"""Detector of every released model that sees images."""

FEED_FORWARD_FACTOR = 4
"""Width of the original's feed-forward layer over the hidden size."""

LAYER_NORM_EPSILON = 1e-5

_CLASSIFIER = re.compile(r"cls_out_(\d+)_[wb]")


@dataclass(frozen=True)
class Program:
    """Which parameters one of the original's programs has, beyond embeddings of texts and layers."""

    heads: tuple[str, ...]
    """Our names of its heads."""

    images: bool = False
    """Whether it reads regions."""

    dialogue: bool = False
    """Whether it may have embeddings of roles and turns."""


PROGRAMS: Mapping[str, Program] = {
    "text_classification": Program(("text_pooler", "classifier")),
    "text_regression": Program(("text_pooler", "classifier")),
    "text_generation": Program(("masked_language",), dialogue=True),
    "captioning": Program(("masked_language",), images=True),
    "retrieval": Program(("text_pooler", "image_pooler", "match"), images=True),
    "visual_entailment": Program(("text_pooler", "image_pooler", "entailment"), images=True),
}
"""Our name of the task -> its program."""


def from_fluid(
    checkpoint: FluidCheckpoint,
    config: UnimoConfig,
    source: str | Path,
    task: str = "",
    allow_missing: Collection[str] = (),
    allow_unused: Collection[str] = (),
    num_updates: int | None = None,
    seed: int = 1,
) -> Converted:
    """A released checkpoint as a model of ours, with its optimizer state where it has one.

    Args:
        checkpoint: what ``read_fluid_folder`` returned.
        config: sizes; a vocabulary or image feature of size 0 takes the checkpoint's, and without any image parameter
            the model is one of texts alone.
        source: the folder, named in errors.
        task: one of ``PROGRAMS``, whose parameters alone are taken; empty takes everything.
        allow_missing: original names, or beginnings of them, that may be absent; theirs stay freshly initialised.
        allow_unused: original names, or beginnings of them, that may be left over.
        num_updates: where the checkpoint has optimizer state and no counter (the original has none with a constant
            learning rate).
        seed: of what stays freshly initialised.

    Raises:
        InputError: names or shapes do not fit; two classifiers without a task to choose by.
    """
    known = {name for name in checkpoint.parameters if our_name(name)}
    chosen, notes = _choose(known, task, allow_unused, source)
    strangers = set(checkpoint.parameters) - known
    check_all_named(strangers, allow_unused, source, "parameters without a place in the model", "--allow_unused")
    arrays = {name: checkpoint.parameters[name] for name in sorted(chosen)}
    config, text_only = _fit(config, arrays, task)
    notes += text_only
    model = fresh_model(config, _heads_of(arrays, task, source), seed, source)
    fresh = _check_fit(model, arrays, source, allow_missing)
    ours, _ = from_release(arrays, str(source))
    load_arrays(model, ours, source, model.head_sizes, allow_missing=fresh)
    notes += [f"freshly initialised with seed {seed}: {listed(fresh)}"] if fresh else []
    dropped = {name for name in checkpoint.parameters if is_named(name, allow_unused)} | set(checkpoint.ignored)
    notes += [f"left out: {listed(dropped)}"] if dropped else []
    state = state_from_fluid(checkpoint, list(arrays), source, num_updates)
    return Converted(model, (*notes, *state.notes()), state.arrays, state.num_updates)


def to_fluid(
    arrays: Mapping[str, np.ndarray],
    config: UnimoConfig,
    heads: Mapping[str, int],
    source: str | Path,
    optimizer: Mapping[str, np.ndarray] | None = None,
    allow_unused: Collection[str] = (),
) -> tuple[FluidCheckpoint, tuple[str, ...]]:
    """The inverse of ``from_fluid``: our arrays (and AdamW state) as the original's, and notes on what was left out.

    Raises:
        InputError: the original cannot compute what the config says, or has no place for a parameter.
    """
    _check_original_can(config, source)
    num_labels = heads.get("classifier", 0)
    parameters, unused = to_release(arrays, num_labels)
    check_all_named(unused, allow_unused, source, "parameters without a place in the original", "--allow_unused")
    notes = (f"left out: {listed(unused)}",) if unused else ()
    checkpoint = FluidCheckpoint(parameters)
    return (with_state(checkpoint, optimizer, num_labels) if optimizer else checkpoint), notes


def _choose(
    known: set[str], task: str, allow_unused: Collection[str], source: str | Path
) -> tuple[set[str], list[str]]:
    """The names to take, and notes on those that the task does not use."""
    if task and task not in PROGRAMS:
        raise InputError(f"task: there is no {task!r} in the release; there are {', '.join(PROGRAMS)}")
    known = {name for name in known if not is_named(name, allow_unused)}
    chosen = {name for name in known if not task or _belongs(name, task)}
    sizes = {int(found[1]) for name in chosen if (found := _CLASSIFIER.fullmatch(name))}
    if len(sizes) > 1:
        stems = ", ".join(f"cls_out_{size}_" for size in sorted(sizes))
        raise InputError.at(
            source, f"several classifiers ({stems}): choose by --task, or name those to leave out with --allow_unused"
        )
    left = known - chosen
    return chosen, [f"not used by {task}, left out: {listed(left)}"] if left else []


def _belongs(name: str, task: str) -> bool:
    """Whether an original parameter is one of a task's program."""
    program = PROGRAMS[task]
    place = our_name(name)
    assert place is not None
    room, _, rest = place[0].partition(".")
    if room == "heads":
        fits = (name.startswith("cls_out_1_") == (task == "text_regression")) if "classifier" in rest else True
        return rest.partition(".")[0] in program.heads and fits
    if room == "region_embeddings":
        return program.images
    return program.dialogue or not rest.startswith(("roles", "turns"))


def _fit(config: UnimoConfig, arrays: Mapping[str, np.ndarray], task: str) -> tuple[UnimoConfig, list[str]]:
    """The config with what only the arrays say."""
    words = arrays.get("word_embedding")
    changes: dict[str, Any] = {"num_roles": 0, "num_turns": 0, "image_class_size": 0}
    for key, name in (("num_roles", "role_embedding"), ("num_turns", "turn_embedding")):
        if name in arrays:
            changes[key] = arrays[name].shape[0]
    if words is not None and not config.vocab_size:
        changes["vocab_size"] = words.shape[0]
    with_images = any(name.startswith(("image_", "v_pre_encoder")) for name in arrays)
    if not with_images and not (task and PROGRAMS[task].images):
        changes |= {"image_embedding_size": 0, "region_feature_name": "", "region_feature_version": ""}
        return replace(config, **changes), ["no image parameters: a model of texts alone"]
    if not config.image_embedding_size and "image_emb.w_0" in arrays:
        changes["image_embedding_size"] = arrays["image_emb.w_0"].shape[0]
    return replace(config, **changes, region_feature_name=FEATURE_NAME), []


def _heads_of(arrays: Mapping[str, np.ndarray], task: str, source: str | Path) -> dict[str, int]:
    """The heads that parameters belong to, and those that the task needs, with their outputs."""
    heads = dict.fromkeys(PROGRAMS[task].heads if task else (), 0)
    for name in arrays:
        place = our_name(name)
        assert place is not None
        if place[0].startswith("heads."):
            heads.setdefault(place[0].split(".")[1], 0)
        if found := _CLASSIFIER.fullmatch(name):
            heads["classifier"] = int(found[1])
    if "entailment" in heads:
        heads["entailment"] = len(arrays["cls_out_b_1"]) if "cls_out_b_1" in arrays else 1
    if heads.get("classifier") == 0:
        raise InputError.at(source, f"no cls_out_<labels>_w for the task {task}; without --task heads may be absent")
    return heads


def _check_fit(
    model: UnimoModel, arrays: Mapping[str, np.ndarray], source: str | Path, allow_missing: Collection[str]
) -> list[str]:
    """Compare names and shapes, in the original's words; returns our names of what stays fresh.

    Raises:
        InputError: naming the file of a wrong shape, or listing names.
    """
    absent: list[str] = []
    fresh: list[str] = []
    placed: set[str] = set()
    for ours, value in model.state_dict().items():
        originals = original_names(ours, model.head_sizes.get("classifier", 0))
        missing = [name for name in originals if name not in arrays] if originals else [ours]
        placed |= set(originals)
        if missing:
            absent += missing
            fresh += [ours] if len(missing) == max(1, len(originals)) else []
        shape = (*value.shape[:-1], value.shape[-1] // max(1, len(originals)))
        for name in originals:
            if name in arrays and arrays[name].shape != shape:
                found = arrays[name].shape
                raise InputError.at(Path(source) / name, f"shape {found}, expected {shape} in this architecture")
    unused = [name for name in arrays if name not in placed]
    what = "parameters that this architecture has no place for"
    check_all_named(unused, (), source, what, "--allow_unused")
    check_all_named(absent, allow_missing, source, "parameters missing from the checkpoint", "--allow-missing")
    return fresh


def _check_original_can(config: UnimoConfig, source: str | Path) -> None:
    """Refuse choices that the original has no way to express.

    Raises:
        InputError: naming the key.
    """
    fixed = {
        "layer_norm_epsilon": (config.layer_norm_epsilon, LAYER_NORM_EPSILON),
        "intermediate_size": (config.feed_forward_size, FEED_FORWARD_FACTOR * config.hidden_size),
        "region_norm": (config.region_norm, "joint"),
        "location_frequencies": (config.location_frequencies, 0),
    }
    for key, (found, only) in fixed.items():
        if found != only:
            raise InputError.at(source, f"{key}: {found}, the original knows only {only}")
