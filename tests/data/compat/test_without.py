"""Without `data.compat` the same files give every record once, and none of the original's faults."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import SHARED
from tests.data.compat.conftest import golden_batches
from tests.data.compat.readers import captioning_task, entailment_task, generation_task, golden_reader, retrieval_task
from tests.data.compat.readers import text_task as text_task_of
from unimo.data.batch import Batch
from unimo.data.examples import Example
from unimo.data.formats.release import captions_of
from unimo.data.sampling import BatchStream
from unimo.errors import InputError
from unimo.regions.importers import import_features
from unimo.tokenization import UnimoTokenizer
from unimo.training.task import TrainingStream

META = SHARED / "goldens" / "readers" / "meta.json"
ALL: dict[str, Any] = json.loads(META.read_text()) if META.is_file() else {}


def names_of(*kinds: str) -> list[str]:
    return [name for name in ALL if name.startswith(kinds) and not name.endswith("_decode")] or ["absent"]


def store_of(kind: str, files: str, folder: Path) -> str:
    import_features(kind, [Path(files)], folder / "regions", "1")
    return str(folder / "regions")


def all_records(stream: TrainingStream) -> tuple[list[int], Batch]:
    """What an epoch of a stream visits, and all its records in one batch."""
    visited = [index for batch in BatchStream(stream.lengths, 100, seed=1).batches_of(0) for index in batch]
    return sorted(visited), stream.make_batch(range(len(stream.lengths)), 0, 0)["main"]


def tokens_of(batch: Batch, row: int) -> list[int]:
    assert batch.input_ids is not None
    return batch.input_ids[row][batch.segment_ids[row, -batch.input_ids.shape[1] :] > 0].tolist()


def original_examples(name: str, tokenizer: UnimoTokenizer) -> list[Example]:
    """The original's examples, in the order of the file."""
    reader = golden_reader(name, ALL[name]["args"], tokenizer)
    found: dict[int, Example] = {}
    for indices in reader.batches_of(0):
        found |= dict(zip(indices, reader.examples(indices, 0), strict=True))
    return [found[index] for index in sorted(found)]


@pytest.mark.parametrize("name", names_of("classification", "regression"))
def test_labelled_texts(readers: Path, tokenizer: UnimoTokenizer, name: str) -> None:
    arguments = ALL[name]["args"]
    file = arguments.get("file", "in/reg.tsv" if name == "regression" else "in/cls_single.tsv")
    visited, batch = all_records(text_task_of(name, arguments, tokenizer, compat="", train=file).streams()[0])
    expected = original_examples(name, tokenizer)
    assert visited == list(range(len(expected)))
    for row, example in enumerate(expected):
        assert tokens_of(batch, row) == example.token_ids.tolist()  # type: ignore[union-attr]
        assert batch.labels is not None
        assert batch.labels[row] == example.label


@pytest.mark.parametrize("name", names_of("seq2seq"))
def test_a_cut_target_keeps_its_end(readers: Path, tokenizer: UnimoTokenizer, name: str) -> None:
    arguments = ALL[name]["args"]
    task = generation_task(arguments, tokenizer, compat="", train=arguments["file"])
    visited, batch = all_records(task.streams()[0])
    expected = original_examples(name, tokenizer)
    assert visited == list(range(len(expected)))
    without_end, longer_sources = 0, 0
    for row, example in enumerate(expected):
        assert example.token_ids is not None and example.order_ids is not None
        found = tokens_of(batch, row)
        num_given = int((batch.order_ids[row][batch.segment_ids[row] > 0] == 0).sum())
        assert found[-1] == tokenizer.mask_id
        assert num_given <= arguments["max_src_len"]
        assert len(found) - num_given <= arguments["max_tgt_len"]
        without_end += int(example.token_ids[-1] != tokenizer.mask_id)
        longer_sources += int((example.order_ids == 0).sum() > arguments["max_src_len"])
    assert without_end > 0  # the original's fault shows in these files
    assert (longer_sources > 0) == (name in ("seq2seq_two_src", "seq2seq_dialog"))


@pytest.mark.parametrize(("compat", "added"), [("original", 0), ("", 2)])
def test_decoding_counts_positions_on(readers: Path, tokenizer: UnimoTokenizer, compat: str, added: int) -> None:
    task = generation_task(ALL["seq2seq_continuous_decode"]["args"], tokenizer, compat=compat)
    given = task._examples(task.read("in/s2s_two_src.tsv"), with_targets=False)
    first = task._first_positions(given)
    assert first is not None
    assert (first - [example.num_tokens for example in given]).tolist() == [added] * len(given)


@pytest.mark.parametrize("name", ["img2txt_train", "img2txt_one", "img2txt_2048"])
def test_every_caption_comes_once(readers: Path, tokenizer: UnimoTokenizer, tmp_path: Path, name: str) -> None:
    arguments = ALL[name]["args"] if ALL else {}
    regions = store_of("release-captions", arguments["filelist"], tmp_path)
    task = captioning_task(arguments, tokenizer, regions, compat="", train=arguments["filelist"])
    visited, batch = all_records(task.streams()[0])
    expected = {example.record_id: example for example in original_examples(name, tokenizer)}
    assert visited == list(range(len(expected)))
    assert sorted(batch.record_ids) == sorted(expected)
    for row, record_id in enumerate(batch.record_ids):
        regions_of = expected[record_id].regions
        assert tokens_of(batch, row) == expected[record_id].token_ids.tolist()  # type: ignore[union-attr]
        assert regions_of is not None and batch.region_features is not None and batch.region_locations is not None
        count = regions_of.features.shape[0]
        np.testing.assert_allclose(batch.region_features[row, :count], regions_of.features, rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(batch.region_locations[row, :count], regions_of.locations, atol=1e-6)
    original = golden_reader(name, arguments, tokenizer)
    counts = Counter(index for indices in original.batches_of(0) for index in indices)
    assert (max(counts.values()) > 1) == (name == "img2txt_train")


def test_no_image_is_captioned_twice(readers: Path, tokenizer: UnimoTokenizer) -> None:
    arguments = ALL["img2txt_decode"]["args"]
    original = [int(each) for b in golden_batches(readers / "img2txt_decode.npz") for each in b["image_id"].ravel()]
    ours = [int(record.image_id) for record in captions_of(arguments["filelist"], tokenizer)]
    assert original.count(404) == 2
    assert sorted(ours) == sorted(set(original))


def test_the_sentences_of_entailment(readers: Path, tokenizer: UnimoTokenizer, tmp_path: Path) -> None:
    arguments = ALL["visual_entailment"]["args"]
    with pytest.raises(InputError, match="comes with other regions than before"):
        store_of("release-entailment", "in/ve_filelist", tmp_path)  # both files call their first image img0
    regions = store_of("release-entailment", "in/ve_1.txt", tmp_path)
    task = entailment_task(arguments, tokenizer, compat="", train="in/ve_1.txt", regions=regions)
    visited, batch = all_records(task.streams()[0])
    assert visited == list(range(5))
    for row, example in enumerate(original_examples("visual_entailment", tokenizer)[:5]):
        assert tokens_of(batch, row) == example.token_ids.tolist()  # type: ignore[union-attr]
        assert batch.labels is not None and batch.region_locations is not None and example.regions is not None
        assert batch.labels[row] == example.label
        found = batch.region_locations[row, : len(example.regions.locations)]
        np.testing.assert_allclose(found, example.regions.locations, atol=1e-6)


def test_retrieval_divides_boxes_by_their_own_side(readers: Path, tokenizer: UnimoTokenizer, tmp_path: Path) -> None:
    regions = store_of("release-retrieval", "in/ret_feat", tmp_path)
    task = retrieval_task(ALL["retrieval_train"]["args"], tokenizer, compat="", regions=regions)
    train, test = (golden_batches(readers / f"retrieval_{split}.npz") for split in ("train", "test"))
    images = task.context.require_images()
    first = images["1000"].locations
    rows = [row for batch in train for row in batch["image_loc"]]
    assert any(np.allclose(row[: len(first)], first, atol=1e-6) for row in rows)
    assert not np.allclose(test[0]["image_loc"][0, : len(first)], first, atol=1e-3)
    swapped = images.with_swapped_sides()["1000"].locations
    np.testing.assert_allclose(test[0]["image_loc"][0, : len(first)], swapped, atol=1e-6)
