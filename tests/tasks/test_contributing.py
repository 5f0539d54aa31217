"""What CONTRIBUTING shows of a new dataset: its diff is one yaml, and the commands beside it run with that alone."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.tasks.recipe_data import SENTENCES, write_checkpoint, write_lines
from unimo.cli import main

TEXT = (REPOSITORY / "CONTRIBUTING.md").read_text("utf-8")
[DIFF] = re.findall(r"^```diff\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
COMMANDS = re.findall(r"^```bash\n(.*?)^```", TEXT.partition(DIFF)[2], re.DOTALL | re.MULTILINE)[0]


def write_rte(folder: Path) -> None:
    """RTE in GLUE's layout, labelled where GLUE labels it."""
    rows = [f'{number}\t{text}\tit is "{text}"' for number, text in enumerate(SENTENCES)]
    labelled = [f"{row}\t{('entailment', 'not_entailment')[number % 2]}" for number, row in enumerate(rows)]
    for split in ("train", "dev"):
        write_lines(folder / f"{split}.tsv", ["index\tsentence1\tsentence2\tlabel", *labelled])
    write_lines(folder / "test.tsv", ["index\tsentence1\tsentence2", *rows])


def test_the_diff_alone_trains_scores_and_hands_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rte.diff").write_text(DIFF)
    subprocess.run(["git", "apply", "rte.diff"], cwd=tmp_path, check=True)
    files = [
        path.relative_to(tmp_path).as_posix() for path in (tmp_path / "model_configs").rglob("*") if path.is_file()
    ]
    assert files == ["model_configs/finetune/rte.yaml"] and DIFF.count("+++ ") == 1
    assert not (REPOSITORY / files[0]).exists()
    write_rte(tmp_path / "data" / "glue" / "RTE")
    write_checkpoint(tmp_path / "unimo_base_en", tmp_path / "corpus.txt")
    monkeypatch.chdir(tmp_path)
    for line in COMMANDS.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        assert words[:3] == ["python", "-m", "unimo"]
        assert main(words[3:]) == 0
    assert "dev.accuracy" not in (out := capsys.readouterr().out) and "test.accuracy: undefined" in out
    header, *rows = (tmp_path / "runs/rte/scores/submission/RTE.tsv").read_text().splitlines()
    assert header == "index\tprediction"
    assert [row.split("\t")[0] for row in rows] == [str(number) for number in range(len(SENTENCES))]
    assert {row.split("\t")[1] for row in rows} <= {"entailment", "not_entailment"}
