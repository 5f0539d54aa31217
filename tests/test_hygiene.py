"""What is tracked is clean: no machine paths, no index addresses, nothing large, nothing binary, no dead links."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

MAX_KILOBYTES = 250
FORBIDDEN = re.compile(
    r"(?<![\w.])/work/|(?<![\w.])/root/|/home/\w+/|py" + r"pi\.org|[\w.]+@(?!example\.)[\w-]+\.(com|org|net)"
)
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#]+)\)")


def tracked() -> list[Path]:
    """Files that git knows or would add; without git, everything outside hidden folders."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        return [path for path in REPOSITORY.rglob("*") if path.is_file() and "/." not in str(path)]
    return [REPOSITORY / name for name in listed if (REPOSITORY / name).is_file()]


def test_nothing_large_or_binary() -> None:
    for path in tracked():
        assert path.stat().st_size <= MAX_KILOBYTES * 1024, path
        if "tests" not in path.parts:
            assert b"\0" not in path.read_bytes(), path


def test_no_machine_paths_addresses_or_mail() -> None:
    for path in tracked():
        if path.suffix in {".npz", ".png", ".jpg"} or path.name in {"LICENSE", Path(__file__).name}:
            continue
        found = FORBIDDEN.search(path.read_text(encoding="utf-8"))
        assert found is None, f"{path}: {found and found.group()}"


@pytest.mark.parametrize(
    "path", sorted(REPOSITORY.glob("*.md")) + sorted((REPOSITORY / "data").rglob("*.md")), ids=lambda path: path.name
)
def test_links_between_documents_lead_somewhere(path: Path) -> None:
    for target in LINK.findall(path.read_text()):
        assert (path.parent / target).exists(), f"{path.name} links to {target}"
