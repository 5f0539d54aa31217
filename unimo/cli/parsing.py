"""A verb's flags as an instance of its ``Arguments`` dataclass."""

from __future__ import annotations

import difflib
import inspect
import textwrap
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from unimo.config import describe_parts
from unimo.config.build import build_parts
from unimo.config.help import WIDTH
from unimo.config.nodes import Node, Place
from unimo.config.overrides import Override, parse_overrides, with_override
from unimo.config.types import field_types, is_sequence
from unimo.errors import InputError


def parse_arguments(cls: type, argv: Sequence[str], positional: str = "") -> Any:
    """An instance of ``cls`` from flags: ``--name value``, ``--name=value``, several words for a list, a bare
    ``--name`` for true; dashes and underscores are the same.

    ``positional``: the field that words before the first flag belong to; it can be given as a flag too.

    Raises:
        InputError: an unknown, repeated or missing flag, or a value of the wrong type.
    """
    root = Node({}, Place())
    if positional and argv and not argv[0].startswith("--"):
        argv = [f"--{positional}", *argv]
    overrides = _join_repeated(cls, parse_overrides(argv))
    if positional and positional not in {override.key for override in overrides}:
        raise InputError(f"{positional.upper()}: missing; it stands before the flags")
    for override in overrides:
        leaf = Node(override.words[0] if len(override.words) == 1 else list(override.words), Place(), override.words)
        root = with_override(root, override.key.split("."), leaf)
    return build_parts({"": cls}, root)[""]


def split_job_argv(cls: type, argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Part the flags of ``cls`` from those meant for the job's configuration: ``(own, job)``.

    Raises:
        InputError: an undotted flag that is nearly, but not quite, one of ``cls``.
    """
    names = list(field_types(cls))
    own: list[str] = []
    job: list[str] = []
    for override in parse_overrides(argv):
        first = override.key.split(".")[0]
        if first not in names and "." not in override.key:
            near = difflib.get_close_matches(first, names, n=1, cutoff=0.8)
            if near:
                raise InputError(f"--{override.key}: unknown flag; did you mean --{near[0]}?")
        (own if first in names else job).extend(override.as_argv())
    return own, job


def verb_help(module: ModuleType, verb: str, extra: str = "") -> str:
    """The help text of a verb: what it does, its flags, and ``extra`` (a job's configuration)."""
    job = " [--key.of.the.job value ...]" if getattr(module, "JOB", False) else ""
    positional = getattr(module, "POSITIONAL", "")
    first = f" {positional.upper()}" if positional else ""
    head = f"usage: python -m unimo {verb}{first} [--flag value ...]{job}\n\n{module.SUMMARY}\n"
    described = inspect.cleandoc(module.__doc__ or "").split("\n\n")
    # an indented paragraph is an example, and keeps its lines
    paragraphs = [
        each if each.startswith("    ") or "::" in each else textwrap.fill(" ".join(each.split()), WIDTH)
        for each in described[1:]
    ]
    body = "".join(f"\n{paragraph}\n" for paragraph in paragraphs)
    flags = describe_parts({"": module.Arguments})
    if positional:
        flags = flags.replace(f"  --{positional} <", f"  {positional.upper()} <", 1)
    return head + body + (f"\n{flags}" if flags.strip() else "") + (f"\n{extra}" if extra else "")


def _join_repeated(cls: type, overrides: Sequence[Override]) -> list[Override]:
    """A flag of a list given several times counts as one with all words; of a single value it is an error."""
    hints = field_types(cls)
    joined: dict[str, Override] = {}
    for override in overrides:
        earlier = joined.get(override.key)
        if earlier is None:
            joined[override.key] = override
        elif override.key in hints and is_sequence(hints[override.key]):
            joined[override.key] = Override(override.key, (*earlier.words, *override.words))
        else:
            raise InputError(f"--{override.key}: given twice")
    return list(joined.values())
