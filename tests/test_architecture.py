"""The house keeps its floors: who imports whom, how long files and functions are, and what starts without Paddle."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

PACKAGE = REPOSITORY / "unimo"
FLOORS: tuple[frozenset[str], ...] = (
    frozenset({"config", "runtime", "errors", "files", ""}),
    frozenset({"tokenization", "regions"}),
    frozenset({"modeling", "data", "augment", "worlds"}),
    frozenset({"objectives", "generation", "metrics", "conversion"}),
    frozenset({"training"}),
    frozenset({"tasks", "inference", "reports"}),
    frozenset({"__main__", "cli", "bench"}),
)
SOURCES = sorted(PACKAGE.rglob("*.py"))
MAX_FILE_LINES, MAX_FUNCTION_LINES = 500, 80


def floor_of(room: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if room in rooms)


def room_of(path: Path) -> str:
    """The room a file stands in; the package's own __init__.py is "" on the ground floor."""
    first = path.relative_to(PACKAGE).parts[0]
    return "" if first == "__init__.py" else first.removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    """Rooms that a file imports anywhere, type checking apart."""
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = [node.module] if node.module != "unimo" else [f"unimo.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        rooms |= {name.split(".")[1] for name in names if name.startswith("unimo.")}
    return rooms - {"__version__"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_from_floors_below(path: Path) -> None:
    room = room_of(path)
    for other in imported_rooms(path) - {room}:
        ground = floor_of(room) == floor_of(other) == 0
        if (room, other) == ("__main__", "cli"):
            continue
        assert ground or floor_of(other) < floor_of(room), f"{room} (floor {floor_of(room)}) imports {other}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_and_functions_stay_short(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= MAX_FILE_LINES
    assert path.stem not in {"utils", "common", "helpers"}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno < MAX_FUNCTION_LINES, node.name


def test_the_command_line_starts_without_paddle() -> None:
    verbs = [f"unimo.cli.{path.stem}" for path in (PACKAGE / "cli").glob("*.py") if path.stem != "__init__"]
    code = (
        f"import sys, importlib, unimo\n[importlib.import_module(n) for n in {verbs}]\nprint('paddle' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, check=True)
    assert found.stdout.strip() == "False"


@pytest.mark.parametrize("path", sorted((REPOSITORY / "run_scripts").rglob("*.sh")), ids=lambda path: path.name)
def test_scripts_parse_and_job_scripts_are_short(path: Path) -> None:
    subprocess.run(["bash", "-n", str(path)], check=True)
    if path.parent.name == "finetune" or path.name.startswith("pretrain"):
        assert len(path.read_text().splitlines()) <= 15


def test_the_gpu_requirements_differ_by_the_paddle_line() -> None:
    def lines(name: str) -> list[str]:
        text = (REPOSITORY / name).read_text().splitlines()
        return [line for line in text if line and not line.startswith("#")]

    cpu, gpu = lines("requirements.txt"), lines("requirements-gpu.txt")
    changed = [(one, other) for one, other in zip(cpu, gpu, strict=True) if one != other]
    assert [(one.split("==")[0], other.split("==")[0]) for one, other in changed] == [
        ("paddlepaddle", "paddlepaddle-gpu")
    ]
