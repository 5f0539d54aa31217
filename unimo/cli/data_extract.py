"""`unimo data extract`: unpack a downloaded archive; what would be written outside the folder is refused.

Example::

    python -m unimo data extract --archive SST-2.zip --output data/glue
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SUMMARY = "unpack a downloaded archive, refusing members that lead outside the folder"


@dataclass(frozen=True)
class Arguments:
    """What goes where."""

    archive: Path
    """Zip or tar archive, also compressed."""

    output: Path
    """Folder to unpack into."""


def run(arguments: Arguments) -> int:
    """Unpack, and print the number of files."""
    from unimo.data.archives import extract_archive

    count = extract_archive(arguments.archive, arguments.output)
    print(f"{arguments.archive.name}: {count} files unpacked into {arguments.output}")
    return 0
