"""What a run was computed with: versions, platform, and the state of the source."""

from __future__ import annotations

import platform
import re
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parent.parent


def describe_environment() -> dict[str, Any]:
    """Versions of python, this package and all it requires (None: missing), the platform, and the git commit.

    ``git`` is None where the package does not lie in a checkout that tracks it, or git is not installed.
    """
    from unimo import __version__

    return {
        "unimo": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: installed_version(name) for name in requirements()},
        "git": git_state(PACKAGE),
    }


def requirements() -> dict[str, str]:
    """Name -> version specifier of every required package, from the checkout's requirements.txt or the metadata."""
    listed = PACKAGE.parent / "requirements.txt"
    if listed.is_file():
        lines = listed.read_text(encoding="utf-8").splitlines()
    else:
        try:
            lines = metadata.requires("unimo") or []
        except metadata.PackageNotFoundError:
            lines = []
    found = {}
    for line in lines:
        match = re.match(r"([A-Za-z0-9][\w.-]*)\s*([^;#\s]*)", line.strip())
        if match is not None:
            found[match.group(1)] = match.group(2)
    return found


def installed_version(name: str) -> str | None:
    """The installed version of a package, or None. The GPU build of Paddle counts as Paddle."""
    for candidate in (name, "paddlepaddle-gpu") if name == "paddlepaddle" else (name,):
        try:
            return metadata.version(candidate)
        except metadata.PackageNotFoundError:
            continue
    return None


def git_state(folder: Path) -> dict[str, Any] | None:
    """``{"commit": hash, "dirty": whether tracked or new files under the folder differ from it}``, or None."""
    if _git(folder, "ls-files", "--error-unmatch", "__init__.py") is None:
        return None  # no checkout, no git, or a checkout of something else that happens to hold the package
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    return {"commit": commit.strip(), "dirty": bool((_git(folder, "status", "--porcelain", "--", ".") or "").strip())}


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        finished = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return finished.stdout
