"""One image under the names that datasets, folders of pictures and feature files give it."""

from __future__ import annotations

import pytest

from unimo.errors import InputError
from unimo.regions.names import ImageNames, image_key


@pytest.mark.parametrize(
    ("names", "key"),
    [
        (
            [
                "391895",
                "COCO_val2014_000000391895.jpg",
                "val2014/COCO_val2014_000000391895",
                "images/train2017/000000391895.jpg",
                "000000391895",
            ],
            "391895",
        ),
        (
            ["1000092795", "1000092795.jpg", "flickr30k-images/1000092795", "data/flickr30k_images/1000092795"],
            "1000092795",
        ),
        (["VG_100K/2", "VG_100K_2/2.jpg", "images/VG_100K/2"], "VG_100K/2"),
        (["cats/001", "cats/001.JPG"], "cats/001"),
        (["2"], "2"),
    ],
)
def test_names_of_one_image_have_one_key(names: list[str], key: str) -> None:
    assert {image_key(name) for name in names} == {key}


def test_own_folders_and_zeros_are_part_of_a_name() -> None:
    assert len({image_key(name) for name in ("cats/1", "dogs/1", "1", "01")}) == 4


def test_finding() -> None:
    names = ImageNames(["val2014/COCO_val2014_000000000009", "25", "train2014/COCO_train2014_000000000025"], "STORE")
    assert names.find("9") == names.find("train2017/000000000009") == "val2014/COCO_val2014_000000000009"
    assert names.find("25") == "25", "the same name comes first"
    assert names.find("26") is None
    assert names.absent(["9", "26", "VG_100K/9"]) == ["26", "VG_100K/9"]
    with pytest.raises(InputError, match="STORE: image '000000000025' could be '25' or 'train2014/"):
        names.find("000000000025")
