"""What is retrieved: captions of other images where many say the same, and images under whatever name they have."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from unimo.augment import retrieval
from unimo.augment.corpus import AugmentedCorpus
from unimo.augment.inputs import free_images
from unimo.augment.job import augment
from unimo.augment.options import AugmentConfig, PairFiles, RetrievalOptions, RewriteOptions
from unimo.data.formats.captions import read_captions
from unimo.errors import InputError
from unimo.regions import FeatureSpec, Regions, RegionStoreWriter
from unimo.tasks.augmented import AugmentedSource

WAVE = "A man riding a wave on a surfboard."
OTHERS = [f"A man riding a {thing} on a {place}." for thing in ("horse", "bicycle") for place in ("hill", "road")]
OTHERS += [f"A woman riding a {thing} on a {place}." for thing in ("camel", "wagon") for place in ("beach", "field")]


def job(folder: Path, captions: dict[str, str], rewriting: RewriteOptions, **more: object) -> AugmentConfig:
    """A job over images of one caption each."""
    pairs = folder / "pairs.jsonl"
    lines = [json.dumps({"image_id": image_id, "captions": [text]}) for image_id, text in captions.items()]
    pairs.write_text("\n".join(lines))
    return AugmentConfig(PairFiles((str(pairs),)), str(folder / "out"), rewriting=rewriting, **more)  # type: ignore[arg-type]


def sentences(config: AugmentConfig) -> list[list[str]]:
    augment(config, quiet=True)
    corpus = AugmentedCorpus(config.output)
    return [list(corpus[number].negatives["sentence"]) for number in range(len(corpus))]


@pytest.mark.parametrize("held", [retrieval.MOST_HELD, 60])
def test_captions_that_say_the_same_take_no_places(held: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """30 of the same caption hide no other, be they above the bound of similarity or below it."""
    monkeypatch.setattr(retrieval, "MOST_HELD", held)  # few neighbours at a time give the same
    captions = {f"wave{number}": WAVE for number in range(30)} | {f"other{n}": text for n, text in enumerate(OTHERS)}
    found = sentences(job(tmp_path, captions, RewriteOptions(num_nodes=0, num_sentences=5, min_count=1)))
    assert [len(set(each)) for each in found] == [5] * 38
    assert all(WAVE not in each for each in found[:30])
    assert all(each.count(WAVE) == 1 for each in found[30:])


def write_store(path: Path, ids: Iterable[str], num_classes: int = 2) -> str:
    """Regions of images that all look alike."""
    with RegionStoreWriter(path, FeatureSpec("test", "1", 3, num_classes)) as writer:
        for image_id in ids:
            boxes, classes = np.asarray([[0, 0, 5, 5]], np.float32), np.full((1, num_classes), 0.5, np.float32)
            writer.add(image_id, Regions(np.ones((1, 3), np.float32), boxes, 10, 10, classes))
    return str(path)


NO_NEGATIVES = RewriteOptions(num_nodes=0, num_sentences=0)
COCO = {f"val2014/COCO_val2014_{number:012d}": OTHERS[number] for number in (1, 2)}


def retrieved(config: AugmentConfig) -> list[list[str]]:
    augment(config, quiet=True)
    corpus = AugmentedCorpus(config.output)
    return [list(corpus[number].retrieved_images) for number in range(len(corpus))]


def test_an_image_has_its_regions_under_any_of_its_names(tmp_path: Path) -> None:
    store = write_store(tmp_path / "store", ["1", "2", "3", "train2017/000000000004"])
    found = retrieved(job(tmp_path, COCO, NO_NEGATIVES, regions=store))
    assert found == [["3", "train2017/000000000004"]] * 2  # and the pairs' own are not unpaired


def test_a_prefix_finds_regions_and_training_asks_without_it(tmp_path: Path) -> None:
    store = write_store(tmp_path / "store", ["flickr/a", "flickr/b", "flickr/c", "a"])
    config = job(tmp_path, dict(zip("ab", OTHERS, strict=False)), NO_NEGATIVES, regions=store)
    config = replace(config, pairs=replace(config.pairs, image_prefix="flickr/"))
    assert augment(config, quiet=True).statistics["images without regions"] == 0
    records = read_captions(config.pairs.files[0])
    source = AugmentedSource(config.output, records)
    found = [source.candidates(record.image_id, record.captions[0]) for record in records]
    # another folder's `a` is another image, and those of the pairs are not unpaired
    assert [set(each.image_ids) for each in found] == [{"a", "flickr/c"}] * 2


def test_a_prefix_under_which_no_image_has_regions(tmp_path: Path) -> None:
    config = job(tmp_path, {"a": OTHERS[0]}, NO_NEGATIVES, regions=write_store(tmp_path / "store", ["a"]))
    config = replace(config, pairs=replace(config.pairs, image_prefix="coco/"))
    with pytest.raises(InputError, match=r"none of the 1 images of the pairs, 'coco/a' first \(see pairs\.image_pref"):
        augment(config, quiet=True)


def test_unpaired_images_are_listed_under_any_of_their_names(tmp_path: Path) -> None:
    store = write_store(tmp_path / "store", ["1", "2", "3"])
    listed = tmp_path / "images.jsonl"
    listed.write_text('{"image_id": "val2014/COCO_val2014_000000000003"}\n{"image_id": "train2017/000000000002.jpg"}\n')
    config = job(tmp_path, COCO, NO_NEGATIVES, regions=store, images=(str(listed),))
    assert free_images(config, COCO) == ["3"]
    assert retrieved(config) == [["3"]] * 2
    listed.write_text('{"image_id": "val2014/COCO_val2014_000000000005"}\n')
    with pytest.raises(InputError, match="no regions of 1 unpaired images, 'val2014/COCO_val2014_000000000005' first"):
        free_images(config, COCO)


def test_images_that_are_held_out_are_not_retrieved(tmp_path: Path) -> None:
    store = write_store(tmp_path / "store", ["1", "2", "3", "4"])
    captions = tmp_path / "val.jsonl"
    captions.write_text('{"image_id": "val2017/000000000004.jpg", "captions": ["a dog"]}\n')
    assert free_images(job(tmp_path, COCO, NO_NEGATIVES, regions=store, held_out=(str(captions),)), COCO) == ["3"]


def test_pairs_of_which_no_image_has_regions(tmp_path: Path) -> None:
    store = write_store(tmp_path / "store", ["elsewhere/1"])
    config = job(tmp_path, COCO, NO_NEGATIVES, regions=store)
    with pytest.raises(InputError, match=r"regions: .*store holds regions of none of the 2 images of the pairs, 'val"):
        augment(config, quiet=True)
    # nothing is in the folder yet: what was wrong may be mended
    mended = job(tmp_path, COCO, NO_NEGATIVES, regions=write_store(tmp_path / "whole", ["1", "2", "3"]))
    assert retrieved(mended) == [["3"]] * 2


def test_some_images_without_regions_are_counted(tmp_path: Path) -> None:
    config = job(tmp_path, COCO, NO_NEGATIVES, regions=write_store(tmp_path / "store", ["2", "3"]))
    assert retrieved(config) == [[], ["3"]]
    assert augment(config, quiet=True).statistics["images without regions"] == 1


def test_a_store_without_classes(tmp_path: Path) -> None:
    store = write_store(tmp_path / "store", ["1", "2", "3"], num_classes=0)
    with pytest.raises(
        InputError, match=r"retrieval\.min_overlap: 0\.5, but .*store holds no class probabilities.*to 0"
    ):
        augment(job(tmp_path, COCO, NO_NEGATIVES, regions=store), quiet=True)
    config = job(tmp_path, COCO, NO_NEGATIVES, regions=store, retrieval=RetrievalOptions(min_overlap=0))
    assert retrieved(config) == [["3"]] * 2
