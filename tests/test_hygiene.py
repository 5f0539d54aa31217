"""What is tracked is clean: no machine paths, no index addresses, nothing large, nothing binary, no dead links."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

MAX_KILOBYTES = 250
# the brackets keep this file from finding itself
FORBIDDEN = {
    "machine path": re.compile(
        r"(?<![\w.$}])/(?:wor[k]|roo[t])/|(?<![\w.$}])/hom[e]/\w|/User[s]/\w|\b[A-Z]:\\User[s]\\"
    ),
    "package index address": re.compile(
        r"pyp[i]\.org|pythonhosted\.or[g]|https?://\S*/simpl[e]\b|-index-ur[l]|find-link[s]"
    ),
    "e-mail address": re.compile(r"\b[\w.+-]+@(?!example\.)[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}\b", re.IGNORECASE),
}
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")
DOCUMENTS = sorted(REPOSITORY.glob("*.md")) + sorted((REPOSITORY / "data").rglob("*.md"))


def relative_name(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def tracked() -> list[Path]:
    """Files that git knows or would add; without git, everything but what .gitignore names."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        output = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
        paths = [REPOSITORY / name for name in output.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        paths = [path for path in REPOSITORY.rglob("*") if not any(map(_is_left_out, _parts(path)))]
    return [path for path in paths if path.is_file()]


def _parts(path: Path) -> tuple[str, ...]:
    return path.relative_to(REPOSITORY).parts


def _is_left_out(part: str) -> bool:
    names = {".git", ".venv", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", "__pycache__", "runs"}
    return part in names or part.endswith((".egg-info", ".pyc"))


TRACKED = tracked()


def is_binary(path: Path) -> bool:
    return b"\0" in path.read_bytes()


def complaints(text: str) -> list[str]:
    """What of FORBIDDEN stands in a text."""
    return [f"{what}: {found.group()}" for what, pattern in FORBIDDEN.items() if (found := pattern.search(text))]


def test_the_files_are_found() -> None:
    assert {"requirements.txt", "unimo/__init__.py", "run_scripts/test.sh"} <= {relative_name(path) for path in TRACKED}


def test_nothing_is_large() -> None:
    assert [relative_name(path) for path in TRACKED if path.stat().st_size > MAX_KILOBYTES * 1000] == []


def test_nothing_is_binary_outside_tests() -> None:
    assert [relative_name(path) for path in TRACKED if _parts(path)[0] != "tests" and is_binary(path)] == []


def test_no_machine_paths_index_addresses_or_mail() -> None:
    texts = {relative_name(path): path.read_text("utf-8") for path in TRACKED if not is_binary(path)}
    found = {name: complaints(text) for name, text in texts.items()}
    assert {name: what for name, what in found.items() if what} == {}


@pytest.mark.parametrize(
    "text",
    [
        "cd /wor" + "k/main",
        "'/hom" + "e/ada/x'",
        "https://pyp" + "i.org/project",
        "https://a.b/simpl" + "e/",
        "a.b" + "@c.org",
    ],
)
def test_what_is_forbidden_is_found(text: str) -> None:
    assert len(complaints(text)) == 1


@pytest.mark.parametrize(
    "text", ["$base/work/x", "https://example.org/home", "@dataclass", "a @ b.T", "you@example.com"]
)
def test_what_is_allowed_is_not_found(text: str) -> None:
    assert complaints(text) == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative_name)
def test_links_between_documents_lead_somewhere(path: Path) -> None:
    targets = LINK.findall(path.read_text("utf-8"))
    assert [target for target in targets if not (path.parent / target).exists()] == []
