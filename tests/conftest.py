"""What every test may use."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import hypothesis
import pytest

# before Paddle starts: tests are small, and several run side by side
os.environ.setdefault("OMP_NUM_THREADS", "1")

hypothesis.settings.register_profile("unimo", deadline=None)  # a busy machine is no failure
hypothesis.settings.load_profile("unimo")

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("UNIMO_SHARED", REPOSITORY.parent / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data and goldens beside the checkout; the test is skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"no real data: {SHARED} is not there (set UNIMO_SHARED)")
    return SHARED


@pytest.fixture(scope="session")
def goldens(shared: Path) -> Path:
    """Inputs and outputs of the original program."""
    return shared / "goldens"


@pytest.fixture
def without_java(monkeypatch: pytest.MonkeyPatch) -> None:
    """METEOR, which has tests of its own, is left out: its Java program takes longer to start than most tests."""
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name, *args: None if name == "java" else which(name, *args))


@dataclass(frozen=True)
class SmallWorld:
    """A generated world with everything that training needs, made once a session."""

    folder: Path

    @property
    def world(self) -> Path:
        return self.folder / "world"

    @property
    def regions(self) -> Path:
        return self.folder / "regions"

    @property
    def tokenizer(self) -> Path:
        return self.folder / "tokenizer"


def make_small_world(folder: Path) -> SmallWorld:
    """A world of 60 training scenes, its regions and a tokenizer."""
    from unimo.regions.extract import extract
    from unimo.regions.proposals.options import ProposalOptions
    from unimo.tokenization import UnimoTokenizer
    from unimo.worlds.shapes import ShapesOptions, generate

    small = SmallWorld(folder)
    counts = {"num_train": 60, "num_dev": 12, "num_test": 12, "num_images_without_text": 20, "num_texts": 60}
    pairs = {"num_statements_train": 60, "num_statements_dev": 12, "num_statements_test": 12}
    generate(small.world, ShapesOptions(**counts, **pairs))
    extract(small.world / "images", small.regions, ProposalOptions(feature_size=32, num_classes=8, max_regions=8))
    UnimoTokenizer.train([small.world / "captions_train.jsonl"], 500).save_pretrained(small.tokenizer)
    return small


@pytest.fixture(scope="session")
def small_world(tmp_path_factory: pytest.TempPathFactory) -> SmallWorld:
    """A world of 60 training scenes, its regions and a tokenizer."""
    return make_small_world(tmp_path_factory.mktemp("small"))
