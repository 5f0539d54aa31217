"""From pictures to a store: any number of workers, resumed, with unreadable pictures named."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from unimo.cli import main
from unimo.errors import InputError
from unimo.regions import RegionStore
from unimo.regions.detectors import FOLDER_NAME, load_detector
from unimo.regions.extract import extract, find_images, read_image
from unimo.regions.proposals.codebook import Codebook
from unimo.regions.proposals.detector import ProposalDetector
from unimo.regions.proposals.options import ProposalOptions

OPTIONS = ProposalOptions(feature_size=32, num_classes=4, max_regions=8)
COLOURS = [(200, 30, 30), (30, 200, 30), (30, 30, 200)]


def draw(number: int) -> np.ndarray:
    picture = np.full((96, 128, 3), 240, np.uint8)
    cv2.circle(picture, (30 + number, 40), 15, COLOURS[number % 3], -1)
    cv2.rectangle(picture, (80, 20 + number), (110, 60), COLOURS[(number + 1) % 3], -1)
    return picture


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    (folder / "more").mkdir(parents=True)
    for number in range(8):
        place = folder / "more" if number % 2 else folder
        cv2.imwrite(str(place / f"{number}.png"), draw(number))
    return folder


def test_a_drawn_object_gets_one_tight_box() -> None:
    found = ProposalDetector(OPTIONS).detect(draw(0)).boxes
    for box in ([15, 25, 46, 56], [80, 20, 111, 61]):
        assert np.abs(found - box).max(axis=1).min() <= 3


def test_an_empty_picture_still_has_a_region() -> None:
    found = ProposalDetector(ProposalOptions(grid=0)).detect(np.full((50, 60, 3), 128, np.uint8))
    assert found.boxes.tolist() == [[0, 0, 60, 50]]


def test_features_know_colour_and_not_place() -> None:
    detector = ProposalDetector(ProposalOptions(grid=0, num_classes=4))
    here, there, other = (np.full((96, 128, 3), 240, np.uint8) for _ in range(3))
    cv2.circle(here, (30, 40), 15, COLOURS[0], -1)
    cv2.circle(there, (90, 60), 15, COLOURS[0], -1)
    cv2.circle(other, (30, 40), 15, COLOURS[1], -1)
    features = [detector.detect(picture).features[0] for picture in (here, there, other)]
    assert np.linalg.norm(features[0] - features[1]) < 0.2 * np.linalg.norm(features[0] - features[2])


def test_the_store_is_the_same_for_any_number_of_workers(pictures: Path, tmp_path: Path) -> None:
    for workers in (1, 2):
        report = extract(pictures, tmp_path / f"store{workers}", OPTIONS, num_workers=workers)
        assert report.num_new == 8
    one, two = RegionStore(tmp_path / "store1"), RegionStore(tmp_path / "store2")
    assert one.ids() == two.ids() == sorted(find_images(pictures))
    assert one.spec == two.spec
    for image_id in one.ids():
        np.testing.assert_array_equal(one[image_id].features, two[image_id].features)
        np.testing.assert_array_equal(one[image_id].class_probabilities, two[image_id].class_probabilities)


def test_class_probabilities_are_distributions(pictures: Path, tmp_path: Path) -> None:
    extract(pictures, tmp_path / "store", OPTIONS)
    with RegionStore(tmp_path / "store") as store:
        for image_id in store.ids():
            np.testing.assert_allclose(store[image_id].class_probabilities.sum(axis=1), 1, atol=5e-3)


def test_unreadable_pictures_are_named_and_left_out(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (pictures / "broken.jpg").write_bytes(b"no picture")
    (pictures / "empty.jpg").write_bytes(b"")
    arguments = ["--images", str(pictures), "--output", str(tmp_path / "store"), "--num_classes", "4"]
    assert main(["regions", "extract", *arguments]) == 0
    printed = capsys.readouterr().out
    assert "unreadable, left out: broken" in printed
    assert "unreadable, left out: empty" in printed
    assert len(RegionStore(tmp_path / "store")) == 8
    assert main(["regions", "extract", *arguments]) == 0
    assert "nothing to do" in capsys.readouterr().out


def test_an_interrupted_extraction_goes_on(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unimo.regions.extract.COMMIT_EVERY", 2)

    def interrupt(done: int, total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract(pictures, tmp_path / "store", OPTIONS, progress=interrupt)
    assert not (tmp_path / "store").exists()
    assert extract(pictures, tmp_path / "store", OPTIONS).num_new == 4
    extract(pictures, tmp_path / "whole", OPTIONS)
    with RegionStore(tmp_path / "store") as resumed, RegionStore(tmp_path / "whole") as whole:
        assert resumed.ids() == whole.ids()
        np.testing.assert_array_equal(resumed["0"].features, whole["0"].features)


def test_the_detector_of_a_store_describes_new_pictures_alike(pictures: Path, tmp_path: Path) -> None:
    extract(pictures, tmp_path / "store", OPTIONS)
    detector = load_detector(tmp_path / "store" / FOLDER_NAME)
    with RegionStore(tmp_path / "store") as store:
        assert detector.spec == store.spec
        picture = read_image(pictures / "0.png")
        assert picture is not None
        np.testing.assert_allclose(detector.detect(picture).features, store["0"].features, atol=5e-3)


def test_linked_folders_are_entered(tmp_path: Path) -> None:
    """As data/README.md has it: one folder that holds or links to the pictures of every dataset."""
    elsewhere, root = tmp_path / "elsewhere", tmp_path / "root"
    for folder in (elsewhere / "train2014", elsewhere / "cc" / "deep", root / "sbu", root / "cc.old"):
        folder.mkdir(parents=True)
        (folder / "1.jpg").touch()
    without = find_images(root)
    assert list(without) == ["cc.old/1", "sbu/1"]
    (root / "train2014").symlink_to(elsewhere / "train2014")
    (root / "cc").symlink_to(elsewhere / "cc")
    found = find_images(root)
    assert list(found) == ["cc/deep/1", "cc.old/1", "sbu/1", "train2014/1"]
    assert found["cc/deep/1"] == root / "cc" / "deep" / "1.jpg"
    assert {image_id: found[image_id] for image_id in without} == without


def test_links_that_lead_in_circles_or_twice_to_a_folder(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "b").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    for folder in (root, root / "b", tmp_path / "elsewhere"):
        (folder / "1.jpg").touch()
    (root / "b" / "itself").symlink_to(root / "b")
    (root / "a").symlink_to(root / "b")  # whose pictures keep the name that they have without the link
    (root / "y").symlink_to(tmp_path / "elsewhere")
    (root / "z").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(root)
    (root / "nowhere").symlink_to(tmp_path / "gone")
    assert list(find_images(root)) == ["1", "b/1", "y/1"]


def test_pictures_are_found_in_the_order_of_their_paths(pictures: Path) -> None:
    """As ever, where there are no links."""
    expected = [path for path in sorted(pictures.rglob("*")) if path.suffix == ".png"]
    assert len(expected) == 8 and list(find_images(pictures).values()) == expected


def test_bad_folders_and_codebooks(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        find_images(tmp_path / "absent")
    with pytest.raises(InputError, match="no pictures"):
        find_images(tmp_path)
    (tmp_path / "codebook.npz").write_bytes(b"broken")
    with pytest.raises(InputError, match="not a codebook"):
        Codebook.load(tmp_path / "codebook.npz")
    with pytest.raises(InputError, match="cannot be found among"):
        Codebook.fit(np.zeros((3, 4), np.float32), 5, 0)


def test_an_empty_folder_is_told_on_a_line_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "none").mkdir()
    assert main(["regions", "extract", "--images", str(tmp_path / "none"), "--output", str(tmp_path / "store")]) == 2
    assert capsys.readouterr().err.startswith("unimo: error: ")
