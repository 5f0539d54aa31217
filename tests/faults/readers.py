"""Every reader with a real file for it, made from the drawn world: what the fuzzer mutates, and how it is read."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.conftest import REPOSITORY, SmallWorld, make_small_world


@dataclass(frozen=True)
class Reader:
    """One way into the program."""

    name: str
    source: Path
    """The real file, or a folder of which one file is mutated."""

    read: Callable[[Path], Any]
    """Reads a mutated copy of the source."""

    def files(self) -> list[Path]:
        """What may be mutated, relative to the source; the source itself is `.`."""
        if self.source.is_file():
            return [Path(".")]
        return sorted(path.relative_to(self.source) for path in self.source.rglob("*") if path.is_file())


def all_readers(folder: Path) -> list[Reader]:
    """Every reader, with its files in ``folder``."""
    small = make_small_world(folder / "small")
    return [
        *_text_readers(small, folder),
        *_region_readers(small),
        *_model_readers(small, folder),
        *_conversion_readers(folder),
    ]


def _text_readers(small: SmallWorld, folder: Path) -> list[Reader]:
    from unimo.config.overrides import read_yaml
    from unimo.data.answers import read_answers
    from unimo.data.archives import extract_archive
    from unimo.data.formats.captions import read_captions, read_images, read_object_tags
    from unimo.data.formats.entailment import read_entailment
    from unimo.data.formats.generation import GenerationColumns, read_generation
    from unimo.data.formats.questions import read_questions
    from unimo.data.formats.tables import TextColumns, read_labelled_texts
    from unimo.data.formats.texts import read_texts
    from unimo.training.runlog import read_events

    world, columns = small.world, TextColumns("text_a", "text_b", "label")
    made = _made_files(folder / "made")
    readers = [
        Reader("captions", world / "captions_train.jsonl", read_captions),
        Reader("texts", world / "texts_train.jsonl", read_texts),
        Reader("images", world / "images_train.jsonl", read_images),
        Reader("labelled texts", world / "statements_train.tsv", lambda p: read_labelled_texts(p, columns)),
        Reader("quoted table", made / "table.csv", lambda p: read_labelled_texts(p, columns)),
        Reader("coco captions", made / "captions_val.json", read_captions),
        Reader("karpathy", made / "dataset_coco.json", lambda p: read_captions(f"{p}#test")),
        Reader("visual genome", made / "region_descriptions.json", read_captions),
        Reader("visual genome questions", made / "question_answers.json", read_questions),
        Reader("vqa", made / "questions.json", read_questions),
        Reader("snli-ve", made / "snli_ve_dev.jsonl", read_entailment),
        Reader("packed texts", made / "texts.txt.gz", read_texts),
        Reader("entailment", made / "entailment.jsonl", read_entailment),
        Reader("questions", made / "questions.jsonl", read_questions),
        Reader("object tags", made / "tags.jsonl", read_object_tags),
        Reader("answers", made / "answers.json", read_answers),
        Reader("coqa", made / "coqa.json", lambda p: read_generation(p, GenerationColumns(), dialogue=True)),
        Reader("generation", made / "generation.jsonl", lambda p: read_generation(p, GenerationColumns())),
        Reader("run log", made / "metrics.jsonl", read_events),
        Reader("zip archive", made / "archive.zip", lambda p: extract_archive(p, p.parent / "unpacked")),
        Reader("tar archive", made / "archive.tar.gz", lambda p: extract_archive(p, p.parent / "unpacked")),
    ]
    for config in ("pretrain/tiny.yaml", "finetune/sst2_small.yaml", "finetune/shapes/captioning.yaml"):
        readers.append(Reader(f"config {config}", REPOSITORY / "model_configs" / config, _load_job))
        readers.append(Reader(f"yaml {config}", REPOSITORY / "model_configs" / config, lambda p: read_yaml([p])))
    return readers


def _load_job(path: Path) -> Any:
    from unimo.cli.jobs import load_job

    return load_job([path], [])


def _region_readers(small: SmallWorld) -> list[Reader]:
    from unimo.regions.detectors import load_detector
    from unimo.regions.extract import read_image
    from unimo.regions.store import verify_store

    picture = sorted((small.world / "images").glob("*.png"))[0]
    return [
        Reader("region store", small.regions, lambda p: list(verify_store(p))),
        Reader("detector", small.regions / "detector", load_detector),
        Reader("picture", picture, read_image),
    ]


def _model_readers(small: SmallWorld, folder: Path) -> list[Reader]:
    from unimo.manifest import MANIFEST_NAME, check_whole
    from unimo.modeling import UnimoModel
    from unimo.tokenization import UnimoTokenizer

    sealed, checkpoint = _checkpoint(folder / "sealed", small), _checkpoint(folder / "checkpoints", small)
    (checkpoint / MANIFEST_NAME).unlink()  # with it every change is told by its checksum, and no reader is tried
    return [
        Reader("tokenizer", small.tokenizer, UnimoTokenizer.from_pretrained),
        Reader("model", checkpoint, UnimoModel.from_pretrained),
        Reader("training state", checkpoint, _load_checkpoint),
        Reader("manifest", sealed, check_whole),
        Reader("sealed model", sealed, UnimoModel.from_pretrained),
    ]


def _checkpoint(folder: Path, small: SmallWorld) -> Path:
    """A checkpoint of a network of one narrow layer."""
    import paddle

    from unimo.config.architecture import UnimoConfig
    from unimo.config.job import OptimizerConfig
    from unimo.modeling import UnimoModel
    from unimo.training.checkpoint import CheckpointFolder, Snapshot, TrainingState, host_copy
    from unimo.training.optimizer import AdamW

    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 16}
    model = UnimoModel(UnimoConfig(vocab_size=20, image_embedding_size=4, image_class_size=2, **sizes), {"match": 0})
    optimizer = AdamW(model, OptimizerConfig())
    sum(paddle.sum(parameter) for parameter in model.parameters()).backward()
    optimizer.step(0.1)
    checkpoints = CheckpointFolder(folder, {"tokenizer.json": small.tokenizer / "tokenizer.json"})
    state = TrainingState(3, {"texts": {"epoch": 0, "batch": 2}})
    checkpoints.save(Snapshot.of(model), host_copy(optimizer.state()), state)
    return checkpoints.path(3)


def _load_checkpoint(path: Path) -> Any:
    from unimo.config.job import OptimizerConfig
    from unimo.modeling import UnimoModel
    from unimo.modeling.pretrained import read_config
    from unimo.training.checkpoint import load_checkpoint
    from unimo.training.optimizer import AdamW

    model = UnimoModel(*read_config(path))
    state, moments = load_checkpoint(model, path)
    AdamW(model, OptimizerConfig()).load_state(moments, str(path))
    return state


def _conversion_readers(folder: Path) -> list[Reader]:
    """Other programs' weights, where their readers are there."""
    try:
        from unimo.conversion.fluid import read_fluid_folder, write_variable
        from unimo.conversion.pickles import read_paddle_arrays
    except ImportError:
        return []
    import paddle

    fluid = folder / "fluid"
    fluid.mkdir()
    for name, shape in (("word_embedding", (20, 8)), ("pre_encoder_layer_norm_scale", (8,))):
        write_variable(fluid / name, np.ones(shape, np.float32))
    paddle.save({"a.weight": paddle.ones([4, 3]), "b": paddle.zeros([5])}, str(folder / "model.pdparams"))
    return [
        Reader("fluid", fluid, read_fluid_folder),
        Reader("pdparams", folder / "model.pdparams", read_paddle_arrays),
    ]


def _made_files(folder: Path) -> Path:
    """Small files of the formats that the drawn world has none of."""
    folder.mkdir(parents=True, exist_ok=True)
    numbers = range(8)
    lines: dict[str, list[Any]] = {
        "entailment.jsonl": [{"image_id": f"i{n}", "hypothesis": f"a cat {n}", "label": "neutral"} for n in numbers],
        "questions.jsonl": [{"image_id": f"i{n}", "question": "what?", "answers": ["a cat", "two"]} for n in numbers],
        "tags.jsonl": [{"image_id": f"i{n}", "tags": ["cat", "mat"]} for n in numbers],
        "generation.jsonl": [{"src": f"a long text {n}", "tgt": "short"} for n in numbers],
        "snli_ve_dev.jsonl": [{"Flickr30K_ID": str(n), "gold_label": "neutral", "sentence2": "a"} for n in numbers],
        "metrics.jsonl": [{"step": n, "split": "train", "loss": 1.5} for n in numbers],
    }
    for name, values in lines.items():
        (folder / name).write_text("".join(json.dumps(value) + "\n" for value in values))
    coco = {
        "images": [{"id": n, "file_name": f"{n}.jpg"} for n in numbers],
        "annotations": [{"id": n, "image_id": n, "caption": f"a cat {n}"} for n in numbers],
    }
    turns = [{"input_text": "what?", "turn_id": 1}, {"input_text": "who?", "turn_id": 2}]
    sentences = [{"raw": "a cat", "sentid": 1}]
    asked = [{"question_id": n, "image_id": n, "question": "what?"} for n in numbers]
    documents: dict[str, Any] = {
        "captions_val.json": coco,
        "dataset_coco.json": {
            "images": [
                {"filepath": "val", "filename": f"{n}.jpg", "split": "test", "sentences": sentences} for n in numbers
            ]
        },
        "region_descriptions.json": [{"id": n, "regions": [{"image_id": n, "phrase": "a cat"}]} for n in numbers],
        "question_answers.json": [
            {"id": n, "qas": [{"qa_id": n, "image_id": n, "question": "what?", "answer": "a cat"}]} for n in numbers
        ],
        "questions.json": {"data_subtype": "val2014", "questions": asked},
        "coqa.json": {"data": [{"id": "a", "story": "A cat sat.", "questions": turns, "answers": turns}]},
        "answers.json": ["yes", "no", "two"],
    }
    for name, value in documents.items():
        (folder / name).write_text(json.dumps(value))
    (folder / "table.csv").write_text("text_a,text_b,label\n" + '"a, ""b""",c,1\n' * 5)
    for kind in ("zip", "gztar"):
        shutil.make_archive(str(folder / "archive"), kind, folder, "coqa.json")
    with gzip.open(folder / "texts.txt.gz", "wt") as stream:
        stream.writelines(f"a line of text {number}\n" for number in range(50))
    return folder


def copy_source(reader: Reader, folder: Path) -> Path:
    """A fresh copy of a reader's source, under its own name: readers go by suffix."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    copied = folder / "case" / reader.source.name
    copied.parent.mkdir()
    if "model_configs" in reader.source.parts:
        shutil.copytree(REPOSITORY / "model_configs" / "arch", folder / "arch")  # named by the configs
    if reader.source.is_dir():
        shutil.copytree(reader.source, copied)
    else:
        shutil.copyfile(reader.source, copied)
    return copied
