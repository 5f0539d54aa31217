"""Public files as others made them: every record is read, and the counts are those that their sources state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from unimo.data.formats.captions import read_captions
from unimo.data.formats.generation import GenerationColumns, read_generation
from unimo.data.formats.tables import TextColumns, read_labelled_texts
from unimo.data.formats.texts import read_texts
from unimo.data.records import Record

COLA = TextColumns(text_a="sentence", names=("source", "label", "mark", "sentence"))
STSB = TextColumns("sentence1", "sentence2", "score", ("sentence1", "sentence2", "score"))
GERMAN = GenerationColumns(line_pair=(".en", ".de"))
Reader = Callable[[Path], Sequence[Record]]


def cola(path: Path) -> Sequence[Record]:
    return read_labelled_texts(path, COLA)


def stsb(path: Path) -> Sequence[Record]:
    return read_labelled_texts(path, STSB)


def sst2(path: Path) -> Sequence[Record]:
    return read_labelled_texts(path, TextColumns(text_a="sentence"))


def pairs(path: Path) -> Sequence[Record]:
    return read_generation(path, GenerationColumns())


def translations(path: Path) -> Sequence[Record]:
    return read_generation(path, GERMAN)


CASES: list[tuple[str, Reader, int]] = [
    ("cola/in_domain_train.tsv.gz", cola, 8551),
    ("cola/in_domain_dev.tsv", cola, 527),
    ("cola/out_of_domain_dev.tsv", cola, 516),
    ("stsb/train.csv.gz", stsb, 5749),
    ("stsb/dev.csv", stsb, 1500),
    ("stsb/test.csv", stsb, 1379),
    ("sst2/train.tsv.gz", sst2, 60_614),
    ("sst2/dev.tsv", sst2, 6735),
    ("sst2/test.tsv", sst2, 872),
    ("squad_qg/src-dev.txt.gz", pairs, 10_570),
    ("squad_qg/src-test.txt.gz", pairs, 11_877),
    ("flickr30k_captions/train.images.txt", read_captions, 29_000),
    ("flickr30k_captions/val.images.txt", read_captions, 1014),
    ("flickr30k_captions/test_2016.images.txt", read_captions, 1000),
    ("flickr30k_captions/parallel.train.en.gz", translations, 29_000),
    ("flickr30k_captions/train.1.en.gz", read_texts, 29_000),
]


@pytest.mark.parametrize(("name", "reader", "count"), CASES, ids=[name for name, _, _ in CASES])
def test_every_record_is_read(shared: Path, name: str, reader: Reader, count: int) -> None:
    records = reader(shared / "data" / name)
    assert len(records) == count
    assert len({record.record_id for record in records}) == count
    outlines = [record.outline() for record in records]
    assert all(part for outline in outlines for _, parts in outline.texts for part in parts)
    assert all(outline.labels is None or outline.labels for outline in outlines)


def test_labels_are_what_the_datasets_have(shared: Path) -> None:
    def labels(name: str, reader: Reader) -> set[str]:
        return {label for record in reader(shared / "data" / name) for label in record.outline().labels or ()}

    assert labels("cola/in_domain_train.tsv.gz", cola) == labels("sst2/train.tsv.gz", sst2) == {"0", "1"}
    scores = [float(label) for label in labels("stsb/train.csv.gz", stsb)]
    assert (min(scores), max(scores)) == (0.0, 5.0)


def test_coco_and_flickr_captions_by_image(shared: Path) -> None:
    coco = read_captions(shared / "data" / "coco_captions" / "captions_val2017.json.gz")
    assert (len(coco), sum(len(record.captions) for record in coco)) == (5000, 25_014)
    assert coco[0].image_id.startswith("val2017/0")
    flickr = read_captions(shared / "data" / "flickr30k_captions" / "test_2016.images.txt")
    assert {len(record.captions) for record in flickr} == {5}
    assert flickr[0].image_id == "1007129816"
    assert flickr[0].captions[0] == "The man with pierced ears is wearing glasses and an orange hat."
