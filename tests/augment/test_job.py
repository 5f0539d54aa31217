"""The corpus job from files to the reader, in one process, in several, on a cluster, and interrupted."""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import SmallWorld
from unimo.augment import job as job_module
from unimo.augment.corpus import NEGATIVE_KINDS, AugmentedCorpus
from unimo.augment.graph import KINDS
from unimo.augment.identity import input_files
from unimo.augment.inputs import read_pairs
from unimo.augment.job import augment
from unimo.augment.options import (
    AugmentConfig,
    PairFiles,
    ParserOptions,
    PositiveOptions,
    RetrievalOptions,
    RewriteOptions,
)
from unimo.augment.tables import TextTable
from unimo.cli.augment import Arguments, load_augment_config, run
from unimo.data.formats.captions import read_captions
from unimo.errors import InputError
from unimo.files import read_json
from unimo.tasks.augmented import AugmentedSource

TEXTS = [
    "A bench is a long seat for several people.",
    "Soldiers carry heavy packs.",
    "The beach was empty.",
    "Horses eat grass.",
]


@pytest.fixture
def config(pairs_file: Path, tmp_path: Path) -> AugmentConfig:
    texts = tmp_path / "texts.txt"
    texts.write_text("\n".join(TEXTS * 3))
    return AugmentConfig(
        pairs=PairFiles((str(pairs_file),)),
        output=str(tmp_path / "corpus"),
        texts=(str(texts),),
        records_per_shard=25,
        rewriting=RewriteOptions(num_nodes=8, num_sentences=5, min_count=1),
        retrieval=RetrievalOptions(num_texts=4),
    )


def bytes_of(folder: str | Path) -> dict[str, bytes]:
    """Every file but the two that name the output folder."""
    files = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
    return {name: data for name, data in files.items() if name != "config.yaml"}


def other_output(config: AugmentConfig, name: str) -> AugmentConfig:
    return dataclasses.replace(config, output=str(Path(config.output).parent / name))


def test_the_corpus_is_read_back(config: AugmentConfig) -> None:
    result = augment(config, quiet=True)
    assert (result.num_shards, result.num_new) == (3, 3)
    corpus = AugmentedCorpus(config.output)
    records = read_pairs(config.pairs)
    assert len(corpus) == 120
    assert [corpus[number].caption for number in range(120)] == [text for record in records for text in record.captions]
    counts = dict.fromkeys(NEGATIVE_KINDS, 0)
    for number in range(120):
        candidates = corpus[number]
        record = records[number // 2]
        assert candidates.image_id == record.image_id
        assert set(candidates.positives) == set(record.captions) - {candidates.caption}
        assert {kind for kind, _, _ in candidates.nodes} == set(KINDS)
        spans = {(edit.start, edit.end) for rewrite in candidates.rewrites for edit in rewrite.nodes}
        assert spans <= {(start, end) for _, start, end in candidates.nodes}
        for kind, texts in candidates.negatives.items():
            counts[kind] += len(texts)
            assert not set(texts) & set(record.captions)
        assert set(candidates.retrieved_texts) <= set(TEXTS)
    assert counts.pop("exchange") == 0  # off by default
    assert {kind: result.statistics[f"negatives: {kind}"] for kind in counts} == counts
    assert min(counts.values()) > 0
    assert read_json(Path(config.output) / "stats.json") == result.statistics
    again = pickle.loads(pickle.dumps(corpus))
    assert again["image007", records[7].captions[1]].caption == records[7].captions[1]
    with pytest.raises(KeyError):
        corpus["image007", "no such caption"]
    with pytest.raises(IndexError):
        corpus[120]


def test_free_texts_speak_of_what_the_caption_speaks_of(config: AugmentConfig) -> None:
    augment(config, quiet=True)
    corpus = AugmentedCorpus(config.output)
    for number in range(len(corpus)):
        for text in corpus[number].retrieved_texts:
            assert any(word[:4] in corpus[number].caption.lower() for word in text.lower().split() if len(word) > 3)


@pytest.mark.slow
@pytest.mark.multiprocess
def test_the_same_bytes_from_two_processes(config: AugmentConfig) -> None:
    augment(config, quiet=True)
    other = other_output(config, "two")
    augment(other, num_workers=2, quiet=True)
    assert bytes_of(other.output) == bytes_of(config.output)


@pytest.mark.slow
@pytest.mark.multiprocess
def test_the_same_bytes_from_a_cluster(config: AugmentConfig) -> None:
    """A real scheduler and two workers, each a process of its own."""
    distributed = pytest.importorskip("distributed")
    augment(config, quiet=True)
    other = other_output(config, "cluster")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        augment(other, scheduler=cluster.scheduler_address, quiet=True)
    assert bytes_of(other.output) == bytes_of(config.output)


def test_no_scheduler_at_the_address(config: AugmentConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unimo.augment.executors.CONNECT_SECONDS", 1)
    with pytest.raises(InputError, match="no Dask scheduler answers there"):
        augment(config, scheduler="tcp://127.0.0.1:9", quiet=True)


def test_an_interrupted_job_goes_on(config: AugmentConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = other_output(config, "whole")
    augment(whole, quiet=True)
    made: list[int] = []
    original = job_module.augment_shard

    def interrupted(folder: str, shard: int) -> None:
        if len(made) == 1:
            raise KeyboardInterrupt
        made.append(shard)
        original(folder, shard)

    monkeypatch.setattr(job_module, "augment_shard", interrupted)
    with pytest.raises(KeyboardInterrupt):
        augment(config, quiet=True)
    with pytest.raises(InputError, match="the corpus is not finished"):
        AugmentedCorpus(config.output)
    monkeypatch.setattr(job_module, "augment_shard", original)
    assert augment(config, quiet=True).num_new == 2
    assert bytes_of(config.output) == bytes_of(whole.output)
    assert augment(config, quiet=True).num_new == 0


def test_another_configuration_is_refused(config: AugmentConfig) -> None:
    augment(config, quiet=True)
    changed = dataclasses.replace(config, seed=2)
    with pytest.raises(InputError, match=r"corpus of another config\.seed; give --overwrite"):
        augment(changed, quiet=True)
    assert augment(changed, overwrite=True, quiet=True).num_new == 3


def test_the_corpus_of_the_configuration_that_replaced_another(config: AugmentConfig) -> None:
    """A process that worked for a job before keeps nothing of it, as a cluster's worker may."""
    augment(config, quiet=True)
    changed = dataclasses.replace(config, seed=2)
    augment(changed, overwrite=True, quiet=True)
    fresh = other_output(changed, "fresh")
    augment(fresh, quiet=True)
    assert bytes_of(changed.output) == bytes_of(fresh.output)


def test_workers_find_the_files_from_another_folder(
    config: AugmentConfig, small_world: SmallWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = tmp_path / "names"
    names.mkdir()
    for part in ("objects", "attributes", "relations"):
        (names / f"{part}.txt").write_text("zebra\n")
    paraphrases = tmp_path / "paraphrases.jsonl"
    first = read_pairs(PairFiles((str(small_world.world / "captions_dev.jsonl"),)))[0].captions[0]
    paraphrases.write_text(json.dumps({"text": first, "paraphrases": ["the same"]}))
    monkeypatch.chdir(tmp_path)
    relative = dataclasses.replace(
        config,
        pairs=PairFiles((os.path.relpath(small_world.world / "captions_dev.jsonl"),)),
        texts=("texts.txt",),
        output="corpus",
        regions=os.path.relpath(small_world.regions),
        parser=ParserOptions(vocabulary="names"),
        positives=PositiveOptions(paraphrases="paraphrases.jsonl"),
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("count_shard", "augment_shard"):
        original = getattr(job_module, name)

        def work(folder: str, shard: int, original: Callable[[str, int], None] = original) -> None:
            with contextlib.chdir(elsewhere):
                original(folder, shard)

        monkeypatch.setattr(job_module, name, work)
    result = augment(relative, quiet=True)
    assert result.statistics["positives: paraphrases"] == 1
    assert result.statistics["images without regions"] == 0
    kept = load_augment_config([tmp_path / "corpus" / "config.yaml"], [])
    assert kept == relative.with_full_paths() != relative
    assert all(Path(path).is_absolute() for path in (*kept.pairs.files, *kept.texts, kept.output))
    assert (kept.images, kept.positives.translate_to) == ((), "")
    # the corpus is the same job's, whoever asks in the words of its configuration
    assert augment(relative, quiet=True).num_new == 0


def test_changed_input_is_refused(config: AugmentConfig) -> None:
    augment(config, quiet=True)
    Path(config.texts[0]).write_text("Something new.")
    with pytest.raises(InputError, match=r"corpus of another inputs\..*texts\.txt"):
        augment(config, quiet=True)


def test_a_corpus_of_an_earlier_version_is_refused_and_still_read(config: AugmentConfig) -> None:
    augment(config, quiet=True)
    job = Path(config.output) / "job.json"
    fields = {key: value for key, value in read_json(job).items() if key != "job_version"}
    job.write_text(json.dumps({**fields, "fingerprint": "of then"}))
    with pytest.raises(InputError, match=r"corpus of version 1 of this job, which is now 2 .*; give --overwrite"):
        augment(config, quiet=True)
    assert len(AugmentedCorpus(config.output)) == 120
    assert augment(config, overwrite=True, quiet=True).num_new == 3


def test_blank_captions_are_counted_and_training_does_without_them_too(config: AugmentConfig, tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    lines = [{"image_id": "a", "captions": ["", "a dog runs", " "]}, {"image_id": "b", "captions": ["a cat", "\t"]}]
    path.write_text("\n".join(map(json.dumps, lines)))
    blanks = dataclasses.replace(config, pairs=PairFiles((str(path),)))
    assert augment(blanks, quiet=True).statistics["blank captions left out"] == 3
    with pytest.warns(UserWarning, match=r"pairs\.jsonl: blank captions are left out, 3 of them"):
        records = read_captions(path)
    source = AugmentedSource(config.output, records)
    asked = [(record.image_id, caption) for record in records for caption in record.captions]
    assert asked == [("a", "a dog runs"), ("b", "a cat")]
    for image_id, caption in asked:
        source.candidates(image_id, caption)


def test_long_lines_of_free_text_are_retrieved_by_the_sentence(config: AugmentConfig) -> None:
    filling = [f"Nothing of this is number {number} in a picture." for number in range(10)]
    Path(config.texts[0]).write_text(" ".join([*filling, *TEXTS]) + "\n" + TEXTS[0] + "\n")
    result = augment(config, quiet=True)
    assert result.statistics["lines of free text split into sentences"] == 1
    assert list(TextTable(Path(config.output) / "texts")) == [*filling, *TEXTS, TEXTS[0]]
    found = {text for each in AugmentedCorpus(config.output) for text in each.retrieved_texts}
    assert set(TEXTS[:3]) <= found <= {*TEXTS, *filling}
    whole = dataclasses.replace(config, retrieval=RetrievalOptions(num_texts=4, longest_line=0))
    result = augment(whole, overwrite=True, quiet=True)
    assert result.statistics["lines of free text split into sentences"] == 0
    assert list(TextTable(Path(config.output) / "texts")) == [" ".join([*filling, *TEXTS]), TEXTS[0]]


def test_what_a_positive_says_is_no_negative(config: AugmentConfig, tmp_path: Path) -> None:
    """A rewrite of the corpus without paraphrases, and another image's caption, become paraphrases."""
    augment(config, quiet=True)
    before = AugmentedCorpus(config.output)
    own = before["image003", read_pairs(config.pairs)[3].captions[0]]
    rewrite = next(each for each in own.rewrites if each.kind == "object")
    other = own.negatives["sentence"][0]
    texts = [rewrite.apply(own.caption), other]
    path = tmp_path / "paraphrases.jsonl"
    path.write_text(json.dumps({"text": own.caption, "paraphrases": texts}) + "\n")
    changed = dataclasses.replace(config, positives=PositiveOptions(paraphrases=str(path)))
    augment(dataclasses.replace(changed, output=str(tmp_path / "changed")), quiet=True)
    after = AugmentedCorpus(tmp_path / "changed")
    assert list(after["image003", own.caption].positives[:2]) == texts
    [edit] = rewrite.nodes
    for caption in read_pairs(config.pairs)[3].captions:
        found = after["image003", caption]
        assert found.rewrites and not {text for each in found.negatives.values() for text in each} & set(texts)
        assert not any(edit.new in new.new.split() for each in found.rewrites for new in each.nodes)
    # where there are no paraphrases nothing changes
    others = [record for record in read_pairs(config.pairs) if own.caption not in record.captions]
    assert len(others) == 57
    for key in [(record.image_id, caption) for record in others for caption in record.captions]:
        assert after[key].rewrites == before[key].rewrites
        assert list(after[key].negatives["sentence"]) == list(before[key].negatives["sentence"])


def test_a_folder_of_something_else_is_left_alone(config: AugmentConfig) -> None:
    Path(config.output).mkdir()
    (Path(config.output) / "thesis.tex").touch()
    with pytest.raises(InputError, match="is not empty, and holds no corpus"):
        augment(config, overwrite=True, quiet=True)


def test_captions_true_of_two_images_are_no_negatives(tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.jsonl"
    lines = [
        {"image_id": "a", "captions": ["a red dog runs on the beach"], "also_true": ["b"]},
        {"image_id": "b", "captions": ["a brown dog jumps on the beach"]},
        {"image_id": "c", "captions": ["a black cat jumps on the beach"]},
    ]
    pairs.write_text("\n".join(map(json.dumps, lines)))
    augment(AugmentConfig(pairs=PairFiles((str(pairs),)), output=str(tmp_path / "out")), quiet=True)
    corpus = AugmentedCorpus(tmp_path / "out")
    negatives = [list(corpus[number].negatives["sentence"]) for number in range(3)]
    cat, brown = lines[2]["captions"][0], lines[1]["captions"][0]
    assert negatives[:2] == [[cat], [cat]]
    assert brown in negatives[2]


def test_images_are_retrieved(small_world: SmallWorld, tmp_path: Path) -> None:
    config = AugmentConfig(
        pairs=PairFiles((str(small_world.world / "captions_train.jsonl"),)),
        output=str(tmp_path / "corpus"),
        images=(str(small_world.world / "images_train.jsonl"),),
        regions=str(small_world.regions),
        rewriting=RewriteOptions(num_nodes=10, num_sentences=5, min_count=1),
        retrieval=RetrievalOptions(num_images=5, min_overlap=0.3),
    )
    result = augment(config, quiet=True)
    assert result.statistics["retrieved images"] > result.statistics["images"]
    corpus = AugmentedCorpus(config.output)
    free = {
        json.loads(line)["image_id"] for line in (small_world.world / "images_train.jsonl").read_text().splitlines()
    }
    for number in range(len(corpus)):
        retrieved = list(corpus[number].retrieved_images)
        assert set(retrieved) <= free
        assert len(retrieved) == len(set(retrieved)) <= 5


def test_multi30k_as_it_is_laid_out(tmp_path: Path) -> None:
    for number in (1, 2):
        with gzip.open(tmp_path / f"train.{number}.en.gz", "wt") as stream:
            stream.write(f"a dog {number}\na cat {number}\n")
    listed = tmp_path / "train.images.txt"
    listed.write_text("17.jpg\n42.jpg\n")
    pairs = PairFiles((str(listed),), "flickr/")
    assert [(record.image_id, record.captions) for record in read_pairs(pairs)] == [
        ("17", ("a dog 1", "a dog 2")),
        ("42", ("a cat 1", "a cat 2")),
    ]
    # a change of a caption file makes another corpus
    names = [path.name for path in input_files(AugmentConfig(pairs=pairs, output="out"))]
    assert names == ["train.images.txt", "train.1.en.gz", "train.2.en.gz"]


def test_an_image_in_two_records(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text('{"image_id": "a", "captions": ["x"]}\n{"image_id": "a", "captions": ["y"]}\n')
    with pytest.raises(InputError, match=r"pairs\.jsonl:2: image 'a' stands in an earlier record"):
        read_pairs(PairFiles((str(path),)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"records_per_shard": 0}, "records_per_shard"),
        ({"pairs": PairFiles(())}, "no files"),
        ({"images": "free.jsonl"}, "regions: needed"),
    ],
)
def test_impossible_configurations(config: AugmentConfig, changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(config, **changes)  # type: ignore[arg-type]


def test_the_verb(config: AugmentConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from unimo.config import dump_config

    path = tmp_path / "job.yaml"
    path.write_text(dump_config({"": config}))
    assert run(Arguments(config=(path,), num_workers=1), ["--rewriting.num_nodes", "4"]) == 0
    assert "3 of 3 shards written" in capsys.readouterr().out
    assert run(Arguments(config=(path,), num_workers=1), ["--rewriting.num_nodes", "4"]) == 0
    assert "nothing to do" in capsys.readouterr().out
