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
    assert lines[2].startswith("| full | 2 | 70.0 ± 14.1 | -")
    assert lines[3].startswith("| without_cmcl | 1 | 10.0 | -")


def test_nothing_finished_is_said(tmp_path: Path) -> None:
    write_run(tmp_path / "full-seed1", 0.6, None)
    with pytest.raises(InputError, match="no finished run"):
        ablation_report(tmp_path)
