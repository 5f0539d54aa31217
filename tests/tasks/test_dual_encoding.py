"""Two-stage retrieval, and the head it needs: trained, kept in an index, searched."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import SmallWorld
from tests.tasks.jobs import job, write_job
from unimo.cli import main
from unimo.metrics.retrieval import recall_at
from unimo.tasks.dual_encoding import candidates, two_stage_curve, two_stage_ranking


def test_with_all_candidates_it_is_exact() -> None:
    rng = np.random.default_rng(0)
    joint, cosines = rng.standard_normal((9, 7)), rng.random((9, 7))
    relevant = rng.random((9, 7)) < 0.2
    curve = two_stage_curve(cosines, relevant, [2, 9], lambda wanted: joint)
    assert curve[1].recall["text_to_image"] == recall_at(joint.T, relevant.T)
    assert curve[1].recall["image_to_text"] == recall_at(joint, relevant)
    assert curve[0].passes == {"text_to_image": 14, "image_to_text": 18}
    assert 18 <= curve[0].pairs_read <= 32 and curve[1].pairs_read == 63


def test_only_the_candidates_are_read() -> None:
    rng = np.random.default_rng(0)
    joint, cosines = rng.standard_normal((9, 7)), rng.random((9, 7))
    asked: list[np.ndarray] = []

    def score(wanted: np.ndarray) -> np.ndarray:
        asked.append(wanted)
        return np.where(wanted, joint, np.nan)  # nothing else may leak into a ranking

    curve = two_stage_curve(cosines, rng.random((9, 7)) < 0.5, [1, 3], score)
    assert len(asked) == 1 and asked[0].sum(axis=0).min() >= 3 and not asked[0].all()
    assert all(0 <= value <= 1 for each in curve for way in each.recall.values() for value in way.values())


def test_what_is_left_stays_behind_in_the_order_of_the_vectors() -> None:
    cosines = np.asarray([[0.9, 0.8, 0.7, 0.6]])
    joint = np.asarray([[-50.0, -40.0, 99.0, 99.0]])
    chosen = candidates(cosines, 2)
    assert np.argsort(-two_stage_ranking(cosines, joint, chosen)[0]).tolist() == [1, 0, 2, 3]
    assert candidates(np.zeros((1, 4)), 2).tolist() == [[True, True, False, False]]


@pytest.fixture(scope="module")
def checkpoint(small_world: SmallWorld, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dual")
    values = job(small_world, "retrieval", folder / "run")
    values["options"] = {"dual_pairs": 6, "num_negative_images": 2, "num_negative_captions": 2}
    values["data"]["evaluate"] = {}
    assert main(["train", "--config", str(write_job(folder / "job.yaml", values))]) == 0
    lines = [json.loads(line) for line in (folder / "run" / "metrics.jsonl").read_text().splitlines()]
    assert any("dual" in key for line in lines for key in line)
    return folder / "run" / "checkpoints" / "best"


def lines_of(capsys: pytest.CaptureFixture[str]) -> list[dict]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]


def test_build_add_and_search(
    checkpoint: Path, small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index, regions = str(tmp_path / "index"), str(small_world.regions)
    captions = str(small_world.world / "retrieval_test.jsonl")
    made_with = ["--checkpoint", str(checkpoint), "--regions", regions]
    assert main(["index", "build", *made_with, "--captions", captions, "--output", index]) == 0
    assert "images: 12 added, 12 in all" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index"]
    assert main(["index", "build", *made_with, "--captions", captions, "--output", index]) == 2
    assert "is there already" in capsys.readouterr().err
    more = tmp_path / "more.txt"
    more.write_text("a red circle\na blue star\n")
    assert main(["index", "add", "--index", index, "--texts", str(more)]) == 0
    assert main(["index", "add", "--index", index, "--texts", str(more)]) == 0
    assert "0 added, 2 were there, 14 in all" in capsys.readouterr().out
    more.write_text("a red circle\nanother text\n")
    assert main(["index", "add", "--index", index, "--texts", str(more)]) == 2
    assert "with another text: 'a blue star'" in capsys.readouterr().err

    assert main(["index", "search", "--index", index, "--texts", "a red circle", "a star", "--k", "3"]) == 0
    found = lines_of(capsys)
    assert [each["text"] for each in found] == ["a red circle", "a star"]
    cosines = [hit["cosine"] for hit in found[0]["images"]]
    assert len(cosines) == 3 and cosines == sorted(cosines, reverse=True)
    assert main(["index", "search", "--index", index, "--images", "test_000001", "--rerank", "4", "--k", "5"]) == 0
    texts = lines_of(capsys)[0]["texts"]
    scores = [hit["score"] for hit in texts if "score" in hit]
    assert len(texts) == 5 and len(scores) == 4 and scores == sorted(scores, reverse=True)
    assert texts[0]["text"] and "score" not in texts[4]
    assert main(["index", "search", "--index", index, "--images", "nowhere"]) == 2
    assert "nowhere" in capsys.readouterr().err


def test_evaluation_of_two_stages(
    checkpoint: Path, small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--checkpoint", str(checkpoint), "--captions", str(small_world.world / "retrieval_test.jsonl")]
    flags += ["--regions", str(small_world.regions), "--ks", "3", "12"]
    results = []
    for exact in ("true", "false"):
        path = tmp_path / f"{exact}.json"
        assert main(["index", "evaluate", *flags, "--exact", exact, "--json", str(path)]) == 0
        results.append(json.loads(path.read_text()))
    # 12 candidates of 12 are all of them, and reading only the candidates gives the same as reading all
    assert results[0]["two_stage"][1]["recall"] == results[0]["exact"]
    assert results[0]["two_stage"] == results[1]["two_stage"] and "exact" not in results[1]
    assert "fewer joint passes: text to image 4, image to text 4, both " in capsys.readouterr().out
    assert [each["pairs_read"] for each in results[0]["two_stage"]][1] == 144


def test_a_checkpoint_without_the_head(
    small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = job(small_world, "retrieval", tmp_path / "run")
    values["options"] = {"num_negative_images": 1, "num_negative_captions": 1}
    values["data"]["evaluate"], values["training"]["num_steps"] = {}, 1
    assert main(["train", "--config", str(write_job(tmp_path / "job.yaml", values))]) == 0
    flags = ["--checkpoint", str(tmp_path / "run" / "checkpoints" / "best"), "--output", str(tmp_path / "index")]
    assert main(["index", "build", *flags, "--texts", str(tmp_path / "job.yaml")]) == 2
    assert "no head `dual`" in (error := capsys.readouterr().err) and "options.contrastive.dual_pairs" in error
    assert not list(tmp_path.glob("index*"))
