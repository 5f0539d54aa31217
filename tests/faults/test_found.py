"""What fuzzing found, each as small as it gets, and the fuzzer and the harness themselves in a few cases."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import REPOSITORY, SmallWorld
from tests.conversion.roberta_folder import roberta_arrays, write_roberta
from tests.data.formats.released import entailment_line, feature_line
from tests.faults.readers import Ground, Group, Reader, all_readers
from tests.faults.sources import corpus_config, write_corpus, write_export, write_index
from unimo.augment.corpus import AugmentedCorpus
from unimo.augment.job import augment
from unimo.cli.jobs import load_job
from unimo.config.architecture import UnimoConfig
from unimo.config.overrides import read_yaml
from unimo.conversion.pdparams import from_pdparams
from unimo.conversion.roberta import from_roberta
from unimo.data.archives import extract_archive
from unimo.data.compat.features import ReleasedFeatures
from unimo.data.formats.captions import read_captions
from unimo.data.formats.questions import read_questions
from unimo.data.formats.tables import TextColumns, read_labelled_texts
from unimo.errors import InputError
from unimo.files import read_json
from unimo.inference.exported import ExportedModel
from unimo.inference.index import VectorIndex
from unimo.manifest import check_whole
from unimo.modeling.pretrained import read_config
from unimo.regions.importers import import_features
from unimo.regions.proposals.codebook import Codebook
from unimo.tasks.augmented import AugmentedSource
from unimo.training.runlog import read_events
from unimo.worlds.shapes.scene import read_scenes

BOMB = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefg", "bcdefgh", strict=True)
)


def refused(read: Callable[[Path], Any], path: Path, content: str | bytes) -> str:
    """The one line with which a file is refused."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(InputError) as caught:
        read(path)
    assert path.name in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("task: a\0b\n", "not valid yaml"),
        (BOMB, "more than 100,000 values"),
        ("a: &a [*a, *a]\n", "nested more than 50 levels|more than 100,000 values|not valid yaml"),
    ],
)
def test_yaml_that_is_none_or_endless(tmp_path: Path, content: str, reason: str) -> None:
    message = refused(lambda path: read_yaml([path]), tmp_path / "job.yaml", content)
    assert any(each in message for each in reason.split("|"))


def test_a_task_that_is_none_is_told_with_its_file(tmp_path: Path) -> None:
    assert "no task 'captioms'" in refused(lambda path: load_job([path], []), tmp_path / "job.yaml", "task: captioms\n")


def test_a_carriage_return_within_a_header(tmp_path: Path) -> None:
    read = lambda path: read_labelled_texts(path, TextColumns())  # noqa: E731
    assert "no column text_a" in refused(read, tmp_path / "a.tsv", "text\r_a\tlabel\nx\t1\n")


def test_archives_of_numbers_that_lie(tmp_path: Path) -> None:
    path = tmp_path / "codebook.npz"
    assert "not a codebook" in refused(Codebook.load, path, b"PK\x03\x04 nothing")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("centres.npy", b"")
    content = path.read_bytes().replace(b"centres.npy", b"centrew.npy", 1)
    assert "not a codebook" in refused(Codebook.load, path, content)


def test_a_zip_file_whose_directory_points_before_its_start(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "text")
    start = path.read_bytes().index(b"PK\x01\x02")
    content = path.read_bytes()[:start][:-8] + path.read_bytes()[start:]
    assert "a damaged one" in refused(lambda file: extract_archive(file, tmp_path / "out"), path, content)


def test_numbers_that_are_not_finite(tmp_path: Path) -> None:
    content = '[{"id": 1e999, "qas": [{"qa_id": 1, "image_id": 1e999, "question": "what?", "answer": "a"}]}]'
    assert "not Visual Genome's" in refused(read_questions, tmp_path / "question_answers.json", content)


@pytest.mark.parametrize("line", [b"\xa2", b"[]", b'{"step": "x", "split": "train"}', b'{"step": 3'])
def test_a_log_is_read_up_to_what_is_no_event(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"step": 1, "split": "train"}\n' + line + b"\n")
    assert [event["step"] for event in read_events(path)] == [1]


def test_no_attention_heads(tmp_path: Path) -> None:
    content = "task: captioning\noutput: a\ntokenizer: b\narch: {num_attention_heads: 0}\n"
    read = lambda path: load_job([path], [])  # noqa: E731
    assert "num_attention_heads" in refused(read, tmp_path / "job.yaml", content)


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [(0, "i" * 512, "of 512 bytes"), (0, "", "of 0 bytes"), (7, "99999999999", "image size")],
)
def test_lines_that_no_region_store_can_hold(tmp_path: Path, place: int, value: str, reason: str) -> None:
    fields = entailment_line(1, "0", [5]).split(";")
    read = lambda path: import_features("release-entailment", [path], tmp_path / "store", "1")  # noqa: E731
    content = ";".join([*fields[:place], value, *fields[place + 1 :]])
    assert reason in refused(read, tmp_path / "a.txt", content)
    assert not (tmp_path / "store").exists()


def test_a_number_of_boxes_that_no_memory_holds(tmp_path: Path) -> None:
    fields = feature_line(1).split("\t")
    content = feature_line(0) + "\t".join([*fields[:3], "4294967295", *fields[4:]])
    read = lambda path: ReleasedFeatures(path)["1"]  # noqa: E731
    assert ":2: num_boxes: 4294967295" in refused(read, tmp_path / "a.tsv", content)


@pytest.mark.parametrize("changes", [{"hidden_size": 10**9}, {"num_hidden_layers": 10**9}, {"vocab_size": 10**11}])
def test_a_roberta_larger_than_its_weights(tmp_path: Path, changes: dict[str, int]) -> None:
    folder = write_roberta(tmp_path / "roberta", roberta_arrays(), **changes)
    with pytest.raises(InputError, match=r"model\.safetensors: not a readable safetensors file of the about"):
        from_roberta(folder)


def test_scenes_whose_sides_are_no_numbers(tmp_path: Path) -> None:
    content = '{"image_id": "a", "split": "dev", "width": 1e999, "height": 8, "objects": []}\n'
    assert "not a scene" in refused(read_scenes, tmp_path / "scenes.jsonl", content)


def test_a_member_of_an_archive_without_a_name(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", "text")
    content = path.read_bytes().replace(b"a", b"\0")  # zipfile cuts a name at its first null
    assert "a damaged one" in refused(lambda file: extract_archive(file, tmp_path / "out"), path, content)


def test_a_list_of_files_with_a_name_that_is_too_long(tmp_path: Path) -> None:
    content = json.dumps({"format_version": 1, "files": {"a" * 5000: {}}})
    path = tmp_path / "manifest.json"
    path.write_text(content)
    with pytest.raises(InputError, match="missing from the folder"):
        check_whole(tmp_path)


def test_weights_without_words(tmp_path: Path) -> None:
    content = pickle.dumps({"region_embeddings.features.weight": np.ones((4, 8), np.float32)})
    read = lambda path: from_pdparams(path, UnimoConfig(vocab_size=0, image_embedding_size=0))  # noqa: E731
    assert "no embeddings of words" in refused(read, tmp_path / "a.pdparams", content)
    content = pickle.dumps({"text_embeddings.words.weight": np.ones((0, 8), np.float32)})
    assert "expected rows" in refused(read, tmp_path / "a.pdparams", content)


def test_an_index_with_numbers_that_are_none_or_a_damaged_header(tmp_path: Path) -> None:
    folder = write_index(tmp_path / "vectors.index")
    path = folder / "texts-000001.npy"
    whole = path.read_bytes()
    search = lambda _: VectorIndex(folder).search("texts", np.ones((1, 4)), 20)  # noqa: E731
    with pytest.raises(InputError, match="texts: a vector holds what is no finite number"):
        path.write_bytes(whole[:-4] + np.float32("nan").tobytes())
        search(path)
    assert "not a readable .npy file" in refused(search, path, whole.replace(b"}", b"(", 1))


@pytest.mark.parametrize(
    "values",
    [
        {"vocab_size": 4294967295},
        {"vocab_size": 0},
        {"vocab_size": 20, "max_position_embeddings": 0},
        {"hidden_size": 10**9},
        {"num_attention_heads": 0},
        {"hidden_size": -768},
        {"heads": []},
        {"heads": {"mach": 0}},
    ],
)
def test_sizes_that_the_weights_do_not_have(tmp_path: Path, values: dict[str, Any]) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"x" * 1000)
    with pytest.raises(InputError, match=r"config\.json"):
        (tmp_path / "config.json").write_text(json.dumps(values))
        read_config(tmp_path)


@pytest.mark.parametrize("read", [read_json, read_captions, lambda path: read_yaml([path])])
@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_what_is_nested_too_deeply_to_be_read(tmp_path: Path, read: Callable[[Path], Any], name: str) -> None:
    refused(read, tmp_path / name, "[" * 20_000)


def test_a_number_too_large_for_a_float(tmp_path: Path) -> None:
    content = f"task: captioning\noutput: a\ntokenizer: b\noptimizer: {{learning_rate: {'9' * 400}}}\n"
    assert "optimizer.learning_rate" in refused(lambda path: load_job([path], []), tmp_path / "job.yaml", content)


@pytest.fixture(scope="module")
def corpus(small_world: SmallWorld, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus") / "corpus", small_world)


def read_corpus(folder: Path) -> None:
    opened = AugmentedCorpus(folder)
    for number in range(len(opened)):
        each = opened[number]
        assert all(isinstance(text, str) for kind in each.negatives.values() for text in kind)
        assert all(isinstance(text, str) for text in [*each.positives, *each.retrieved_images, *each.retrieved_texts])


def flipped(content: bytes) -> bytes:
    return content.replace(b'"items"', b'"itemz"', 1)


@pytest.mark.parametrize(
    ("name", "damage", "reason"),
    [
        ("shard-00001.jsonl", lambda content: content[:-100], "not record"),
        ("shard-00001.jsonl", flipped, "not record 5 of an augmented corpus"),
        ("shard-00000.jsonl", lambda content: content.replace(b'"sentences":[', b'"sentences":[99999,'), "not record"),
        ("shard-00000.jsonl", lambda content: content.replace(b'"captions":["', b'"captions":["x'), "not record"),
        ("records.npy", lambda content: content[:-8], "not a readable .npy file"),
        ("records.npy", lambda content: content[:90], "not a readable .npy file"),
        ("records.npy", lambda content: content.replace(b"<i8", b"<f8"), "expected rows"),
        ("records.npy", lambda content: content[:128] + b"\xff" * 8 + content[136:], "record 0 is in shard -1"),
        ("texts.npy", lambda content: b"\x80\x04N.", "not a readable .npy file"),
        ("texts.txt", lambda content: b"\xb0" + content[1:], "text 0 is not UTF-8"),
        ("index.json", lambda content: b"[]", "format_version None"),
        ("index.json", lambda content: content.replace(b'"file"', b'"filo"'), "a file name each"),
    ],
)
def test_a_damaged_corpus_names_its_file(
    corpus: Path, tmp_path: Path, name: str, damage: Callable[[bytes], bytes], reason: str
) -> None:
    shutil.copytree(corpus, tmp_path / "corpus")
    path = tmp_path / "corpus" / name
    changed = damage(path.read_bytes())
    assert changed != path.read_bytes()
    assert reason in refused(lambda _: read_corpus(path.parent), path, changed)


def test_a_caption_that_the_corpus_never_saw(corpus: Path) -> None:
    pairs = AugmentedSource(str(corpus), [])
    first = pairs.corpus[0]
    assert pairs.nodes(first.image_id, first.caption)
    with pytest.raises(InputError, match="made from other pairs"):
        pairs.candidates(first.image_id, "a caption of yesterday")


def test_a_job_file_that_is_none(corpus: Path, small_world: SmallWorld, tmp_path: Path) -> None:
    shutil.copytree(corpus, tmp_path / "corpus")
    again = lambda path: augment(corpus_config(small_world, path.parent), quiet=True)  # noqa: E731
    assert "not a corpus job" in refused(again, tmp_path / "corpus" / "job.json", "[]")


@pytest.mark.parametrize("suffix", [".json", ".pdiparams"])
def test_a_program_that_is_damaged_is_not_run(small_world: SmallWorld, tmp_path: Path, suffix: str) -> None:
    folder = write_export(tmp_path, small_world)
    assert ExportedModel(folder).encode_texts(["left"]).shape == (1, 8)
    content = (folder / f"text{suffix}").read_bytes()
    read = lambda path: ExportedModel(folder).encode_texts(["left"])  # noqa: E731
    assert "SHA-256" in refused(read, folder / f"text{suffix}", content[:-1] + bytes([content[-1] ^ 1]))


def test_a_group_is_skipped_for_want_of_an_optional_package_alone(tmp_path: Path) -> None:
    def lacking(name: str) -> dict[str, Group]:
        def group(ground: Ground) -> list[Reader]:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

        return {"a group": group}

    assert all_readers(tmp_path, lacking("spacy.tokens")) == ([], ["a group: spacy.tokens is not installed"])
    for hard in ("lmdb", "unimo.conversion.fluid"):
        with pytest.raises(ModuleNotFoundError):
            all_readers(tmp_path, lacking(hard))


@pytest.mark.slow
@pytest.mark.multiprocess
def test_the_fuzzer_finds_nothing_in_a_few_cases() -> None:
    command = [sys.executable, "tests/faults/fuzz.py", "--cases", "150", "--seed", "2"]
    finished = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=280)
    assert finished.stdout.splitlines()[-1] == "150 passed, 0 failed", finished.stdout


@pytest.mark.slow
@pytest.mark.multiprocess
def test_the_harness_of_faults_passes_a_run() -> None:
    command = [sys.executable, "tests/faults/run.py", "--runs", "1", "--seed", "2"]
    finished = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=600)
    assert finished.stdout.splitlines()[-1] == "1 passed, 0 failed", finished.stdout
