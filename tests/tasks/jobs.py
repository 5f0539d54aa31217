"""Small jobs of every task over the small world: yaml as users write it, a network of two narrow layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.conftest import SmallWorld
from unimo.cli import main

ARCH = {
    "vocab_size": 0,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_embedding_size": 0,
    "image_class_size": 0,
    "region_norm": "separate",
}
TRAINING = {"num_steps": 6, "seed": 3, "log_every": 2, "save_every": 2, "evaluate_every": 3}


def job(small: SmallWorld, task: str, output: Path, **changes: Any) -> dict[str, Any]:
    """The values of a job's yaml."""
    world = small.world
    data = {"regions": str(small.regions), "tokens_per_batch": 512, "max_text_length": 64}
    values: dict[str, Any] = {
        "task": task,
        "output": str(output),
        "tokenizer": str(small.tokenizer),
        "arch": dict(ARCH),
        "data": data,
        "optimizer": {"learning_rate": 1e-3, "warmup_steps": 2},
        "training": dict(TRAINING),
        "options": {},
    }
    if task == "pretraining":
        values["options"] = {
            "pairs": [str(world / "captions_train.jsonl")],
            "texts": [str(world / "texts_train.jsonl")],
            "images": [str(world / "images_train.jsonl")],
            "shares": {"images": 1, "texts": 1, "pairs": 2},
            "contrastive": {"num_pairs": 3, "start_step": 2, "in_batch": True, "dual_pairs": 4},
        }
        data["evaluate"] = {"test": str(world / "retrieval_test.jsonl")}
    elif task == "captioning":
        data |= {"train": str(world / "captioning_train.jsonl")}
        data |= {"evaluate": {"dev": str(world / "captioning_dev.jsonl")}}
        values["options"] = {"decoding": {"beam_size": 2, "max_length": 8}}
    elif task == "retrieval":
        data |= {"train": str(world / "captions_train.jsonl"), "tokens_per_batch": 1500}
        data |= {"evaluate": {"dev": str(world / "retrieval_dev.jsonl")}}
    else:
        data |= {"train": str(world / "statements_train.tsv"), "regions": ""}
        data |= {"evaluate": {"dev": str(world / "statements_dev.tsv"), "test": str(world / "statements_test.tsv")}}
        values["options"] = {"columns": {"text_b": "text_b"}}
    return values | changes


def write_corpus(small: SmallWorld, folder: Path) -> Path:
    """What `unimo augment` makes of the small world; made once in a folder."""
    if not (folder / "corpus" / "index.json").is_file():
        values = {
            "pairs": {"files": [str(small.world / "captions_train.jsonl")]},
            "texts": [str(small.world / "texts_train.jsonl")],
            "images": [str(small.world / "images_train.jsonl")],
            "regions": str(small.regions),
            "output": str(folder / "corpus"),
            "rewriting": {"num_nodes": 12, "num_sentences": 5},
            "retrieval": {"num_images": 4, "num_texts": 4},
        }
        folder.mkdir(parents=True, exist_ok=True)
        assert main(["augment", "--config", str(write_job(folder / "augment.yaml", values)), "--num_workers", "1"]) == 0
    return folder / "corpus"


def write_job(path: Path, values: dict[str, Any]) -> Path:
    """The job as a yaml file."""
    path.write_text(yaml.safe_dump(values))
    return path
