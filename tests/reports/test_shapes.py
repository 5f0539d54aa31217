"""The report of a quickstart folder: names, values, page, and mistakes."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reports.conftest import read_jsonl, read_page, write_lines
from unimo.cli import main
from unimo.data.records import CaptionRecord
from unimo.errors import InputError
from unimo.reports import build_shapes_report
from unimo.reports.contrasts import choice_examples
from unimo.reports.shapes_metrics import random_recall
from unimo.reports.shapes_page import judge
from unimo.worlds.shapes import Scene, SceneObject, check_caption, read_scenes

RECALL = {way: {f"r{rank}": None for rank in (1, 5, 10)} for way in ("text_to_image", "image_to_text")}
CAPTIONING = {"scene_accuracy", "position_accuracy", "relation_accuracy", "attributes_accuracy", "cider"}


@pytest.fixture(scope="module")
def report(shapes_folder: Path) -> dict[str, Any]:
    assert main(["report", "--run", str(shapes_folder)]) == 0
    return json.loads((shapes_folder / "report.json").read_text(encoding="utf-8"))


def names(value: Any) -> Any:
    return {key: names(inner) for key, inner in value.items()} if isinstance(value, dict) else None


def paths(value: Any, start: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    return (
        [path for key, inner in value.items() for path in paths(inner, (*start, key))]
        if isinstance(value, dict)
        else [start]
    )


def test_names(report: dict[str, Any]) -> None:
    assert list(report) == ["chance", "zero_shot", "finetuned", "seconds", "total_seconds"]
    zero_shot = dict(report["zero_shot"])
    negatives = zero_shot.pop("hard_negatives")
    assert names(zero_shot) == {"matching_head": RECALL, "likelihood": RECALL}
    assert set(negatives) == {"count", "chance", "matching_head", "likelihood"}
    parts = {"accuracy", "pairwise", "accuracy_by_kind", "seen", "unseen", "shuffled"}
    assert set(negatives["likelihood"]) == set(negatives["matching_head"]) == parts
    assert set(report["finetuned"]) == {"captioning", "retrieval", "text"}
    assert names(report["finetuned"]["retrieval"]) == RECALL
    assert names(report["finetuned"]["text"]) == {"accuracy": None}
    captioning = report["finetuned"]["captioning"]
    assert set(captioning) >= CAPTIONING | {"held_out", "seen", "relation_given_objects", "position_given_objects"}
    for stage in ("zero_shot", "finetuned"):
        assert set(paths(report[stage])) <= set(paths(report["chance"]))


def test_values(report: dict[str, Any]) -> None:
    assert report["seconds"] == {"world": 1.5, "pretraining": 100.0, "retrieval": 25.5, "statements": 30.0}
    assert report["total_seconds"] == 132.0
    zero_shot, finetuned, chance = report["zero_shot"], report["finetuned"], report["chance"]
    assert zero_shot["matching_head"]["text_to_image"]["r5"] == pytest.approx(0.15)
    assert zero_shot["likelihood"]["image_to_text"]["r10"] == pytest.approx(0.301)
    assert finetuned["retrieval"]["text_to_image"]["r1"] == pytest.approx(0.31)
    # two of twenty captions are spoilt, the others are true
    for name in CAPTIONING - {"cider"}:
        assert finetuned["captioning"][name] == pytest.approx(0.9), name
        assert 0 <= chance["captioning"][name] < 0.2, name
    assert finetuned["captioning"]["cider"] == 3.25 > chance["captioning"]["cider"] > 0
    negatives, level = zero_shot["hard_negatives"], chance["hard_negatives"]["likelihood"]
    assert negatives["count"] == 20
    assert negatives["matching_head"]["accuracy"] == 0.75 and negatives["likelihood"]["accuracy"] == 0.0
    assert level["accuracy"] == pytest.approx(1 / 11) and level["unseen"]["pairwise"]["relation"] == 0.5
    held_out, seen = finetuned["captioning"]["held_out"], finetuned["captioning"]["seen"]
    assert held_out["count"] + seen["count"] == 20
    assert finetuned["text"]["accuracy"] == 0.75
    assert chance["text"]["accuracy"] == 0.5


def test_page(report: dict[str, Any], shapes_folder: Path) -> None:
    reader = read_page((shapes_folder / "report.html").read_text(encoding="utf-8"))
    sections = ["results", "captions", "retrieval", "choices", "contrasts", "texts", "curves", "timings", "notes"]
    assert reader.sections == sections
    assert len(reader.of_class("card")) == 16 + 12
    assert len(reader.of_class("query")) == 8 + 6
    retrieved = len(reader.of_class("hit")) - 8 * 5
    assert len(reader.images) == 16 + 8 * 5 + 12 + 6 + retrieved and retrieved > 6
    assert len([each for each in reader.of_class("hit") if each["class"] == "hit right"]) >= 8
    # three named losses and their sum, and one for each fine-tuning
    assert sum(tag == "svg" for tag, _ in reader.elements) == 4 + 3
    assert "Nothing was picked" in reader.all_text
    for told in ("2 min 12 s", "side by side counts once", "in 2 minutes together"):
        assert told in reader.all_text, "stages that ran side by side count once, a pause not at all"
    assert "on the test split itself" in reader.all_text, "a step chosen on the test split is told"


def test_choices_on_the_page(report: dict[str, Any], shapes_folder: Path) -> None:
    reader = read_page((shapes_folder / "report.html").read_text(encoding="utf-8"))
    assert len(reader.of_class("true")) == 12, "one true caption an image"
    lines = read_jsonl(shapes_folder / "negatives.jsonl")
    examples = choice_examples(lines, {}, {"matching_head": "head", "likelihood": "likelihood"})
    by_image = {line["image_id"]: line for line in lines}
    for example in examples:
        line = by_image[example.image_id]
        scores = [caption.scores[0] for caption in example.captions]
        assert scores == sorted(scores, reverse=True) and len(scores) == 11
        place = [caption.kind for caption in example.captions].index("")
        assert example.captions[place].text == line["caption"] and example.ranks[0] == place + 1
        assert example.ranks[1] == 11, "all are alike by likelihood, and ties count against the true one"
    assert {example.ranks[0] for example in examples} == {1, 3}
    assert "matching head: place 3 of 11" in reader.all_text


def test_what_was_reached_is_told_on_the_screen(
    report: dict[str, Any], shapes_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", "--run", str(shapes_folder)]) == 0
    *told, page = capsys.readouterr().out.splitlines()
    assert page == str(shapes_folder / "report.html")
    assert f"{report['finetuned']['text']['accuracy']:.1%}" in next(line for line in told if "sentences" in line)
    found = report["zero_shot"]["likelihood"]["image_to_text"]["r1"]
    assert any(line.startswith("R@1, zero-shot, likelihood") and f"{found:.3f}" in line for line in told)
    assert told[-1].startswith(f"{report['total_seconds']:.0f} s")


def test_same_folder_gives_same_bytes(report: dict[str, Any], shapes_folder: Path) -> None:
    before = (shapes_folder / "report.html").read_bytes()
    build_shapes_report(shapes_folder)
    assert (shapes_folder / "report.html").read_bytes() == before


def change_lines(path: Path, change: Any) -> None:
    write_lines(path, change(read_jsonl(path)))


def drop_value(path: Path, key: str) -> None:
    value = json.loads(path.read_text())
    del value["splits"]["test"][key]
    path.write_text(json.dumps(value))


def test_mistakes_name_the_file(shapes_copy: Path) -> None:
    cases = [
        (
            "captioning/predictions/test.jsonl",
            lambda path: change_lines(path, lambda lines: lines[:-2]),
            "no prediction for 2 of 20",
        ),
        (
            "captioning/predictions/test.jsonl",
            lambda path: change_lines(path, lambda lines: [*lines, {"image_id": "dog", "caption": "x"}]),
            ":21: image_id 'dog' is none",
        ),
        (
            "captioning/predictions/test.jsonl",
            lambda path: path.write_text('{"image_id": "a"}\n'),
            ":1: no field 'caption'",
        ),
        (
            "retrieval/predictions/test.jsonl",
            lambda path: path.write_text('{"caption": "a"}\n'),
            ":1: no field 'image_id'",
        ),
        ("captioning/report.json", lambda path: drop_value(path, "cider"), "no value 'cider'"),
        ("retrieval/report.json", lambda path: path.unlink(), "no such file"),
        ("pretraining/report.json", lambda path: drop_value(path, "likelihood.text_to_image.r1"), "likelihood.text_to"),
        (
            "statements/report.json",
            lambda path: path.write_text('{"splits": {"test": {"accuracy": 0.9}}}'),
            "of one run",
        ),
        ("negatives.json", lambda path: path.unlink(), "no such file; `unimo evaluate-negatives --json"),
        ("negatives.json", lambda path: path.write_text("{}"), "matching_head or likelihood"),
        ("negatives.jsonl", lambda path: path.unlink(), "no such file; `unimo evaluate-negatives --predictions"),
        ("negatives.jsonl", lambda path: change_lines(path, lambda lines: lines[2:]), "of one run"),
        ("negatives.jsonl", lambda path: path.write_text('{"image_id": "a"}\n'), ":1: no field"),
        ("augmented/index.json", lambda path: path.unlink(), "index.json is missing"),
        ("stages.tsv", lambda path: path.write_text("world\t1\nretrieval 5\n"), ":2: a line is a stage, its seconds"),
    ]
    for name in ("report.json", "report.html"):
        (shapes_copy / name).unlink(missing_ok=True)
    for name, spoil, message in cases:
        path = shapes_copy / name
        before = path.read_bytes()
        spoil(path)
        with pytest.raises(InputError) as caught:
            build_shapes_report(shapes_copy)
        assert Path(name).name in str(caught.value) and message in str(caught.value)
        assert not (shapes_copy / "report.json").exists() and not (shapes_copy / "report.html").exists()
        path.write_bytes(before)
    build_shapes_report(shapes_copy)
    assert (shapes_copy / "report.json").exists() and (shapes_copy / "report.html").exists()


@given(st.integers(2, 6), st.integers(1, 3), st.data())
def test_random_recall_against_counting(num_images: int, num_captions: int, data: st.DataObject) -> None:
    ids = [str(number) for number in range(num_images)]
    others = data.draw(st.lists(st.sets(st.sampled_from(ids)), min_size=num_images, max_size=num_images))
    records = [
        CaptionRecord("", name, ("x",) * num_captions, tuple(sorted(also)))
        for name, also in zip(ids, others, strict=True)
    ]
    found = random_recall(records)
    right = [{name} | also for name, also in zip(ids, others, strict=True) for _ in range(num_captions)]
    columns = [{column for column, images in enumerate(right) if name in images} for name in ids]
    for way, wanted, candidates in (
        ("text_to_image", [{int(name) for name in images} for images in right], num_images),
        ("image_to_text", columns, len(right)),
    ):
        for rank in (1, 5):
            picks = list(combinations(range(candidates), min(rank, candidates)))
            if len(picks) > 2000:
                continue
            expected = sum(sum(bool(each & set(pick)) for pick in picks) / len(picks) for each in wanted) / len(wanted)
            assert found[way][f"r{rank}"] == pytest.approx(expected)


SCENE = Scene(
    "one",
    "test",
    100,
    100,
    (
        SceneObject("circle", "red", "striped", "large", (5, 5, 35, 35)),
        SceneObject("square", "blue", "plain", "small", (10, 75, 30, 95)),
        SceneObject("star", "green", "dotted", "small", (45, 40, 65, 60)),
    ),
)


@pytest.mark.parametrize(
    ("caption", "wrong", "reason"),
    [
        ("a red circle at the top left is above a blue square", [], ""),
        ("a small red circle at the top left is above a blue square", ["attributes"], "red circle: large, not small"),
        ("a red circle at the top is above a blue square", ["position"], "red circle: top left, not top"),
        ("a red circle at the top left is below a blue square", ["relation"], "above blue square, not below"),
        ("a red circle at the top left is above a green star", ["relation"], "not clear in this scene"),
        ("a red circle is above a blue square", ["position"], "none stated"),
        ("a red heart at the top left is above a blue square", ["objects"], "no red heart; there are: red circle"),
        ("a red circle at the top left is above a red circle", ["objects"], "named twice"),
        ("there is a red circle", ["objects"], "two are expected"),
        ("a dog on a beach", ["sentence"], "not a sentence"),
    ],
)
def test_judge_gives_reasons(caption: str, wrong: list[str], reason: str) -> None:
    verdicts = judge(caption, SCENE)
    assert [verdict.aspect for verdict in verdicts if not verdict.right] == wrong
    assert any(reason in verdict.reason for verdict in verdicts if not verdict.right) or not wrong


def test_judge_agrees_with_the_world(shapes_folder: Path) -> None:
    """Every caption of the test file against a scene of another image and against its own."""
    scenes = read_scenes(shapes_folder / "world")
    records = read_jsonl(shapes_folder / "world" / "captioning_test.jsonl")
    for record, other in zip(records, [*records[1:], records[0]], strict=True):
        for caption in record["captions"]:
            for image_id in (record["image_id"], other["image_id"]):
                check, verdicts = check_caption(caption, scenes[image_id]), judge(caption, scenes[image_id])
                all_right = check.attributes_correct and check.position_correct and check.relation_correct
                assert all(verdict.right for verdict in verdicts) == all_right
