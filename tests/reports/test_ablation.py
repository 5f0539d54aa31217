"""The table of an ablation: runs by variant, means and spreads, unfinished runs left out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from unimo.cli import main
from unimo.errors import InputError
from unimo.reports.ablation import ablation_report


def write_run(folder: Path, recall: float, relation: float | None) -> None:
    folder.mkdir(parents=True)
    (folder / "report.json").write_text(json.dumps({"splits": {"test": {"match.text_to_image.r1": recall}}}))
    if relation is not None:
        pairwise = {"object": 1.0, "relation": relation, "attribute": None}
        (folder / "negatives.json").write_text(json.dumps({"matching_head": {"accuracy": 0.5, "pairwise": pairwise}}))


def test_means_and_spreads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(tmp_path / "full-seed1", 0.6, 0.5)
    write_run(tmp_path / "full-seed2", 0.8, 0.7)
    write_run(tmp_path / "without_cmcl-seed1", 0.1, 0.5)
    write_run(tmp_path / "without_cmcl-seed2", 0.3, None)  # still running
    assert main(["ablation", "--runs", str(tmp_path), "--json", str(tmp_path / "ablation.json")]) == 0
    variants = json.loads((tmp_path / "ablation.json").read_text())["variants"]
    found = variants["full"]["match.text_to_image.r1"]
    assert found["mean"] == pytest.approx(0.7) and found["std"] == pytest.approx(0.02**0.5) and found["count"] == 2
    assert variants["full"]["negatives.matching_head.pairwise.relation"]["mean"] == pytest.approx(0.6)
    assert variants["without_cmcl"]["match.text_to_image.r1"] == {"mean": 0.1, "std": None, "count": 1}
    lines = capsys.readouterr().out.splitlines()
    assert lines[4:6] == ["| full | 2 | 70.0 ± 14.1 | - | - | - |", "| without_cmcl | 1 | 10.0 | - | - | - |"]
    assert "| full | 2 | 50.0 ± 0.0 | - | - | 100.0 ± 0.0 | - | 60.0 ± 14.1 | - |" in lines


def test_a_head_that_nothing_trained_has_no_numbers(tmp_path: Path) -> None:
    for number, name in ((8, "full"), (0, "without_cmcl")):
        write_run(tmp_path / f"{name}-seed1", 0.6, 0.5)
        config = f"options:\n  contrastive:\n    num_pairs: {number}\n"
        (tmp_path / f"{name}-seed1" / "config.yaml").write_text(config)
    variants = ablation_report(tmp_path)["variants"]
    assert "match.text_to_image.r1" in variants["full"] and variants["without_cmcl"] == {}


def test_curves_of_checkpoints_on_the_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed, shares in ((1, {1000: 0.5, 200: 0.25}), (2, {1000: 0.75})):
        run = tmp_path / f"reading-seed{seed}"
        write_run(run, 0.6, 0.5)
        for step, share in shares.items():
            words = {"hidden_words": {"pairwise": {"object": 1.0, "relation": share}}}
            (run / f"negatives-at-{step}.json").write_text(json.dumps(words))
    assert main(["ablation", "--runs", str(tmp_path), "--json", str(tmp_path / "ablation.json")]) == 0
    steps = json.loads((tmp_path / "ablation.json").read_text())["curves"]["reading"]
    assert list(steps) == ["200", "1000"]
    assert steps["1000"]["negatives.hidden_words.pairwise.relation"]["mean"] == 0.625
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2:] == ["| reading | 200 | 100.0 | - | 25.0 |", "| reading | 1000 | 100.0 ± 0.0 | - | 62.5 ± 17.7 |"]


def test_nothing_finished_is_said(tmp_path: Path) -> None:
    write_run(tmp_path / "full-seed1", 0.6, None)
    with pytest.raises(InputError, match="no finished run"):
        ablation_report(tmp_path)
