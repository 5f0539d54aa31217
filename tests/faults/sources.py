"""The real files that the fuzzer mutates, small ones of every format that the drawn world has none of."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from tests.conftest import SmallWorld
from tests.conversion.roberta_folder import roberta_arrays, write_dictionary, write_roberta
from tests.conversion.torch_format import Tensor, write_torch_legacy, write_torch_zip
from tests.data.formats.released import (
    caption_line,
    entailment_line,
    feature_line,
    numbers_of,
    object_line,
    retrieval_line,
    write,
    write_filelist,
)
from unimo.tokenization import UnimoTokenizer

NUMBERS = range(8)
SIZES = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 16}


def write_published(folder: Path) -> Path:
    """Datasets as they are published, and our own JSON lines."""
    folder.mkdir(parents=True, exist_ok=True)
    lines: dict[str, list[Any]] = {
        "entailment.jsonl": [{"image_id": f"i{n}", "hypothesis": f"a cat {n}", "label": "neutral"} for n in NUMBERS],
        "questions.jsonl": [{"image_id": f"i{n}", "question": "what?", "answers": ["a cat", "two"]} for n in NUMBERS],
        "tags.jsonl": [{"image_id": f"i{n}", "tags": ["cat", "mat"]} for n in NUMBERS],
        "generation.jsonl": [{"src": f"a long text {n}", "tgt": "short"} for n in NUMBERS],
        "snli_ve_dev.jsonl": [{"Flickr30K_ID": str(n), "gold_label": "neutral", "sentence2": "a"} for n in NUMBERS],
        "metrics.jsonl": [{"step": n, "split": "train", "loss": 1.5} for n in NUMBERS],
        "paraphrases.jsonl": [{"text": f"a cat {n}", "paraphrases": ["one cat"]} for n in NUMBERS],
    }
    for name, values in lines.items():
        (folder / name).write_text("".join(json.dumps(value) + "\n" for value in values))
    for name, value in _documents().items():
        write(folder / name, [json.dumps(value)])
    _write_pairs_of_files(folder)
    for kind in ("zip", "gztar"):
        shutil.make_archive(str(folder / "archive"), kind, folder, "coqa.json")
    with gzip.open(folder / "texts.txt.gz", "wt") as stream:
        stream.writelines(f"a line of text {number}\n" for number in range(50))
    return folder


def _documents() -> dict[str, Any]:
    coco = {
        "images": [{"id": n, "file_name": f"{n}.jpg"} for n in NUMBERS],
        "annotations": [{"id": n, "image_id": n, "caption": f"a cat {n}"} for n in NUMBERS],
    }
    turns = [{"input_text": "what?", "turn_id": 1}, {"input_text": "who?", "turn_id": 2}]
    story = {"id": "a", "story": "A cat sat.", "questions": turns, "answers": turns, "additional_answers": {"0": turns}}
    sentences = [{"raw": "a cat", "sentid": 1}]
    karpathy = [{"filepath": "val", "filename": f"{n}.jpg", "split": "test", "sentences": sentences} for n in NUMBERS]
    asked = [{"question_id": n, "image_id": n, "question": "what?"} for n in NUMBERS]
    answered = [{"qa_id": n, "image_id": n, "question": "what?", "answer": "a cat"} for n in NUMBERS]
    annotated = [{"question_id": n, "image_id": n, "answers": [{"answer": "cat", "answer_id": 1}]} for n in NUMBERS]
    return {
        "captions_val.json": coco,
        "image_info_test.json": {"images": coco["images"]},
        "dataset_coco.json": {"images": karpathy},
        "region_descriptions.json": [{"id": n, "regions": [{"image_id": n, "phrase": "a cat"}]} for n in NUMBERS],
        "question_answers.json": [{"id": n, "qas": [answered[n]]} for n in NUMBERS],
        "questions.json": {"data_subtype": "val2014", "questions": asked},
        "vqa/v2_OpenEnded_mscoco_val2014_questions.json": {"data_subtype": "val2014", "questions": asked},
        "vqa/v2_mscoco_val2014_annotations.json": {"data_subtype": "val2014", "annotations": annotated},
        "coqa.json": {"data": [story]},
        "answers.json": ["yes", "no", "two"],
        "report.json": {"splits": {"dev": {"accuracy": 0.5}}, "steps": 3, "seconds": 1.0},
    }


def _write_pairs_of_files(folder: Path) -> None:
    write(folder / "pairs" / "src-train.txt", [f"a long text {n}\n" for n in NUMBERS])
    write(folder / "pairs" / "tgt-train.txt", [f"a text {n}\n" for n in NUMBERS])
    write(folder / "multi30k" / "train.images.txt", [f"{n}.jpg\n" for n in NUMBERS])
    write(folder / "multi30k" / "train.1.en", [f"a cat {n}\n" for n in NUMBERS])
    write(folder / "multi30k" / "train.2.en.gz", [f"two cats {n}\n" for n in NUMBERS])


def write_tables(folder: Path) -> Path:
    """Tables of texts: GLUE's downloads in their layouts, others with and without quoting."""
    mnli = "index\tgenre\tsentence1\tsentence2\tlabel1\tgold_label\n"
    stsb = "index\tgenre\tsentence1\tsentence2\tscore\n"
    write(folder / "sst2.tsv", ["sentence\tlabel\n", *(f'a "fine" film {n} \t1\n' for n in NUMBERS)])
    write(folder / "cola.tsv", [f"gj04\t{n % 2}\t*\tThey drank the pub.\n" for n in NUMBERS])
    write(folder / "mnli.tsv", [mnli, *(f"{n}\tnews\tHe said.\tHe was.\tneutral\tneutral\n" for n in NUMBERS)])
    write(folder / "stsb.tsv.gz", [stsb, *(f"{n}\tnews\tA man.\tA boy.\t{n / 2}\n" for n in NUMBERS)])
    write(folder / "table.csv", ["text_a,text_b,label\n", *('"a, ""b""",c,1\n' for _ in NUMBERS)])
    write(folder / "sources.tsv", ["src\ttgt\n", *(f"a long text {n}\tshort\n" for n in NUMBERS)])
    turn = json.dumps({"knowledge": "cats", "src": ["hi", "who?"], "tgt": "a cat"})
    write(folder / "dialogue.jsonl", [f"{turn}\n" for _ in NUMBERS])
    write(folder / "dialogue.tsv", ["knowledge\tsrc\ttgt\n", *("cats\thi [SEP] who?\ta cat\n" for _ in NUMBERS)])
    return folder


def write_release_data(folder: Path, tokenizer: UnimoTokenizer) -> Path:
    """The data files of the original release, of every layout, plain, packed and behind a filelist."""
    ids = tokenizer.encode("a red circle")
    captions = [caption_line(n, ids) for n in NUMBERS]
    write(folder / "captions.txt", captions)
    write(folder / "captions.txt.gz", captions)
    listed = [write(folder / "listed" / name, captions[:2]) for name in ("a.txt", "b.txt.gz")]
    write_filelist(folder / "listed" / "train_filelist", listed)
    write(folder / "entailment.txt", [entailment_line(n, "1", ids) for n in NUMBERS])
    write(folder / "retrieval.txt", [retrieval_line(n, n, ids) for n in NUMBERS])
    write(folder / "objects.txt", [object_line(n, ids) for n in NUMBERS])
    write(folder / "numbers.tsv", [f"image {n}\t{n}\n" for n in NUMBERS])
    write(folder / "features.tsv", [feature_line(n) for n in NUMBERS])
    write(folder / "bottom_up.tsv", [feature_line(n).rpartition("\t")[0] + "\n" for n in NUMBERS])
    numbers = numbers_of(tokenizer, "a red circle")
    write(folder / "tokenised.tsv", ["src\ttgt\n", *(f"{numbers}\t{numbers}\n" for _ in NUMBERS)])
    return folder


def write_dictionary_triple(folder: Path, tokenizer: UnimoTokenizer) -> Path:
    """A dictionary in the three files of the original release."""
    vocabulary = tokenizer.vocabulary
    numbers = {token_id: number for number, token_id in vocabulary.gpt2_ids.items() if number.isdecimal()}
    encoder = {vocabulary.tokens[token_id]: int(number) for token_id, number in numbers.items()}
    write(folder / "unimo.encoder.json", [json.dumps(encoder)])
    write(folder / "unimo.vocab.bpe", ["#version: 0.2\n", *(f"{left} {right}\n" for left, right in vocabulary.merges)])
    write(folder / "unimo.vocab.txt", [f"{numbers.get(n, token)}\n" for n, token in enumerate(vocabulary.tokens)])
    return folder


def write_checkpoint(folder: Path, small: SmallWorld) -> Path:
    """A checkpoint of a network of one narrow layer, with optimizer and training state."""
    import paddle

    from unimo.config.architecture import UnimoConfig
    from unimo.config.job import OptimizerConfig
    from unimo.modeling import UnimoModel
    from unimo.training.checkpoint import CheckpointFolder, Snapshot, TrainingState, host_copy
    from unimo.training.optimizer import AdamW

    model = UnimoModel(UnimoConfig(vocab_size=20, image_embedding_size=4, image_class_size=2, **SIZES), {"match": 0})
    optimizer = AdamW(model, OptimizerConfig())
    sum(paddle.sum(parameter) for parameter in model.parameters()).backward()
    optimizer.step(0.1)
    checkpoints = CheckpointFolder(folder, {"tokenizer.json": small.tokenizer / "tokenizer.json"})
    state = TrainingState(3, {"texts": {"epoch": 0, "batch": 2}})
    checkpoints.save(Snapshot.of(model), host_copy(optimizer.state()), state)
    return checkpoints.path(3)


def write_export(folder: Path, small: SmallWorld) -> Path:
    """The programs of a narrow network over the small world's dictionary."""
    from unimo.config.architecture import UnimoConfig
    from unimo.inference.export import export_checkpoint
    from unimo.modeling import UnimoModel

    tokenizer = UnimoTokenizer.from_pretrained(small.tokenizer)
    config = UnimoConfig(vocab_size=tokenizer.vocab_size, image_embedding_size=4, **SIZES)
    UnimoModel(config, dict.fromkeys(("text_pooler", "image_pooler", "match"), 0)).save_pretrained(
        folder / "checkpoint"
    )
    tokenizer.save_pretrained(folder / "checkpoint")
    limits = {"max_text_length": 12, "max_regions": 4}
    export_checkpoint(folder / "checkpoint", folder / "exported", ("text", "image"), onnx=False, limits=limits)
    return folder / "exported"


def write_index(folder: Path) -> Path:
    """Vectors of images and texts, in two segments."""
    from unimo.inference.index import Entry, VectorIndex

    rng = np.random.default_rng(1)
    index = VectorIndex.create(folder, 4, {"checkpoint": "nowhere", "fingerprint": "0"})
    for part in range(2):
        images = [Entry(f"i{part}{n}") for n in NUMBERS]
        texts = [Entry(f"t{part}{n}", f"a cat {n}") for n in NUMBERS]
        index.add("images", images, rng.random((len(images), 4)))
        index.add("texts", texts, rng.random((len(texts), 4)))
    return folder


def corpus_config(small: SmallWorld, output: Path) -> Any:
    """The corpus job over the small world."""
    from unimo.augment.options import AugmentConfig, PairFiles, RewriteOptions

    return AugmentConfig(
        pairs=PairFiles((str(small.world / "captions_dev.jsonl"),)),
        output=str(output),
        texts=(str(small.world / "texts_train.jsonl"),),
        regions=str(small.regions),
        records_per_shard=5,
        rewriting=RewriteOptions(num_nodes=4, num_sentences=2, min_count=1),
    )


def write_corpus(folder: Path, small: SmallWorld) -> Path:
    """What `unimo augment` makes of the small world: shards, tables and their index."""
    from unimo.augment.job import augment

    augment(corpus_config(small, folder), quiet=True)
    return folder


def write_fluid(folder: Path, small: SmallWorld) -> Path:
    """A model as the original release saves it."""
    from unimo.config.architecture import UnimoConfig
    from unimo.conversion.fluid import write_fluid_folder
    from unimo.conversion.release import to_fluid
    from unimo.modeling import UnimoModel

    config = UnimoConfig(vocab_size=20, image_embedding_size=4, **SIZES)
    model = UnimoModel(config, dict.fromkeys(("text_pooler", "image_pooler", "match"), 0))
    arrays = {name: value.numpy() for name, value in model.state_dict().items()}
    write_fluid_folder(to_fluid(arrays, config, model.head_sizes, folder)[0], folder)
    return folder


def write_pdparams_file(path: Path) -> Path:
    """A model as Paddle's users keep it."""
    from unimo.config.architecture import UnimoConfig
    from unimo.conversion.pdparams import write_pdparams
    from unimo.modeling import UnimoModel

    write_pdparams(UnimoModel(UnimoConfig(vocab_size=20, image_embedding_size=4, **SIZES), {"match": 0}), path)
    return path


def write_robertas(folder: Path, tokenizer: UnimoTokenizer) -> Path:
    """Hugging Face's folders, safetensors and torch, and torch's older format."""
    arrays = roberta_arrays(tokenizer.vocab_size)
    for name in ("safetensors", "torch"):
        write_roberta(folder / name, arrays, torch=name == "torch")
        write_dictionary(folder / name, tokenizer.vocabulary)
    tensors = {name: Tensor.of(value) for name, value in roberta_arrays(20).items()}
    write_torch_zip(folder / "new.bin", tensors)
    write_torch_legacy(folder / "old.bin", tensors)
    return folder
