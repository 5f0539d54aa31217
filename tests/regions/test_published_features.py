"""Bottom-up-attention files as csv.DictWriter wrote them, and records of other datasets that find their images."""

from __future__ import annotations

import base64
import csv
import json
from pathlib import Path

import numpy as np
import pytest

from unimo.cli import main
from unimo.data.formats.captions import read_captions
from unimo.data.images import ImageSource
from unimo.errors import InputError

FIELDS = ["image_id", "image_w", "image_h", "num_boxes", "boxes", "features"]  # of generate_tsv.py
FEATURE_SIZE = 2048


def write_features(path: Path, counts: dict[str, int]) -> Path:
    """A file without a header, as the detector's own program writes it."""
    rng = np.random.default_rng(1)
    with open(path, "w", newline="") as stream:
        writer = csv.DictWriter(stream, delimiter="\t", fieldnames=FIELDS)
        for image_id, count in counts.items():
            boxes = np.tile(np.asarray([[0, 0, 30, 40]], np.float32), (count, 1))
            features = rng.random((count, FEATURE_SIZE), np.float32)
            row = {"image_id": image_id, "image_w": 64, "image_h": 48, "num_boxes": count}
            arrays = {"boxes": boxes, "features": features}
            writer.writerow(row | {name: base64.b64encode(array).decode() for name, array in arrays.items()})
    return path


def store_of(folder: Path, counts: dict[str, int], *flags: str) -> ImageSource:
    path = write_features(folder / "trainval.tsv", counts)
    store = folder / "store"
    assert main(["regions", "import", "--input", str(path), "--output", str(store), "--version", "vg", *flags]) == 0
    return ImageSource(store, 101)


def test_36_and_10_to_100_boxes_whatever_the_length_of_a_line(tmp_path: Path) -> None:
    images = store_of(tmp_path, {"391895": 36, "9": 10, "25": 100})
    # 100 boxes are a field of 1.1 million characters, where Python's csv stops at 131,072
    assert max(map(len, (tmp_path / "trainval.tsv").read_text().splitlines())) > 1_000_000
    assert images.num_regions(["391895", "9", "25"]) == [37, 11, 101]
    assert images["25"].features.shape == (101, FEATURE_SIZE)


def test_captions_of_every_coco_release_find_their_features(tmp_path: Path) -> None:
    images = store_of(tmp_path, {"391895": 10})
    for name, file_name in (
        ("captions_val2014.json", "COCO_val2014_000000391895.jpg"),
        ("captions_train2017.json", "000000391895.jpg"),
    ):
        path = tmp_path / name
        annotations = [{"image_id": 391895, "id": 1, "caption": "A man."}]
        values = {"images": [{"id": 391895, "file_name": file_name}], "annotations": annotations}
        path.write_text(json.dumps(values))
        [record] = read_captions(path)
        images.check([record.image_id], path)
        assert images[record.image_id].features.shape == (11, FEATURE_SIZE)
        assert images.num_regions([record.image_id]) == [11]


def test_visual_genome_stays_apart_from_coco(tmp_path: Path) -> None:
    images = store_of(tmp_path, {"2": 10}, "--prefix", "VG_100K/")
    assert images.num_regions(["VG_100K_2/2.jpg"]) == [11]
    with pytest.raises(InputError, match=r"1 images are not in .* 'train2014/COCO_train2014_000000000002'"):
        images.check(["train2014/COCO_train2014_000000000002"], "captions")
    with pytest.raises(InputError, match="no image '3'"):
        images["3"]
