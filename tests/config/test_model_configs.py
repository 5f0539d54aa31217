"""Every yaml under model_configs/ is one that the program accepts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from unimo.cli.augment import load_augment_config
from unimo.cli.jobs import load_job
from unimo.config import load_config
from unimo.config.architecture import UnimoConfig

FOLDER = REPOSITORY / "model_configs"
ARCHITECTURES = sorted((FOLDER / "arch").glob("*.yaml"))
CORPORA = sorted((FOLDER / "augment").glob("*.yaml"))
JOBS = sorted(set(FOLDER.rglob("*.yaml")) - set(ARCHITECTURES) - set(CORPORA))


def name_of(path: Path) -> str:
    return str(path.relative_to(FOLDER))


@pytest.mark.parametrize("path", ARCHITECTURES, ids=name_of)
def test_architecture(path: Path) -> None:
    assert isinstance(load_config({"": UnimoConfig}, [path])[""], UnimoConfig)


@pytest.mark.parametrize("path", JOBS, ids=name_of)
def test_job(path: Path) -> None:
    job, options = load_job([path], [])
    assert job.task
    assert options is not None
    assert path.read_text().startswith("#"), "a yaml says at its top what it is for"


@pytest.mark.parametrize("path", CORPORA, ids=name_of)
def test_corpus_job(path: Path) -> None:
    assert load_augment_config([path], []).pairs.files
    assert path.read_text().startswith("#"), "a yaml says at its top what it is for"
