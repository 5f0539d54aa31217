"""Released features where they stand: exact numbers, packed files, lines by themselves, and the original's repeats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.data.formats.released import (
    caption_line,
    entailment_line,
    feature_line,
    regions_of,
    write,
    write_filelist,
)
from unimo.config.job import DataConfig
from unimo.data.compat.features import ReleasedFeatures, line_id
from unimo.data.images import open_images
from unimo.errors import InputError


def test_features_are_exact(tmp_path: Path) -> None:
    captions = write(tmp_path / "in" / "a.txt.gz", [caption_line(7, [5]), caption_line(8, None)])
    retrieval = write(tmp_path / "in" / "b.tsv", [feature_line(9)])
    entailment = write(tmp_path / "in" / "c.txt", [entailment_line(3, "1", [5])])
    features = ReleasedFeatures(write_filelist(tmp_path / "filelist", [captions, retrieval, entailment]))
    assert features.ids() == ["7", "8", "9", "img3"]
    for image_id, number in (("7", 7), ("8", 8), ("9", 9), ("img3", 3)):
        width, height, boxes, expected = regions_of(number)
        found = features[image_id]
        assert (found.image_width, found.image_height) == (width, height)
        np.testing.assert_array_equal(found.features, expected)
        np.testing.assert_array_equal(found.boxes, boxes)
        assert features.num_regions(image_id) == len(boxes)
    with pytest.raises(InputError, match="no image '10'"):
        features["10"]


def test_a_line_has_its_own_image(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", [caption_line(7, [5]), caption_line(8, [5], image_id="coco_img_7")])
    images = open_images(DataConfig(compat="original", regions=str(path)))
    assert images is not None
    first, second = images.of_lines([path], [["7", "7"]])
    assert second == line_id(path, 2)
    np.testing.assert_array_equal(images[first].features, images["7"].features)
    np.testing.assert_array_equal(images[second].features[1:], regions_of(8)[3])
    assert images.of_lines([tmp_path / "other.txt"], [["7"]]) == ["7"]


def test_a_wrong_number_of_boxes_repeats_the_data(tmp_path: Path) -> None:
    features, boxes = regions_of(8)[3], regions_of(8)[2]
    many = caption_line(8, [5], num_boxes=str(2 * len(boxes) + 1))
    store = ReleasedFeatures(write(tmp_path / "a.txt", [caption_line(7, [5]), many]))
    np.testing.assert_array_equal(store["8"].features, np.concatenate([features, features, features[:1]]))
    np.testing.assert_array_equal(store["8"].boxes[-1], boxes[0])


def test_damaged_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.txt: none of the release's formats"):
        ReleasedFeatures(write(tmp_path / "a.txt", ["words\n"]))
    with pytest.raises(InputError, match=r"a\.txt:2: 1 columns"):
        ReleasedFeatures(write(tmp_path / "a.txt", [caption_line(7, [5]), "words\n"]))
    with pytest.raises(InputError, match=r"a\.txt:1: boxes: broken base64"):
        ReleasedFeatures(write(tmp_path / "a.txt", [caption_line(7, [5], boxes="!")]))
    with pytest.raises(InputError, match=r"meta\.json is missing"):
        open_images(DataConfig(regions=str(write(tmp_path / "a.txt", [caption_line(7, [5])]))))
