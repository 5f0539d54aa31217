from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from unimo.cli.parsing import parse_arguments, split_job_argv, verb_help
from unimo.cli.verbs import run_module
from unimo.errors import InputError


@dataclass(frozen=True)
class Arguments:
    """Flags."""

    config: tuple[Path, ...]
    """Yaml files, later ones win."""

    max_regions: int = 10
    """Most regions."""

    resume: bool = False
    """Go on."""


def job_module() -> Any:
    module: Any = ModuleType("fake")
    module.SUMMARY, module.JOB, module.Arguments = "do a job", True, Arguments
    module.__doc__ = "Do a job.\n\nIt takes\na while.\n"
    module.run = lambda arguments, job: (print(arguments, job), 7)[1]
    return module


def test_lists_flags_and_dashes() -> None:
    parsed = parse_arguments(
        Arguments, ["--config", "a.yaml", "b.yaml", "--config=c", "--max-regions", "3", "--resume"]
    )
    assert parsed == Arguments((Path("a.yaml"), Path("b.yaml"), Path("c")), 3, True)


def test_a_missing_flag_is_named() -> None:
    with pytest.raises(InputError, match=r"^--config: missing; expected list of path$"):
        parse_arguments(Arguments, [])


def test_job_words_are_handed_over(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["--config", "a.yaml", "optimizer.learning_rate=1", "--resume", "--optimizer.betas", "1", "2", "--seed", "3"]
    assert split_job_argv(Arguments, argv) == (
        ["--config", "a.yaml", "--resume"],
        ["--optimizer.learning_rate", "1", "--optimizer.betas", "1", "2", "--seed", "3"],
    )
    assert run_module(job_module(), "fake", argv) == 7
    assert "'--seed', '3']" in capsys.readouterr().out


def test_a_nearly_right_flag_of_a_job_verb_is_not_handed_over() -> None:
    with pytest.raises(InputError, match=r"^--confg: unknown flag; did you mean --config\?$"):
        split_job_argv(Arguments, ["--confg", "a.yaml"])


def test_help_of_a_job_verb(capsys: pytest.CaptureFixture[str]) -> None:
    module = job_module()
    assert verb_help(module, "fake", "job keys").endswith("job keys")
    assert run_module(module, "fake", ["--help"]) == 0
    text = capsys.readouterr().out
    assert "do a job" in text and "It takes a while." in text and "--max_regions <int>\n      Most regions." in text
    module.job_help = lambda argv: f"keys for {argv}\n"
    run_module(module, "fake", ["--config", "a", "--help"])
    assert "keys for ['--config', 'a', '--help']" in capsys.readouterr().out


def positional_module() -> Any:
    module = job_module()
    module.JOB, module.POSITIONAL = False, "config"
    module.run = lambda arguments: (print(arguments), 7)[1]
    return module


@pytest.mark.parametrize(
    ("argv", "config"),
    [
        (["a.yaml", "--resume"], (Path("a.yaml"),)),
        (["a=1", "b", "--resume"], (Path("a=1"), Path("b"))),
        (["--resume", "--config", "a"], (Path("a"),)),
        (["a", "--config", "b", "--resume"], (Path("a"), Path("b"))),
    ],
)
def test_words_before_the_first_flag(argv: list[str], config: tuple[Path, ...]) -> None:
    assert parse_arguments(Arguments, argv, "config") == Arguments(config, 10, True)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--resume"], r"^CONFIG: missing; it stands before the flags$"),
        ([], r"^CONFIG: missing"),
        (["a", "--confi", "b"], r"^--confi: unknown key; did you mean --config\?$"),
    ],
)
def test_mistakes_with_a_positional(argv: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_arguments(Arguments, argv, "config")


def test_without_a_positional_stray_words_are_refused() -> None:
    with pytest.raises(InputError, match="unexpected argument 'a'"):
        parse_arguments(Arguments, ["a", "--config", "b"])


def test_help_and_run_with_a_positional(capsys: pytest.CaptureFixture[str]) -> None:
    module = positional_module()
    module.__doc__ = "Do a job.\n\nExamples::\n\n    do a\n    do b\n"
    assert run_module(module, "fake", ["--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("usage: python -m unimo fake CONFIG [--flag value ...]\n")
    assert "\n  CONFIG <list of path>\n      Yaml files" in text and "--config" not in text
    assert "Examples::\n\n    do a\n    do b\n" in text
    assert run_module(module, "fake", ["a", "--max_regions", "3"]) == 7
    assert "max_regions=3" in capsys.readouterr().out
