"""Every reader with a real file for it: what the fuzzer mutates, and how it is read.

The next reader is a line in its group, or a group of its own in ``GROUPS``; its file is made in ``sources``.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.conftest import REPOSITORY, SmallWorld, make_small_world
from tests.faults import sources
from unimo.tokenization import UnimoTokenizer

OPTIONAL = frozenset({"ctranslate2", "onnx", "onnxruntime", "paddle2onnx", "spacy"})
"""Packages that requirements.txt does not list: without them a group may be skipped, without any other it may not."""


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


@dataclass(frozen=True)
class Ground:
    """What groups make their files from, and where."""

    folder: Path

    @cached_property
    def small(self) -> SmallWorld:
        """The drawn world."""
        return make_small_world(self.folder / "small")

    @cached_property
    def tokenizer(self) -> UnimoTokenizer:
        """Its dictionary."""
        return UnimoTokenizer.from_pretrained(self.small.tokenizer)


def _lines(ground: Ground) -> list[Reader]:
    from unimo.augment.positives import ParaphraseFile
    from unimo.data.answers import read_answers
    from unimo.data.formats.captions import read_captions, read_images, read_object_tags
    from unimo.data.formats.entailment import read_entailment
    from unimo.data.formats.generation import GenerationColumns, read_generation
    from unimo.data.formats.questions import read_questions
    from unimo.data.formats.texts import read_texts
    from unimo.tokenization.corpus import TextFiles
    from unimo.worlds.shapes.scene import read_scenes

    world, made = ground.small.world, sources.write_published(ground.folder / "lines")
    return [
        Reader("captions", world / "captions_train.jsonl", read_captions),
        Reader("texts", world / "texts_train.jsonl", read_texts),
        Reader("images", world / "images_train.jsonl", read_images),
        Reader("scenes", world / "scenes.jsonl", read_scenes),
        Reader("packed texts", made / "texts.txt.gz", read_texts),
        Reader("texts of a tokenizer", made / "texts.txt.gz", lambda p: list(TextFiles([p]))),
        Reader("captions of a tokenizer", made / "captions_val.json", lambda p: list(TextFiles([p]))),
        Reader("entailment", made / "entailment.jsonl", read_entailment),
        Reader("questions", made / "questions.jsonl", read_questions),
        Reader("object tags", made / "tags.jsonl", read_object_tags),
        Reader("answers", made / "answers.json", read_answers),
        Reader("generation", made / "generation.jsonl", lambda p: read_generation(p, GenerationColumns())),
        Reader("paraphrases", made / "paraphrases.jsonl", lambda p: ParaphraseFile(str(p))),
    ]


def _published(ground: Ground) -> list[Reader]:
    from unimo.data.archives import extract_archive
    from unimo.data.formats.captions import read_captions, read_images
    from unimo.data.formats.entailment import read_entailment
    from unimo.data.formats.generation import GenerationColumns, read_generation
    from unimo.data.formats.questions import read_questions

    made, columns = sources.write_published(ground.folder / "published"), GenerationColumns()
    vqa = "v2_OpenEnded_mscoco_val2014_questions.json"
    return [
        Reader("coco captions", made / "captions_val.json", read_captions),
        Reader("coco images", made / "image_info_test.json", read_images),
        Reader("karpathy", made / "dataset_coco.json", lambda p: read_captions(f"{p}#test")),
        Reader("visual genome", made / "region_descriptions.json", read_captions),
        Reader("visual genome questions", made / "question_answers.json", read_questions),
        Reader("multi30k", made / "multi30k", lambda p: read_captions(p / "train.images.txt")),
        Reader("vqa", made / "questions.json", read_questions),
        Reader("vqa with annotations", made / "vqa", lambda p: read_questions(p / vqa)),
        Reader("snli-ve", made / "snli_ve_dev.jsonl", read_entailment),
        Reader("coqa", made / "coqa.json", lambda p: read_generation(p, columns, dialogue=True)),
        Reader("line pairs", made / "pairs", lambda p: read_generation(p / "src-train.txt", columns)),
        Reader("zip archive", made / "archive.zip", lambda p: extract_archive(p, p.parent / "unpacked")),
        Reader("tar archive", made / "archive.tar.gz", lambda p: extract_archive(p, p.parent / "unpacked")),
    ]


def _tables(ground: Ground) -> list[Reader]:
    from unimo.data.formats.generation import GenerationColumns, read_generation
    from unimo.data.formats.tables import TextColumns, read_labelled_texts

    made = sources.write_tables(ground.folder / "tables")
    pair = ("sentence1", "sentence2")
    labelled = {
        ground.small.world / "statements_train.tsv": TextColumns("text_a", "text_b", "label"),
        made / "sst2.tsv": TextColumns("sentence"),
        made / "cola.tsv": TextColumns("sentence", names=("source", "label", "mark", "sentence")),
        made / "mnli.tsv": TextColumns(*pair, "gold_label"),
        made / "stsb.tsv.gz": TextColumns(*pair, "score"),
        made / "table.csv": TextColumns("text_a", "text_b", "label"),
    }
    return [
        *(
            Reader(f"table {file.name}", file, lambda p, columns=columns: read_labelled_texts(p, columns))  # type: ignore[misc]
            for file, columns in labelled.items()
        ),
        Reader("generation table", made / "sources.tsv", lambda p: read_generation(p, GenerationColumns())),
        Reader("dialogue table", made / "dialogue.tsv", lambda p: read_generation(p, GenerationColumns(), True)),
        Reader("dialogue lines", made / "dialogue.jsonl", lambda p: read_generation(p, GenerationColumns(), True)),
    ]


def _release_data(ground: Ground) -> list[Reader]:
    from unimo.data.compat.features import ReleasedFeatures
    from unimo.data.formats import release
    from unimo.data.formats.generation import GenerationColumns, read_generation

    tokenizer = ground.tokenizer
    made = sources.write_release_data(ground.folder / "release", tokenizer)
    rows = GenerationColumns()

    def captions(path: Path) -> Any:
        return release.captions_of(path, tokenizer)

    def features(path: Path) -> Any:
        found = ReleasedFeatures(path)
        return [found[image_id] for image_id in found.ids()]

    return [
        Reader("release captions", made / "captions.txt", captions),
        Reader("release captions, packed", made / "captions.txt.gz", captions),
        Reader("release filelist", made / "listed", lambda p: captions(p / "train_filelist")),
        Reader("release captions of retrieval", made / "retrieval.txt", captions),
        Reader("release caption numbers", made / "retrieval.txt", release.caption_numbers),
        Reader("release image numbers", made / "numbers.tsv", release.read_image_numbers),
        Reader("release objects", made / "objects.txt", lambda p: release.object_tags_of(p, tokenizer)),
        Reader("release entailment", made / "entailment.txt", lambda p: release.entailment_of(p, tokenizer)),
        Reader(
            "release numbers of tokens",
            made / "tokenised.tsv",
            lambda p: [release.tokenized(each, tokenizer, p) for each in read_generation(p, rows)],
        ),
        Reader("release features, captions", made / "captions.txt.gz", features),
        Reader("release features, entailment", made / "entailment.txt", features),
        Reader("release features, retrieval", made / "features.tsv", features),
        *(
            Reader(f"import {kind}", made / file, lambda p, kind=kind: _import(kind, p))  # type: ignore[misc]
            for kind, file in {
                "bottom-up-attention": "bottom_up.tsv",
                "release-captions": "captions.txt",
                "release-entailment": "entailment.txt",
                "release-retrieval": "features.tsv",
            }.items()
        ),
    ]


def _import(kind: str, path: Path) -> int:
    from unimo.regions.importers import import_features

    return import_features(kind, [path], path.parent / "store", "1")


def _configs(ground: Ground) -> list[Reader]:
    from unimo.cli.jobs import load_job
    from unimo.config.overrides import read_yaml

    folder, readers = REPOSITORY / "model_configs", []
    for config in ("pretrain/tiny.yaml", "finetune/sst2_small.yaml", "finetune/shapes/captioning.yaml"):
        readers.append(Reader(f"config {config}", folder / config, lambda p: load_job([p], [])))
        readers.append(Reader(f"yaml {config}", folder / config, lambda p: read_yaml([p])))
    return readers


def _regions(ground: Ground) -> list[Reader]:
    from unimo.regions.detectors import load_detector
    from unimo.regions.extract import read_image
    from unimo.regions.store import verify_store

    small = ground.small
    return [
        Reader("region store", small.regions, lambda p: list(verify_store(p))),
        Reader("detector", small.regions / "detector", load_detector),
        Reader("picture", sorted((small.world / "images").glob("*.png"))[0], read_image),
    ]


def _models(ground: Ground) -> list[Reader]:
    from unimo.manifest import MANIFEST_NAME, check_whole
    from unimo.modeling import UnimoModel
    from unimo.tokenization.formats import read_release

    sealed = sources.write_checkpoint(ground.folder / "sealed", ground.small)
    checkpoint = sources.write_checkpoint(ground.folder / "checkpoints", ground.small)
    (checkpoint / MANIFEST_NAME).unlink()  # with it every change is told by its checksum, and no reader is tried
    triple = sources.write_dictionary_triple(ground.folder / "triple", ground.tokenizer)
    return [
        Reader("tokenizer", ground.small.tokenizer, UnimoTokenizer.from_pretrained),
        Reader("release dictionary", triple, read_release),
        Reader("model", checkpoint, UnimoModel.from_pretrained),
        Reader("training state", checkpoint, _load_checkpoint),
        Reader("manifest", sealed, check_whole),
        Reader("sealed model", sealed, UnimoModel.from_pretrained),
    ]


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


def _conversion(ground: Ground) -> list[Reader]:
    from unimo.cli.converting import load_arch
    from unimo.config.architecture import UnimoConfig
    from unimo.conversion.fluid import read_fluid_folder
    from unimo.conversion.pdparams import from_pdparams
    from unimo.conversion.release import from_fluid
    from unimo.conversion.roberta import from_roberta
    from unimo.conversion.roberta_dictionary import check_same_dictionary
    from unimo.conversion.torch_files import read_torch_arrays

    fluid = sources.write_fluid(ground.folder / "fluid", ground.small)
    pdparams = sources.write_pdparams_file(ground.folder / "model.pdparams")
    roberta = sources.write_robertas(ground.folder / "roberta", ground.tokenizer)
    config = UnimoConfig(vocab_size=0, image_embedding_size=0, **sources.SIZES)
    vocabulary = ground.tokenizer.vocabulary

    def convert_roberta(path: Path) -> Any:
        check_same_dictionary(path, vocabulary, ground.small.tokenizer)
        return from_roberta(path)

    return [
        Reader("fluid", fluid, lambda p: from_fluid(read_fluid_folder(p), config, p)),
        Reader("architecture", REPOSITORY / "model_configs" / "arch" / "tiny.yaml", lambda p: load_arch(str(p))),
        Reader("pdparams", pdparams, lambda p: from_pdparams(p, config)),
        Reader("roberta, safetensors", roberta / "safetensors", convert_roberta),
        Reader("roberta, torch", roberta / "torch", convert_roberta),
        Reader("torch", roberta / "new.bin", read_torch_arrays),
        Reader("torch, older", roberta / "old.bin", read_torch_arrays),
    ]


def _index(ground: Ground) -> list[Reader]:
    import numpy as np

    from unimo.inference.index import SIDES, Entry, VectorIndex

    def search(path: Path) -> Any:
        index = VectorIndex(path)
        queries = np.ones((2, index.size), np.float32)
        for side in SIDES:
            entries, (rows, _) = index.entries(side), index.search(side, queries, 3)
            index.vector(side, entries[int(rows[0, 0])].id)

    def add(path: Path) -> Any:
        index = VectorIndex(path)
        index.add("texts", [Entry("new", "a new text")], np.ones((1, index.size)))

    folder = sources.write_index(ground.folder / "vectors.index")
    return [Reader("index", folder, search), Reader("index, added to", folder, add)]


def _augmented(ground: Ground) -> list[Reader]:
    from unimo.augment.corpus import AugmentedCorpus
    from unimo.augment.job import augment

    def read(path: Path) -> Any:
        corpus = AugmentedCorpus(path)
        for number in range(len(corpus)):
            each = corpus[number]
            texts = [*each.positives, *each.retrieved_images, *each.retrieved_texts]
            texts += [text for kind in each.negatives.values() for text in kind]
            with contextlib.suppress(KeyError):  # a name that changed is not found
                corpus.nodes(each.image_id, each.caption)

    folder = sources.write_corpus(ground.folder / "corpus", ground.small)
    again = lambda p: augment(sources.corpus_config(ground.small, p), quiet=True)  # noqa: E731
    return [Reader("corpus", folder, read), Reader("corpus, made again", folder, again)]


def _exported(ground: Ground) -> list[Reader]:
    import numpy as np

    from unimo.data.examples import RegionInput
    from unimo.inference.exported import ExportedModel

    image = RegionInput(np.ones((3, 4), np.float32), np.ones((3, 5), np.float32), np.zeros((2, 4)))

    def encode(path: Path) -> Any:
        model = ExportedModel(path)
        return model.encode_texts(["a red circle", "left"]), model.encode_images([image])

    return [Reader("exported programs", sources.write_export(ground.folder / "export", ground.small), encode)]


def _runs(ground: Ground) -> list[Reader]:
    from unimo.reports.run import read_predictions, read_report
    from unimo.training.runlog import read_events

    made = sources.write_published(ground.folder / "runs")
    return [
        Reader("run log", made / "metrics.jsonl", read_events),
        Reader("predictions", made / "generation.jsonl", read_predictions),
        Reader("report", made / "report.json", lambda p: read_report(p.parent)),
    ]


Group = Callable[[Ground], list[Reader]]
GROUPS: Mapping[str, Group] = {
    "JSON lines and texts": _lines,
    "datasets as they are published": _published,
    "tables": _tables,
    "data files of the release": _release_data,
    "configs": _configs,
    "regions": _regions,
    "models and dictionaries": _models,
    "other programs' weights": _conversion,
    "index": _index,
    "augmented corpus": _augmented,
    "exported programs": _exported,
    "what runs leave": _runs,
}


def all_readers(folder: Path, groups: Mapping[str, Group] = GROUPS) -> tuple[list[Reader], list[str]]:
    """Every reader, with its files in ``folder``, and why a group was skipped.

    Raises:
        ImportError: a package is missing that is not optional.
    """
    ground, readers, skipped = Ground(folder), list[Reader](), list[str]()
    for name, group in groups.items():
        try:
            readers += group(ground)
        except ImportError as error:
            if (error.name or "").partition(".")[0] not in OPTIONAL:
                raise
            skipped.append(f"{name}: {error.name} is not installed")
    _check_names(reader.name for reader in readers)
    return readers, skipped


def _check_names(names: Iterable[str]) -> None:
    listed = list(names)
    assert len(set(listed)) == len(listed), "two readers share a name"


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
