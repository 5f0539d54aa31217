"""The paper's numbers beside those of runs: every row names what is there, and finds what was run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from unimo.cli import main
from unimo.cli.jobs import load_job
from unimo.reports.reproduction import Finding, Row, find_results, read_rows, table_lines

ROWS = read_rows()


def write_report(folder: Path, best_metric: str = "", **splits: dict[str, float | None]) -> None:
    folder.mkdir(parents=True)
    (folder / "report.json").write_text(json.dumps({"splits": splits, "best_metric": best_metric}))


def found(rows: list[Finding], run: str, score: str) -> Finding:
    return next(each for each in rows if (each.row.run, each.row.score) == (run, score))


def test_all_numbers_are_there() -> None:
    # Table 1: six recalls, two of entailment, two of VQA, two of captions; Table 2: 1 + 2 + 1 + 1 + 1 + 3 + 3 + 3
    assert [sum(row.table == table for row in ROWS) for table in ("Table 1", "Table 2", "zero-shot")] == [24, 30, 8]
    assert len({(row.table, row.size, row.task, row.metric) for row in ROWS}) == len(ROWS)
    assert all(0 < row.expected < 130 for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.run}-{row.metric}")
def test_a_row_names_a_recipe_its_script_and_a_score_of_it(row: Row) -> None:
    recipe = REPOSITORY / "model_configs" / "finetune" / f"{row.recipe}.yaml"
    job, _ = load_job([recipe], [])
    assert Path(job.output).name == row.recipe
    if row.score:
        assert row.score.partition(".")[0] in job.data.evaluate
    if row.script:
        assert (REPOSITORY / "run_scripts" / "finetune" / f"{row.script}.sh").is_file()
        assert row.command.startswith("SIZE=large bash" if row.size == "large" else "bash")
        assert f"{row.command}\n" in recipe.read_text(), "the recipe tells another command"


def test_of_several_runs_the_one_counts_that_its_own_metric_prefers(tmp_path: Path) -> None:
    for seed, (dev, test) in {1: (0.70, 0.9), 2: (0.80, 0.6), 3: (0.75, 0.7)}.items():
        scores = {"dev": {"accuracy": dev}, "test": {"accuracy": test}}
        write_report(tmp_path / "snli_ve" / f"seed={seed}", "dev.accuracy", **scores)
    rows = find_results(ROWS, tmp_path)
    finding = found(rows, "snli_ve", "test.accuracy")
    assert (finding.found, finding.num_runs) == (pytest.approx(60), 3)
    assert finding.difference == pytest.approx(60 - 79.1)
    assert found(rows, "snli_ve_large", "test.accuracy").found is None


def test_runs_are_known_by_their_folder(tmp_path: Path) -> None:
    write_report(tmp_path / "a" / "cola", dev={"matthews": 0.5})
    write_report(tmp_path / "cola_small", dev={"matthews": 0.9})
    write_report(tmp_path / "stsb", dev={"pearson": None})
    write_report(tmp_path / "flickr30k_zero_shot_large", test={"text_to_image.r1": 0.7})
    (tmp_path / "shapes").mkdir()
    (tmp_path / "shapes" / "report.json").write_text('{"chance": {}}')  # a quickstart's, which has no splits
    rows = find_results(ROWS, tmp_path)
    assert found(rows, "cola", "dev.matthews").found == pytest.approx(50)
    assert found(rows, "stsb", "dev.pearson").found is None
    assert found(rows, "flickr30k_zero_shot_large", "test.text_to_image.r1").difference == pytest.approx(70 - 72.14)
    assert found(find_results(ROWS, tmp_path / "a" / "cola"), "cola", "dev.matthews").found == pytest.approx(50)


def test_the_table(tmp_path: Path) -> None:
    write_report(tmp_path / "sst2", dev={"accuracy": 0.9})
    lines = table_lines(find_results(ROWS, tmp_path))
    row = next(line for line in lines if "UNIMO-base   SST-2" in line)
    assert row.split("accuracy")[1].split()[:4] == ["95.10", "90.00", "-5.10", "1"]
    assert row.endswith("bash run_scripts/finetune/sst2.sh DATA CHECKPOINT")
    markdown = table_lines(find_results(ROWS, tmp_path), markdown=True)
    assert "| Table 2 | UNIMO-base | SST-2 | accuracy | 95.10 | 90.00 | -5.10 | 1 | `bash" in "\n".join(markdown)
    assert {line.count("|") for line in markdown if line.startswith("|")} == {10}


def test_the_verb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["reproduce"]) == 0
    assert capsys.readouterr().out.count("UNIMO-large") == len(ROWS) / 2
    assert main(["reproduce", "--runs", "absent"]) == 2
    assert "absent: no such folder" in capsys.readouterr().err


def test_readme_holds_the_table_of_no_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "--runs", str(tmp_path), "--markdown"]) == 0
    printed = capsys.readouterr().out.strip()
    _, _, section = (REPOSITORY / "README.md").read_text("utf-8").partition("\n## The paper's tables\n")
    _, _, table = section.partition("\n## ")[0].partition("</summary>\n")
    assert table.strip().removesuffix("</details>").strip() == printed
    assert printed.count("| - | - | - | `") == len(ROWS)  # nothing is said to be found
