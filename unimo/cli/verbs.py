"""Finding verbs, and running one."""

from __future__ import annotations

import ast
import difflib
import importlib
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from unimo.errors import InputError

FOLDER = Path(__file__).parent
GROUPS = ("convert", "data", "index", "regions", "worlds")
"""First words of nested verbs."""

HELP_FLAGS = ("-h", "--help", "help")


def find_verbs() -> dict[str, Path]:
    """Verb -> its file; a file without a SUMMARY line is no verb."""
    return {verb_name(path.stem): path for path in sorted(FOLDER.glob("*.py")) if read_summary(path) is not None}


def verb_name(stem: str) -> str:
    """`train_tokenizer` -> `train-tokenizer`; a member of a group is parted by a space: `regions extract`."""
    group, _, member = stem.partition("_")
    dashed = member.replace("_", "-")
    return f"{group} {dashed}" if group in GROUPS else stem.replace("_", "-")


def read_summary(path: Path) -> str | None:
    """The SUMMARY of a verb's file, found without importing it; None where there is none."""
    text = path.read_text(encoding="utf-8")
    if "\nSUMMARY = " not in text:
        return None
    for statement in ast.parse(text).body:
        if isinstance(statement, ast.Assign) and getattr(statement.targets[0], "id", "") == "SUMMARY":
            return str(ast.literal_eval(statement.value))
    return None


def run_verb(argv: Sequence[str]) -> int:
    """Run ``<verb> <flags>``; without a verb, or with --help, print what there is.

    Raises:
        InputError: no such verb, or a mistake in its flags.
    """
    verbs = find_verbs()
    if not argv or argv[0] in HELP_FLAGS:
        print(overview(verbs), end="")
        return 0 if argv else 2
    if argv[0] == "--version":
        from unimo import __version__

        print(f"unimo {__version__}")
        return 0
    verb, rest = split_verb(argv, verbs)
    if verb not in verbs:
        print(overview({name: path for name, path in verbs.items() if name.startswith(f"{verb} ")}), end="")
        return 0
    return run_module(importlib.import_module(f"unimo.cli.{verbs[verb].stem}"), verb, rest)


def split_verb(argv: Sequence[str], verbs: dict[str, Path]) -> tuple[str, list[str]]:
    """The longest verb that ``argv`` starts with (or a group of nested verbs whose help is asked), and the rest."""
    words = []
    for word in argv:
        if word.startswith("-") or word == "help":
            break
        words.append(word)
    for length in range(len(words), 0, -1):
        if " ".join(words[:length]) in verbs:
            return " ".join(words[:length]), list(argv[length:])
    members = [verb for verb in verbs if words and verb.startswith(f"{words[0]} ")]
    if members and len(words) == 1:
        if any(word in HELP_FLAGS for word in argv):
            return words[0], list(argv[1:])
        raise InputError(f"{words[0]}: expected one of {', '.join(verb.split(' ', 1)[1] for verb in members)} after it")
    given = " ".join(words[:2]) if members else (words[0] if words else argv[0])
    near = difflib.get_close_matches(given, members or verbs, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else "see `python -m unimo --help`"
    raise InputError(f"no such verb: {given!r}; {hint}")


def overview(verbs: dict[str, Path]) -> str:
    """The help text that lists verbs with their summaries."""
    width = max((len(verb) for verb in verbs), default=0)
    lines = [f"  {verb:<{width}}  {read_summary(path)}" for verb, path in verbs.items()]
    title = "usage: python -m unimo <verb> [--flag value ...]\n\nverbs:\n"
    return title + "\n".join(lines) + "\n\n`python -m unimo <verb> --help` describes a verb.\n"


def run_module(module: ModuleType, verb: str, argv: Sequence[str]) -> int:
    """Parse the flags of a verb's module and run it."""
    from unimo.cli.parsing import parse_arguments, split_job_argv, verb_help

    if any(word in HELP_FLAGS[:2] for word in argv):
        describe_job = getattr(module, "job_help", None)
        extra = describe_job(list(argv)) if describe_job is not None else ""
        print(verb_help(module, verb, extra), end="")
        return 0
    if not getattr(module, "JOB", False):
        return int(module.run(parse_arguments(module.Arguments, argv, getattr(module, "POSITIONAL", ""))))
    own, job = split_job_argv(module.Arguments, argv)
    return int(module.run(parse_arguments(module.Arguments, own), job))
