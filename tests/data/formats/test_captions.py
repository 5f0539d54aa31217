"""Images with captions as COCO, Karpathy, Multi30k and Visual Genome publish them, images alone, and object tags."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from unimo.data.formats.captions import read_caption_file, read_captions, read_images, read_object_tags
from unimo.errors import InputError

COCO = {
    "info": {"year": 2014},
    "licenses": [],
    "images": [
        {"id": 391895, "file_name": "COCO_val2014_000000391895.jpg", "height": 360, "width": 640, "license": 3},
        {"id": 522418, "file_name": "COCO_val2014_000000522418.jpg", "height": 480, "width": 640, "license": 3},
    ],
    "annotations": [
        {"image_id": 391895, "id": 770337, "caption": "A man with a red helmet on a small moped on a dirt road. "},
        {"image_id": 522418, "id": 681330, "caption": "A woman wearing a net on her head cutting a cake. "},
        {"image_id": 391895, "id": 771687, "caption": "Man riding a motor bike on a dirt road."},
    ],
}


def karpathy_image(split: str, number: int, **more: Any) -> dict[str, Any]:
    sentence = {"tokens": ["a", "man"], "raw": f"A man, {number}. ", "imgid": number, "sentid": number}
    return {"sentids": [number], "imgid": number, "sentences": [sentence], "split": split, **more}


KARPATHY_COCO = {
    "images": [
        karpathy_image(split, n, filepath="val2014", filename=f"COCO_val2014_{n:012d}.jpg", cocoid=n)
        for n, split in enumerate(["test", "restval", "train", "val", "train"], start=1)
    ],
    "dataset": "coco",
}


def write(path: Path, values: Any) -> Path:
    path.write_text(json.dumps(values))
    return path


def test_coco(tmp_path: Path) -> None:
    first, second = read_captions(write(tmp_path / "captions_val2014.json", COCO))
    assert first.image_id == "val2014/COCO_val2014_000000391895"
    assert first.captions == (
        "A man with a red helmet on a small moped on a dirt road.",
        "Man riding a motor bike on a dirt road.",
    )
    assert second.image_id == "val2014/COCO_val2014_000000522418"


def test_coco_images_without_captions(tmp_path: Path) -> None:
    values = {"images": [{"id": 1, "file_name": "COCO_test2014_000000000001.jpg"}], "categories": []}
    path = write(tmp_path / "image_info_test2014.json", values)
    assert [record.image_id for record in read_images(path)] == ["test2014/COCO_test2014_000000000001"]
    [record] = read_captions(path, required=False)
    assert (record.image_id, record.captions) == ("test2014/COCO_test2014_000000000001", ())
    with pytest.raises(InputError, match="not COCO's caption annotations"):
        read_captions(path)


def test_karpathy_coco_by_split(tmp_path: Path) -> None:
    path = write(tmp_path / "dataset_coco.json", KARPATHY_COCO)
    [test] = read_captions(f"{path}#test")
    assert (test.image_id, test.captions) == ("val2014/COCO_val2014_000000000001", ("A man, 1.",))
    train = read_captions(Path(f"{path}#train+restval"))
    assert [record.image_id[-1] for record in train] == ["2", "3", "5"]


@pytest.mark.parametrize(("part", "message"), [("", "holds several splits"), ("#trainval", "no split 'trainval'")])
def test_a_split_that_is_not_there_lists_those_that_are(tmp_path: Path, part: str, message: str) -> None:
    path = write(tmp_path / "dataset_coco.json", KARPATHY_COCO)
    with pytest.raises(InputError, match=r"there are test .1., restval .1., train .2., val .1.") as caught:
        read_captions(f"{path}{part}")
    assert message in str(caught.value)


def test_karpathy_flickr30k(tmp_path: Path) -> None:
    images = [karpathy_image("train", 7, filename="1000092795.jpg"), karpathy_image("val", 8, filename="10002456.jpg")]
    path = write(tmp_path / "dataset_flickr30k.json", {"images": images, "dataset": "flickr30k"})
    [record] = read_captions(f"{path}#train")
    assert (record.image_id, record.captions) == ("1000092795", ("A man, 7.",))


def test_multi30k(tmp_path: Path) -> None:
    (tmp_path / "val.images.txt").write_text("1018148011.jpg\n1029450589.jpg\n")
    (tmp_path / "val.1.en").write_text("One.\nTwo.\n")
    (tmp_path / "val.2.en.gz").write_bytes(gzip.compress(b"Uno.\nDos.\n"))
    records = read_captions(tmp_path / "val.images.txt")
    assert [(record.image_id, record.captions) for record in records] == [
        ("1018148011", ("One.", "Uno.")),
        ("1029450589", ("Two.", "Dos.")),
    ]
    (tmp_path / "val.1.en").write_text("One.\n")
    with pytest.raises(InputError, match=r"val.1.en: 1 lines, but val.images.txt names 2 images"):
        read_captions(tmp_path / "val.images.txt")


def test_visual_genome_regions(tmp_path: Path) -> None:
    region = {"region_id": 1382, "width": 82, "height": 139, "image_id": 1, "phrase": "the clock is green", "y": 57}
    path = write(tmp_path / "region_descriptions.json", [{"regions": [region], "id": 1}, {"regions": [], "id": 2}])
    [record] = read_captions(path)
    assert (record.image_id, record.captions) == ("VG_100K/1", ("the clock is green",))


def test_lines_of_our_own(tmp_path: Path) -> None:
    path = tmp_path / "captions.jsonl"
    path.write_text('{"image_id": 5, "captions": ["one"]}\n{"image_id": "b"}\n')
    assert [r.captions for r in read_captions(path, required=False)] == [("one",), ()]
    with pytest.raises(InputError, match=":2: no field 'captions'"):
        read_captions(path)


def blank_coco(*captions: str) -> dict[str, Any]:
    annotations = [{"image_id": 391895, "caption": each} for each in captions]
    return {**COCO, "annotations": [*annotations, {"image_id": 522418, "caption": "A cake."}]}


def blank_karpathy(*captions: str) -> dict[str, Any]:
    sentences = [{"raw": each} for each in captions]
    return {
        "images": [
            {"filename": "a.jpg", "split": "x", "sentences": sentences},
            karpathy_image("x", 7, filename="b.jpg"),
        ]
    }


def blank_visual_genome(*captions: str) -> list[dict[str, Any]]:
    return [{"id": 1, "regions": [{"phrase": each} for each in captions]}, {"id": 2, "regions": [{"phrase": "a cake"}]}]


PUBLISHED = {
    "captions_val2014.json": (blank_coco, ""),
    "dataset_flickr30k.json": (blank_karpathy, "#x"),
    "region_descriptions.json": (blank_visual_genome, ""),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_blank_captions_as_published(name: str, tmp_path: Path) -> None:
    make, part = PUBLISHED[name]
    path = f"{write(tmp_path / name, make('', 'A dog.', ' '))}{part}"
    found = read_caption_file(path)
    assert ([len(record.captions) for record in found.records], found.num_blank) == ([1, 1], 2)
    assert found.records[0].captions == ("A dog.",)
    with pytest.warns(UserWarning, match=f"{name}.*: blank captions are left out, 2 of them"):
        assert read_captions(path) == found.records


@pytest.mark.parametrize("name", ["captions_val2014.json", "region_descriptions.json"])
def test_images_of_blank_captions_alone_are_left_out_of_annotations(name: str, tmp_path: Path) -> None:
    path = write(tmp_path / name, PUBLISHED[name][0](" ", ""))
    for required in (True, False):
        found = read_caption_file(path, required)
        assert (len(found.records), found.num_blank) == (1, 2)
    (tmp_path / "all_blank.json").write_text(
        json.dumps({**COCO, "annotations": [{"image_id": 391895, "caption": " "}]})
    )
    with pytest.raises(InputError, match=r"all_blank\.json: no captions"):
        read_caption_file(tmp_path / "all_blank.json")


def test_images_of_blank_captions_alone_in_lines(tmp_path: Path) -> None:
    path = tmp_path / "captions.jsonl"
    path.write_text('{"image_id": "a", "captions": ["one", ""]}\n{"image_id": "b", "captions": [" ", "\\t"]}\n')
    with pytest.raises(InputError, match=r"/captions\.jsonl:2: image 'b' has blank captions alone"):
        read_captions(path)
    found = read_caption_file(path, required=False)
    assert ([record.captions for record in found.records], found.num_blank) == ([("one",), ()], 3)


def test_images_of_blank_captions_alone_in_karpathys_and_multi30k(tmp_path: Path) -> None:
    path = write(tmp_path / "dataset_flickr30k.json", blank_karpathy(" "))
    with pytest.raises(InputError, match=r"/dataset_flickr30k\.json:a: image 'a' has blank captions alone"):
        read_captions(f"{path}#x")
    (tmp_path / "val.images.txt").write_text("1.jpg\n2.jpg\n")
    (tmp_path / "val.1.en").write_text("One.\n\n")
    (tmp_path / "val.2.en").write_text("\nZwei.\n")
    found = read_caption_file(tmp_path / "val.images.txt")
    assert ([record.captions for record in found.records], found.num_blank) == ([("One.",), ("Zwei.",)], 2)
    (tmp_path / "val.2.en").write_text("Eins.\n\n")
    with pytest.raises(InputError, match=r"/val\.images\.txt:2: image '2' has blank captions alone"):
        read_captions(tmp_path / "val.images.txt")


def test_object_tags_come_once(tmp_path: Path) -> None:
    path = tmp_path / "tags.jsonl"
    path.write_text('{"image_id": 5, "tags": ["dog", "ball"]}\n')
    assert read_object_tags(path) == {"5": ("dog", "ball")}
    path.write_text(path.read_text() * 2)
    with pytest.raises(InputError, match="1 images come twice"):
        read_object_tags(path)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"images": []}, "not COCO's caption annotations (KeyError: 'annotations')"),
        ({"images": [], "annotations": []}, "no captions"),
        ({"images": [{"sentences": [], "filename": "a.jpg"}]}, "not Karpathy's JSON (KeyError: 'split')"),
        ({"images": [{"sentences": [], "filename": "a.jpg", "split": "x"}]}, "image a has no sentence"),
        ({**COCO, "images": []}, "not COCO's caption annotations (KeyError: 391895)"),
        ([{"id": 1}], "not Visual Genome's region descriptions (KeyError: 'regions')"),
        ("text", "not COCO's caption annotations (TypeError"),
    ],
)
def test_other_json_is_refused(tmp_path: Path, values: Any, message: str) -> None:
    path = write(tmp_path / "other.json", values)
    with pytest.raises(InputError) as caught:
        read_captions(f"{path}#x" if "no sentence" in message else path)
    assert message in str(caught.value)


def test_a_part_of_a_file_without_parts(tmp_path: Path) -> None:
    path = write(tmp_path / "captions_val2014.json", COCO)
    with pytest.raises(InputError, match="has no parts; leave out '#val'"):
        read_captions(f"{path}#val")
