"""A job's sweep block: which combinations it makes, and mistakes in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from unimo.config import load_config
from unimo.config.sweep import read_sweep
from unimo.errors import InputError


@dataclass(frozen=True)
class Rates:
    """Part of a job."""

    rate: float = 0.1
    """A number."""

    names: tuple[str, ...] = ("a",)
    """A list."""


@dataclass(frozen=True)
class Job:
    """A job."""

    output: str = "runs"
    """A text."""

    seed: int = 1
    """A whole number."""

    first: Rates = field(default_factory=Rates)
    """A part."""

    second: Rates = field(default_factory=Rates)
    """Another."""

    sweep: dict[str, tuple[object, ...]] = field(default_factory=dict)
    """The block."""


def write(folder: Path, block: str) -> Path:
    path = folder / "job.yaml"
    path.write_text(f"seed: 7\nsweep:\n{block}")
    return path


def test_every_combination(tmp_path: Path) -> None:
    path = write(tmp_path, "  first.rate: [1.0e-5, 0.5]\n  seed: [1, 2, 3]\n")
    found = read_sweep({"": Job}, [path], [])
    assert [each.name for each in found] == [f"rate={rate}_seed={n}" for rate in ("1e-05", "0.5") for n in (1, 2, 3)]
    assert found[0].values == {"first.rate": 1e-5, "seed": 1}
    for each in found:
        job = load_config({"": Job}, [path], [*each.as_argv(), "--sweep", "{}"])[""]
        assert (job.first.rate, job.seed, job.sweep) == (each.values["first.rate"], each.values["seed"], {})


def test_values_of_any_kind_survive_the_command_line(tmp_path: Path) -> None:
    path = write(tmp_path, '  first.names: [[a, "1"], []]\n')
    found = read_sweep({"": Job}, [path], [])
    jobs = [load_config({"": Job}, [path], [*each.as_argv(), "--sweep", "{}"])[""] for each in found]
    assert [job.first.names for job in jobs] == [("a", "1"), ()]


def test_keys_that_end_alike_keep_their_whole_name(tmp_path: Path) -> None:
    path = write(tmp_path, "  first.rate: [1.0]\n  second.rate: [2.0]\n")
    assert [each.name for each in read_sweep({"": Job}, [path], [])] == ["first.rate=1_second.rate=2"]


def test_without_a_block_there_are_none(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text("seed: 7\n")
    assert read_sweep({"": Job}, [path], []) == []
    assert read_sweep({"": Job}, [write(tmp_path, "  seed: [1]\n")], ["--sweep", "{}"]) == []


def test_the_command_line_replaces_the_block(tmp_path: Path) -> None:
    path = write(tmp_path, "  first.rate: [1.0]\n")
    found = read_sweep({"": Job}, [path], ["--sweep", "{seed: [4]}"])
    assert [each.values for each in found] == [{"seed": 4}]


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("  first.rat: [1.0]\n", r"job.yaml:3: first.rat: unknown key; did you mean first.rate\?"),
        ("  seed: [1]\n  first.rate: [1.0, fast]\n", r"job.yaml:4: first.rate: expected float, got 'fast'"),
        ("  seed: 3\n", r"job.yaml:3: sweep.seed: expected a list of values, got 3"),
        ("  seed: []\n", r"job.yaml:3: sweep.seed: expected a list of values"),
        ("  seed: [1, 1]\n", r"job.yaml:3: sweep.seed: a value comes twice"),
        ("  output: [a, b]\n", r"job.yaml:3: sweep.output: cannot differ within a sweep"),
    ],
)
def test_mistakes_name_their_place(tmp_path: Path, block: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_sweep({"": Job}, [write(tmp_path, block)], [])
