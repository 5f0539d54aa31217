"""The original's tiny model and its inputs, rebuilt from the goldens."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import paddle

from unimo.conversion.release_names import config_from_release, from_release, heads_of
from unimo.modeling import ModelInputs, UnimoModel
from unimo.modeling.pretrained import load_arrays


def release_model(goldens: Path, program: str, **changes: object) -> UnimoModel:
    """The tiny model of one of the original's programs, dropout off."""
    config = config_from_release(json.loads((goldens / "config" / "tiny.json").read_text()))
    names = json.loads((goldens / "model_a" / "program_params.json").read_text())[program]
    params = np.load(goldens / "model_a" / "params.npz")
    arrays, unused = from_release({name: params[name] for name in names})
    assert not unused, unused
    if "region_embeddings.features.weight" not in arrays:
        changes["image_embedding_size"] = 0
    if "role" in program or "dialog" in program:
        changes |= {"num_roles": params["role_embedding"].shape[0], "num_turns": params["turn_embedding"].shape[0]}
    model = UnimoModel(config.__class__(**{**config.__dict__, **changes}), heads_of(arrays))
    load_arrays(model, arrays, "params.npz", heads_of(arrays))
    model.eval()
    return model


def valid_inputs(token_ids: np.ndarray, position_ids: np.ndarray, mask: np.ndarray, **more: np.ndarray) -> ModelInputs:
    """Inputs from an original batch: segment and order ids are read off its dense [B, L, L] mask.

    A position is padding where no query may attend to it; its order is the number of keys that it sees beyond
    those that every position sees.
    """
    mask = mask > 0.5
    valid = mask.any(axis=1)
    seen = mask.sum(axis=2)
    least = np.where(valid, seen, seen.max() + 1).min(axis=1, keepdims=True)
    order = np.where(valid, seen - least, 0)
    as_ids = {name: paddle.to_tensor(value) for name, value in more.items()}
    return ModelInputs(
        segment_ids=paddle.to_tensor(valid.astype("int64")),
        order_ids=paddle.to_tensor(order.astype("int64")),
        input_ids=paddle.to_tensor(token_ids.reshape(token_ids.shape[:2]).astype("int64")),
        position_ids=paddle.to_tensor(position_ids.reshape(position_ids.shape[:2]).astype("int64")),
        **as_ids,
    )
