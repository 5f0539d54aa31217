"""Every command that a document, a recipe, a script or a docstring shows is one that the program takes."""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from unimo.cli.parsing import parse_arguments, split_job_argv
from unimo.cli.verbs import find_verbs, split_verb
from unimo.config.build import dotted_keys
from unimo.config.job import JobConfig
from unimo.config.overrides import parse_overrides

SHOWN = [
    *sorted(REPOSITORY.glob("*.md")),
    *sorted((REPOSITORY / "data").rglob("*.md")),
    *sorted((REPOSITORY / "unimo").rglob("*.py")),
]
COMMAND = re.compile(r"python -m unimo ([a-z](?:[^`#\n]|\\\n)*)")
PLACEHOLDER = re.compile(r"^[A-Z]+$|\.\.\.|<|\$")


def commands(path: Path) -> list[list[str]]:
    """The words after `python -m unimo` of every whole command in a file."""
    text = path.read_text("utf-8").replace("\\\\\n", "\\\n")
    found = []
    for match in COMMAND.finditer(text):
        line = re.sub(r"\s*\\\n\s*", " ", match.group(1)).partition(" > ")[0]
        try:
            found.append(shlex.split(line))
        except ValueError:  # a command with a text that was cut off above
            continue
    return [words for words in found if any(word.startswith("--") for word in words)]


ALL = [(str(path.relative_to(REPOSITORY)), words) for path in SHOWN for words in commands(path)]


def test_commands_are_found() -> None:
    assert len(ALL) > 30


@pytest.mark.parametrize(("place", "words"), ALL, ids=[f"{place}: {' '.join(words)[:50]}" for place, words in ALL])
def test_command(place: str, words: list[str]) -> None:
    verbs = find_verbs()
    if len(words) > 1 and PLACEHOLDER.search(" ".join(words[:2])):
        return
    verb, rest = split_verb(words, verbs)
    module = importlib.import_module(f"unimo.cli.{verbs[verb].stem}")
    rest = [word for word in rest if word != "--help"]
    own, job = split_job_argv(module.Arguments, rest) if getattr(module, "JOB", False) else (rest, [])
    given = {override.key for override in parse_overrides(own[1:] if own and not own[0].startswith("--") else own)}
    assert given <= set(module.Arguments.__dataclass_fields__)
    if not any(PLACEHOLDER.search(word) for word in rest) and verb != "bench":
        parse_arguments(module.Arguments, own, getattr(module, "POSITIONAL", ""))
    if verb != "augment":
        keys = {override.key for override in parse_overrides(job)}
        assert {key for key in keys if not key.startswith(("options.", "data.evaluate."))} <= set(
            dotted_keys(JobConfig)
        )
