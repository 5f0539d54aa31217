"""A few records of every downstream dataset, in the form in which it is published."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from unimo.config.architecture import UnimoConfig
from unimo.modeling import UnimoModel
from unimo.regions import FeatureSpec, Regions
from unimo.regions.store import RegionStoreWriter
from unimo.tokenization import UnimoTokenizer

NUM_RECORDS = 6
NUMBERS = range(1, NUM_RECORDS + 1)
SPEC = FeatureSpec("bottom-up-attention", "1", 12, 5)
SENTENCES = [f"a {color} {shape} is here" for color in ("red", "blue", "green") for shape in ("circle", "square")]


@dataclass(frozen=True)
class Published:
    """How a dataset's files are written, and what `predict` is asked afterwards."""

    write: Callable[[Path], None]
    task: str
    texts: tuple[str, ...] = ()
    image: str = ""


def write_lines(path: Path, lines: list[str]) -> None:
    """Text lines, in folders that are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def write_json_file(path: Path, value: object) -> None:
    """A JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def _sst2(folder: Path) -> None:
    for split in ("train", "dev"):
        write_lines(folder / f"{split}.tsv", ["sentence\tlabel", *(f"{t}\t{n % 2}" for n, t in enumerate(SENTENCES))])


def _cola(folder: Path) -> None:
    for split in ("train", "dev"):
        write_lines(folder / f"{split}.tsv", [f"gj04\t{n % 2}\t*\t{t}" for n, t in enumerate(SENTENCES)])


def _mnli(folder: Path) -> None:
    labels = ("contradiction", "entailment", "neutral")
    rows = [f"{n}\t{t}\t{SENTENCES[0]}\t{labels[n % 3]}" for n, t in enumerate(SENTENCES)]
    for name in ("train", "dev_matched", "dev_mismatched"):
        write_lines(folder / "MNLI" / f"{name}.tsv", ["index\tsentence1\tsentence2\tgold_label", *rows])
    unlabelled = [f"{n}\t{t}\t{t}" for n, t in enumerate(SENTENCES)]
    write_lines(folder / "AX" / "diagnostic.tsv", ["index\tsentence1\tsentence2", *unlabelled])


def _stsb(folder: Path) -> None:
    header = "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore"
    rows = [f"{n}\tg\tf\t2012\t{n}\ta\tb\t{t}\t{SENTENCES[0]}\t{n % 6}.5" for n, t in enumerate(SENTENCES)]
    for split in ("train", "dev"):
        write_lines(folder / f"{split}.tsv", [header, *rows])


def _line_pairs(*names: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        for name in names:
            write_lines(folder / name, SENTENCES)

    return write


def _coqa(folder: Path) -> None:
    questions = [{"turn_id": n, "input_text": f"is it {t}?"} for n, t in enumerate(SENTENCES, start=1)]
    answers = [{"turn_id": n, "input_text": "yes"} for n in range(1, len(SENTENCES) + 1)]
    story = {"id": "s", "story": "a red circle is here. it is round.", "questions": questions, "answers": answers}
    extra = {"additional_answers": {str(k): answers for k in range(3)}}
    write_json_file(folder / "coqa-train-v1.0.json", {"data": [story]})
    write_json_file(folder / "coqa-dev-v1.0.json", {"data": [story | extra]})


def _karpathy(name: str, image_name: Callable[[int], dict[str, object]]) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        images = []
        for split in ("train", "restval", "val", "test"):
            for n in NUMBERS:
                sentences = [{"raw": SENTENCES[n % 6]}, {"raw": f"there is {SENTENCES[n % 6]}"}]
                images.append({**image_name(n), "split": split, "imgid": len(images), "sentences": sentences})
        write_json_file(folder / name, {"dataset": "x", "images": images})
        write_store(folder / "regions")
        tags = [{"image_id": f"val2014/COCO_val2014_{n:012d}", "tags": ["circle", "red"]} for n in NUMBERS]
        write_lines(folder / "object_tags.jsonl", [json.dumps(each) for each in tags])

    return write


def _snli_ve(folder: Path) -> None:
    labels = ("contradiction", "entailment", "neutral")
    for split in ("train", "dev", "test"):
        records = [
            {"Flickr30K_ID": str(n), "sentence2": SENTENCES[n % 6], "gold_label": labels[n % 3], "pairID": f"{n}#0"}
            for n in NUMBERS
        ]
        write_lines(folder / f"snli_ve_{split}.jsonl", [json.dumps(each) for each in records])
    write_store(folder / "regions")


def _vqa(folder: Path) -> None:
    for split in ("train2014", "val2014"):
        questions = [{"image_id": n, "question": f"is {SENTENCES[n % 6]}?", "question_id": n} for n in NUMBERS]
        answers = [
            {"image_id": n, "question_id": n, "answers": [{"answer": "yes", "answer_id": k} for k in range(10)]}
            for n in NUMBERS
        ]
        questions_name = f"v2_OpenEnded_mscoco_{split}_questions.json"
        write_json_file(folder / questions_name, {"data_subtype": split, "questions": questions})
        write_json_file(folder / f"v2_mscoco_{split}_annotations.json", {"annotations": answers})
    write_json_file(folder / "answers.json", ["yes", "no"])
    write_store(folder / "regions")


def write_store(path: Path) -> None:
    """Random features of every image under its bare number."""
    rng = np.random.default_rng(0)
    writer = RegionStoreWriter(path, SPEC)
    for n in NUMBERS:
        corners = np.sort(rng.uniform(0, 100, (4, 2, 2)), axis=1).reshape(4, 4).astype(np.float32)
        probabilities = rng.dirichlet(np.ones(SPEC.num_classes), 4).astype(np.float32)
        features = rng.normal(size=(4, SPEC.feature_size)).astype(np.float32)
        writer.add(str(n), Regions(features, corners, 100, 100, probabilities))
    writer.finish({"format": SPEC.name})


def _coco_image(n: int) -> dict[str, object]:
    return {"filepath": "val2014", "filename": f"COCO_val2014_{n:012d}.jpg", "cocoid": n}


ONE, PAIR = (SENTENCES[0],), (f"{SENTENCES[0]} ||| {SENTENCES[1]}",)
GENERATION = "text_generation"

DATASETS = {
    "sst2": Published(_sst2, "text_classification", ONE),
    "cola": Published(_cola, "text_classification", ONE),
    "mnli": Published(_mnli, "text_classification", PAIR),
    "stsb": Published(_stsb, "text_regression", PAIR),
    "cnndm": Published(
        _line_pairs(*(f"{s}.{k}" for s in ("train", "val", "test") for k in ("source", "target"))), GENERATION, ONE
    ),
    "gigaword": Published(
        _line_pairs(*(f"{s}.{k}.txt" for s in ("train", "dev", "test") for k in ("src", "tgt"))), GENERATION, ONE
    ),
    "squad_qg": Published(
        _line_pairs(*(f"{k}-{s}.txt" for s in ("train", "dev", "test") for k in ("src", "tgt"))), GENERATION, ONE
    ),
    "coqa": Published(_coqa, GENERATION, PAIR),
    "flickr30k": Published(
        _karpathy("dataset_flickr30k.json", lambda n: {"filename": f"{n}.jpg"}), "retrieval", ONE, "2"
    ),
    "snli_ve": Published(_snli_ve, "visual_entailment", ONE, "2"),
    "coco_captions": Published(_karpathy("dataset_coco.json", _coco_image), "captioning", (), "2"),
    "vqa": Published(_vqa, "question_answering", ONE, "2"),
}
"""Recipe -> its data."""


SIZES = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
SHRUNK = [word for name, size in SIZES.items() for word in (f"--arch.{name}", str(size))]
"""What a recipe's architecture is overridden with, so that it is the one of the checkpoint."""


def write_checkpoint(folder: Path, corpus: Path) -> None:
    """A tiny pre-trained model of the released kind: both modalities, bottom-up-attention features, a dictionary."""
    write_lines(corpus, SENTENCES * 20)
    tokenizer = UnimoTokenizer.train([corpus], 320)
    config = UnimoConfig(
        vocab_size=tokenizer.vocab_size,
        image_embedding_size=SPEC.feature_size,
        image_class_size=SPEC.num_classes,
        region_feature_name=SPEC.name,
        region_feature_version=SPEC.version,
        tokenizer_fingerprint=tokenizer.fingerprint,
        **SIZES,
    )
    heads = {"text_pooler": 0, "image_pooler": 0, "masked_language": 0, "match": 0}
    UnimoModel(config, heads).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
