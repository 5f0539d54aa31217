"""Whose the output folder is: one job's at a time, whatever became of the one before."""

from __future__ import annotations

import dataclasses
import errno
import fcntl
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from unimo.augment import job as job_module
from unimo.augment.claims import LOCK_NAME, job_lock
from unimo.augment.corpus import AugmentedCorpus
from unimo.augment.job import augment
from unimo.augment.options import AugmentConfig, PairFiles, RewriteOptions
from unimo.errors import InputError

HOLDS = """import sys, time
from pathlib import Path
from unimo.augment.claims import job_lock
with job_lock(Path(sys.argv[1])):
    print("holds", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def config(pairs_file: Path, tmp_path: Path) -> AugmentConfig:
    rewriting = RewriteOptions(num_nodes=2, num_sentences=1, min_count=1)
    return AugmentConfig(PairFiles((str(pairs_file),)), str(tmp_path / "corpus"), rewriting=rewriting)


def test_a_second_job_is_refused_while_one_is_at_work(config: AugmentConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = []
    original = job_module.count_shard

    def meanwhile(folder: str, shard: int) -> None:
        for overwrite in (False, True):
            with pytest.raises(InputError, match="another corpus job is at work there"):
                augment(dataclasses.replace(config, seed=2), overwrite=overwrite, quiet=True)
            refused.append(overwrite)
        original(folder, shard)

    monkeypatch.setattr(job_module, "count_shard", meanwhile)
    assert augment(config, quiet=True).num_new == 1
    assert refused == [False, True]
    assert len(AugmentedCorpus(config.output)) == 120
    assert not (Path(config.output) / LOCK_NAME).exists()


@pytest.mark.multiprocess
def test_the_lock_goes_with_its_process(config: AugmentConfig) -> None:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-c", HOLDS, config.output]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"holds\n"
        with pytest.raises(InputError, match="another corpus job is at work there"):
            augment(config, quiet=True)
        process.send_signal(signal.SIGKILL)
    assert (Path(config.output) / LOCK_NAME).exists()  # which holds nothing any more
    assert augment(config, quiet=True).num_new == 1


def test_a_folder_without_locks_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unknown(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(fcntl, "flock", unknown)
    with job_lock(tmp_path / "out"):
        assert (tmp_path / "out").is_dir()
    assert "not kept from other jobs: No locks available" in capsys.readouterr().err


def test_a_refused_job_leaves_no_folder(config: AugmentConfig, tmp_path: Path) -> None:
    positives = dataclasses.replace(config.positives, paraphrases=str(tmp_path / "broken.jsonl"))
    (tmp_path / "broken.jsonl").write_text("{}\n")
    with pytest.raises(InputError, match="broken"):
        augment(dataclasses.replace(config, positives=positives), quiet=True)
    assert not Path(config.output).exists()


@pytest.mark.parametrize("left", ["nothing", "config.yaml", ".config.yaml.17.tmp", ".job.json.17.tmp", "job.json"])
def test_a_job_killed_as_it_began(
    left: str, config: AugmentConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(config.output)
    augment(config, quiet=True)
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}
    shutil.rmtree(folder)
    folder.mkdir()
    if left != "nothing":
        (folder / left).write_bytes(whole.get(left, b"{"))
    (folder / LOCK_NAME).touch()
    assert augment(config, quiet=True).num_new == 1
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == whole


def test_a_configuration_of_something_else_is_left_alone(config: AugmentConfig) -> None:
    folder = Path(config.output)
    folder.mkdir()
    (folder / "config.yaml").write_text("training: {max_steps: 3}\n")
    with pytest.raises(InputError, match="is not empty, and holds no corpus"):
        augment(config, overwrite=True, quiet=True)
    assert [path.name for path in folder.iterdir()] == ["config.yaml"]


def test_a_job_that_ended_in_its_preparation_leaves_nothing_of_worth(config: AugmentConfig, tmp_path: Path) -> None:
    texts = tmp_path / "texts.jsonl"
    texts.write_text('{"text": 1}\n')
    with pytest.raises(InputError, match="text: expected a string"):
        augment(dataclasses.replace(config, texts=(str(texts),)), quiet=True)
    texts.write_text('{"text": "a bench"}\n')
    assert augment(dataclasses.replace(config, texts=(str(texts),)), quiet=True).num_new == 1
