"""A tiny RoBERTa as Hugging Face lays it out, and its forward in numpy, written from the paper and not from ours."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from scipy.special import erf, softmax

from tests.conversion.torch_format import Tensor, write_torch_zip
from unimo.conversion.roberta_dictionary import SPECIALS
from unimo.tokenization.vocabulary import Vocabulary

Arrays = dict[str, np.ndarray]
HIDDEN, HEADS, LAYERS, POSITIONS = 16, 2, 2, 40
CONFIG = {
    "model_type": "roberta",
    "architectures": ["RobertaForMaskedLM"],
    "vocab_size": 61,
    "hidden_size": HIDDEN,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "intermediate_size": 4 * HIDDEN,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
    "max_position_embeddings": POSITIONS,
    "type_vocab_size": 1,
    "initializer_range": 0.02,
    "layer_norm_eps": 1e-5,
    "pad_token_id": 1,
}


def roberta_arrays(vocab_size: int = 61, seed: int = 0) -> Arrays:
    """Every parameter of RobertaForMaskedLM, [out, in] matrices, none of them zero."""
    rng = np.random.default_rng(seed)
    arrays: Arrays = {}

    def dense(name: str, inputs: int, outputs: int) -> None:
        arrays[f"{name}.weight"] = rng.normal(0, 0.3, (outputs, inputs)).astype(np.float32)
        arrays[f"{name}.bias"] = rng.normal(0, 0.1, outputs).astype(np.float32)

    def norm(name: str) -> None:
        arrays[f"{name}.weight"] = rng.normal(1, 0.1, HIDDEN).astype(np.float32)
        arrays[f"{name}.bias"] = rng.normal(0, 0.1, HIDDEN).astype(np.float32)

    for kind, rows in (("word", vocab_size), ("position", POSITIONS), ("token_type", 1)):
        name = f"roberta.embeddings.{kind}_embeddings.weight"
        arrays[name] = rng.normal(0, 0.5, (rows, HIDDEN)).astype(np.float32)
    norm("roberta.embeddings.LayerNorm")
    for layer in range(LAYERS):
        prefix = f"roberta.encoder.layer.{layer}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            dense(f"{prefix}.attention.{part}", HIDDEN, HIDDEN)
        norm(f"{prefix}.attention.output.LayerNorm")
        dense(f"{prefix}.intermediate.dense", HIDDEN, 4 * HIDDEN)
        dense(f"{prefix}.output.dense", 4 * HIDDEN, HIDDEN)
        norm(f"{prefix}.output.LayerNorm")
    dense("lm_head.dense", HIDDEN, HIDDEN)
    norm("lm_head.layer_norm")
    arrays["lm_head.bias"] = rng.normal(0, 0.5, vocab_size).astype(np.float32)
    return arrays


def write_roberta(folder: Path, arrays: Arrays, torch: bool = False, **changes: object) -> Path:
    """config.json and the weights."""
    folder.mkdir(parents=True, exist_ok=True)
    words = arrays.get("roberta.embeddings.word_embeddings.weight", np.zeros((61, 0)))
    (folder / "config.json").write_text(json.dumps({**CONFIG, "vocab_size": len(words), **changes}))
    if torch:
        write_torch_zip(folder / "pytorch_model.bin", {name: Tensor.of(value) for name, value in arrays.items()})
    else:
        save_file(arrays, folder / "model.safetensors")
    return folder


def write_dictionary(folder: Path, vocabulary: Vocabulary) -> None:
    """vocab.json and merges.txt of the same dictionary in RoBERTa's spelling."""
    spelling = {ours: theirs for theirs, ours in SPECIALS.items()}
    order = {spelling.get(token, token): number for number, token in enumerate(vocabulary.tokens)}
    (folder / "vocab.json").write_text(json.dumps(order), encoding="utf-8")
    merges = "".join(f"{left} {right}\n" for left, right in vocabulary.merges)
    (folder / "merges.txt").write_text(f"#version: 0.2\n{merges}", encoding="utf-8")


def roberta_forward(arrays: Arrays, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[T] ids of one text without padding -> states [T, D] and logits [T, V]."""
    a = {name.removeprefix("roberta."): value.astype(np.float64) for name, value in arrays.items()}

    def dense(x: np.ndarray, name: str) -> np.ndarray:
        return x @ a[f"{name}.weight"].T + a[f"{name}.bias"]

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        centred = x - x.mean(-1, keepdims=True)
        return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * a[f"{name}.weight"] + a[f"{name}.bias"]

    def gelu(x: np.ndarray) -> np.ndarray:
        return x * 0.5 * (1 + erf(x / np.sqrt(2)))

    embedded = a["embeddings.word_embeddings.weight"][ids]
    embedded = embedded + a["embeddings.position_embeddings.weight"][2 : 2 + len(ids)]
    x = norm(embedded + a["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    for layer in range(LAYERS):
        prefix = f"encoder.layer.{layer}"
        q, k, v = (
            dense(x, f"{prefix}.attention.self.{part}").reshape(len(ids), HEADS, -1).swapaxes(0, 1)
            for part in ("query", "key", "value")
        )
        weights = softmax(q @ k.swapaxes(1, 2) / np.sqrt(HIDDEN // HEADS), axis=-1)
        attended = (weights @ v).swapaxes(0, 1).reshape(len(ids), HIDDEN)
        x = norm(x + dense(attended, f"{prefix}.attention.output.dense"), f"{prefix}.attention.output.LayerNorm")
        inner = gelu(dense(x, f"{prefix}.intermediate.dense"))
        x = norm(x + dense(inner, f"{prefix}.output.dense"), f"{prefix}.output.LayerNorm")
    head = norm(gelu(dense(x, "lm_head.dense")), "lm_head.layer_norm")
    return x, head @ a["embeddings.word_embeddings.weight"].T + a["lm_head.bias"]
