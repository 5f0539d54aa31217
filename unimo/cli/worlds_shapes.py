"""`unimo worlds shapes`: write a generated world of drawn scenes."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from unimo.worlds.shapes.options import ShapesOptions

SUMMARY = "write a small world of drawn scenes: images, captions, questions, hypotheses and texts"


@dataclass(frozen=True, kw_only=True)
class Arguments(ShapesOptions):
    """Where the world is written; the other options are its sizes and seed."""

    output: Path
    """Folder to write; it appears complete or not at all. The same world already there is left alone."""
    overwrite: bool = False
    """Replace a world of other options. A folder that is not a world is never replaced."""


def run(arguments: Arguments) -> int:
    """Write the world and print what it holds."""
    from unimo.runtime.settings import usable_cores
    from unimo.worlds.shapes.generate import generate

    values = asdict(arguments)
    options = ShapesOptions(**{name: values[name] for name in ShapesOptions.__dataclass_fields__})
    manifest, written = generate(arguments.output, options, _show_progress, arguments.overwrite, usable_cores())
    if not written:
        print(f"{arguments.output}: this world is already there, nothing to do")
        return 0
    counts = ", ".join(f"{name} {count}" for name, count in manifest["counts"].items())
    print(f"{arguments.output}: {counts}")
    return 0


def _show_progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\rimages {done}/{total}", end="\n" if done == total else "", file=sys.stderr, flush=True)
