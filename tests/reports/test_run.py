"""The page of any run folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from tests.reports.conftest import read_page, write_lines, write_run
from unimo.augment.corpus import AugmentedCorpus
from unimo.cli import main
from unimo.errors import InputError
from unimo.regions.extract import find_images
from unimo.reports import build_run_report
from unimo.reports.contrasts import contrast_examples
from unimo.reports.run import throughput_notes
from unimo.reports.sampling import sample


def test_captioning_run_with_pictures(shapes_folder: Path, tmp_path: Path) -> None:
    write_run(tmp_path, "captioning", {"cider": 0.8, "bleu4": 0.5}, ("captioning",), "dev.cider")
    lines = [{"image_id": f"test_{n:06d}", "caption": f"caption <{n}>"} for n in range(20)]
    write_lines(tmp_path / "predictions" / "test.jsonl", lines)
    output = build_run_report(tmp_path, shapes_folder / "world" / "images")
    reader = read_page(output.read_text(encoding="utf-8"))
    assert output == tmp_path / "report.html"
    assert len(reader.images) == 16 == len(reader.of_class("card"))
    assert "0.800" in reader.all_text, "CIDEr is no share, though it may be below 1"
    assert "50.0" in reader.all_text
    assert "900 tokens a second" in reader.all_text
    assert json.loads((tmp_path / "report.json").read_text())["task"] == "captioning", "the run's own file is kept"


def test_retrieval_and_text_runs(shapes_folder: Path, tmp_path: Path) -> None:
    for name in ("retrieval", "statements"):
        (tmp_path / name / "predictions").mkdir(parents=True)
        for part in ("report.json", "metrics.jsonl", "predictions/test.jsonl"):
            (tmp_path / name / part).write_bytes((shapes_folder / name / part).read_bytes())
    hits = read_page(build_run_report(tmp_path / "retrieval").read_text()).of_class("hit")
    assert len(hits) == 8 * 5
    assert sum(attributes["class"] == "hit right" for attributes in hits) == 8
    texts = read_page(build_run_report(tmp_path / "statements").read_text())
    assert "statements_test.tsv:" in texts.all_text


def test_run_that_has_not_ended(tmp_path: Path) -> None:
    write_lines(tmp_path / "metrics.jsonl", [{"step": n, "split": "train", "loss": 1.0 / n} for n in (10, 20)])
    reader = read_page(build_run_report(tmp_path).read_text())
    assert "has not ended" in reader.all_text and "step 20" in reader.all_text
    assert reader.sections == ["curves"]


def test_speed_padding_and_waiting_are_means_by_time(tmp_path: Path) -> None:
    """Of 30 steps with 900 tokens each, the last ten wait for half of their 20 seconds, at half the speed."""
    window = {"split": "train", "seconds": 10.0, "padding_share": 0.1, "data_wait_share": 0.0}
    window |= {"tokens_per_second": 900.0}
    slow = window | {"seconds": 20.0, "tokens_per_second": 450.0, "padding_share": 0.3, "data_wait_share": 0.5}
    broken = window | {"tokens_per_second": None}
    events = [{"step": 10} | window, {"step": 20} | window, {"step": 30} | slow, {"step": 40} | broken]
    write_lines(tmp_path / "metrics.jsonl", [*events, {"step": 40, "split": "test", "seconds": 9.0}])
    [note] = throughput_notes({"a run": tmp_path})
    assert "Speed of a run: 675 tokens a second" in note, "27,000 tokens in 40 seconds"
    assert "20.0% of the positions were padding, 25.0% of the time was waiting" in note
    assert note.endswith("(means over the log, weighted by time).")
    assert throughput_notes({"nothing": tmp_path / "absent"}) == []


def test_pretraining_shows_what_contrastive_learning_reads(shapes_folder: Path, tmp_path: Path) -> None:
    write_run(tmp_path, "pretraining", {"match.mean_r1": 0.5}, ("contrastive",), "test.match.mean_r1")
    config = {"task": "pretraining", "options": {"contrastive": {"augmented": str(shapes_folder / "augmented")}}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    reader = read_page(build_run_report(tmp_path, shapes_folder / "world" / "images").read_text())
    assert "contrasts" in reader.sections
    assert len(reader.of_class("contrast")) == 6
    # the six captions' own pictures, and up to four images retrieved for each (of four in all)
    assert len(reader.images) == 6 + len(reader.of_class("hit")) and len(reader.of_class("hit")) > 6
    named = {image["alt"] for tag, image in reader.elements if tag == "img"}
    assert any(str(name).startswith("image images_") for name in named), "retrieved ones are those without a text"
    assert any(tag == "mark" for tag, _ in reader.elements), "what a rewrite put in is marked"
    for kind in ("object", "attribute", "relation", "two at once", "similar caption", "retrieved texts"):
        assert kind in reader.all_text
    without = read_page(build_run_report(tmp_path).read_text())
    assert without.images == [] and len(without.of_class("contrast")) == 6


def test_a_corpus_that_is_gone_is_told(tmp_path: Path) -> None:
    write_run(tmp_path, "pretraining", {"match.mean_r1": 0.5}, ("contrastive",), "test.match.mean_r1")
    config = {"task": "pretraining", "options": {"contrastive": {"augmented": str(tmp_path / "gone")}}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    reader = read_page(build_run_report(tmp_path).read_text())
    assert "contrasts" not in reader.sections
    assert f"{tmp_path / 'gone' / 'index.json'} is missing" in reader.all_text


def test_photographs_under_another_name(shapes_folder: Path, tmp_path: Path) -> None:
    """A corpus may name COCO's images as another release does."""
    photos = tmp_path / "train2017"
    photos.mkdir()
    corpus = AugmentedCorpus(shapes_folder / "augmented")
    ids = {found.image_id for found in corpus} | {name for found in corpus for name in found.retrieved_images}
    for image_id in ids:
        shutil.copy(shapes_folder / "world" / "images" / f"{image_id}.png", photos / f"{image_id}.png")
    examples = contrast_examples(corpus.path, find_images(tmp_path))
    assert all(each.image is not None for each in examples)
    assert all(path is not None for each in examples for _, path in each.retrieved_images)


def test_not_a_run_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match="no run folder"):
        build_run_report(tmp_path)
    assert main(["report", "--run", str(tmp_path)]) == 2
    assert "no run folder" in capsys.readouterr().err


def test_damaged_report(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("[]")
    with pytest.raises(InputError, match=r"report.json: expected an object"):
        build_run_report(tmp_path)


def test_verb_writes_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(tmp_path, "retrieval", {"mean_r1": 0.5}, ("circle",), "dev.mean_r1")
    assert main(["report", "--run", str(tmp_path)]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "report.html")
    assert (tmp_path / "report.html").is_file()


def test_sample_is_seeded_and_not_the_first_ones() -> None:
    items = list(range(100))
    chosen = sample(items, 10)
    assert chosen == sample(items, 10) == sorted(set(chosen))
    assert chosen != items[:10] and len(chosen) == 10
    assert sample(items[:3], 10) == [0, 1, 2]
