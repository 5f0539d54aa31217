"""The house keeps its floors: who imports whom, how long files and functions are, and what starts without Paddle."""

from __future__ import annotations

import ast
import graphlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

PACKAGE = REPOSITORY / "unimo"
# the ground floor is split finer, so that rooms of one floor never import each other
FLOORS: tuple[frozenset[str], ...] = (
    frozenset({"errors", "__init__"}),
    frozenset({"files", "locks"}),
    frozenset({"manifest"}),
    frozenset({"config", "runtime"}),
    frozenset({"tokenization", "regions", "kernels"}),
    frozenset({"modeling", "data", "worlds"}),
    frozenset({"augment"}),
    frozenset({"objectives", "generation", "metrics", "conversion"}),
    frozenset({"training"}),
    frozenset({"tasks", "inference", "reports"}),
    frozenset({"bench"}),
    frozenset({"cli"}),
    frozenset({"__main__"}),
)
SOURCES = sorted(PACKAGE.rglob("*.py"))
MAX_FILE_LINES, MAX_FUNCTION_LINES, MAX_JOB_SCRIPT_LINES = 500, 80, 15
Function = ast.FunctionDef | ast.AsyncFunctionDef


def relative_name(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def module_of(path: Path) -> str:
    """`unimo.config.build` for unimo/config/build.py; a package's `__init__.py` is the package."""
    parts = path.relative_to(REPOSITORY).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in SOURCES}
PACKAGES = {module for module, path in MODULES.items() if path.name == "__init__.py"}


def room_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def floor_of(room: str) -> int:
    for number, rooms in enumerate(FLOORS):
        if room in rooms:
            return number
    raise AssertionError(f"unimo/{room} stands on no floor: add it to FLOORS and to CONTRIBUTING.md")


def imported_modules(module: str, tree: ast.AST) -> set[str]:
    """Our modules that a file imports anywhere: at the top, inside functions, for type checking, by import_module."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = module.split(".") if module in PACKAGES else module.split(".")[:-1]
            anchor = base[: len(base) - node.level + 1] if node.level else []
            source = ".".join([*anchor, *([node.module] if node.module else [])])
            names |= {f"{source}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            names |= {one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)}
    ours = {name for name in names if name.split(".")[0] == "unimo"}
    # `from unimo.files import read_json` names a function: what is imported is the module that holds it
    return {name if name in MODULES else name.rpartition(".")[0] or name for name in ours} - {module}


IMPORTS = {module: imported_modules(module, ast.parse(path.read_text("utf-8"))) for module, path in MODULES.items()}


def test_the_reader_of_imports_finds_every_kind() -> None:
    code = """
import unimo.files
from . import store
from ..errors import InputError
def late():
    from unimo.config import load_config
    importlib.import_module("unimo.tasks")
"""
    found = imported_modules("unimo.regions.regions", ast.parse(code))
    assert found == {"unimo.files", "unimo.regions.store", "unimo.errors", "unimo.config", "unimo.tasks"}


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_room_imports_only_from_floors_below(module: str) -> None:
    room = room_of(module)
    if module == "unimo":  # the package itself sets what must be set before Paddle starts, and knows nothing else
        assert {room_of(name) for name in IMPORTS[module]} <= {"runtime"}
        return
    for other in sorted({room_of(name) for name in IMPORTS[module]} - {room}):
        assert floor_of(other) < floor_of(room), f"{module} imports {other}: floor {floor_of(other)} is not below"


def test_no_circles_between_modules() -> None:
    # a package's __init__ gathers the names of its modules; that edge alone makes no circle
    edges = {module: {name for name in names if name not in PACKAGES} for module, names in IMPORTS.items()}
    tuple(graphlib.TopologicalSorter(edges).static_order())  # CycleError names the circle


def functions_of(tree: ast.AST) -> list[Function]:
    return [node for node in ast.walk(tree) if isinstance(node, Function)]


@pytest.mark.parametrize("path", SOURCES, ids=relative_name)
def test_files_and_functions_stay_short(path: Path) -> None:
    text = path.read_text("utf-8")
    assert path.stem not in {"utils", "common", "helpers"}
    assert len(text.splitlines()) <= MAX_FILE_LINES
    for node in functions_of(ast.parse(text)):
        assert (node.end_lineno or 0) - node.lineno < MAX_FUNCTION_LINES, node.name


def public_definitions(body: list[ast.stmt]) -> list[Function | ast.ClassDef]:
    """Public functions and classes, and the public methods of public classes (not of those within functions)."""
    found: list[Function | ast.ClassDef] = []
    for node in body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            found.append(node)
            if isinstance(node, ast.ClassDef):
                found += public_definitions(node.body)
    return found


def is_overload(node: Function | ast.ClassDef) -> bool:
    return any(ast.unparse(decorator).endswith("overload") for decorator in node.decorator_list)


@pytest.mark.parametrize("path", SOURCES, ids=relative_name)
def test_what_is_public_has_a_docstring(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    assert ast.get_docstring(tree) or not tree.body, "the module has none"
    named = [node for node in public_definitions(tree.body) if not is_overload(node)]
    assert [node.name for node in named if not ast.get_docstring(node)] == []


def test_the_command_line_starts_without_paddle() -> None:
    verbs = [module for module in MODULES if module.startswith("unimo.cli.")]
    assert verbs
    code = (
        "import importlib, json, sys, unimo\n"
        f"for name in {verbs}: importlib.import_module(name)\n"
        "print(json.dumps('paddle' in sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, check=True)
    assert json.loads(found.stdout) is False


SCRIPTS = [*sorted((REPOSITORY / "run_scripts").rglob("*.sh")), REPOSITORY / ".ci" / "run"]


@pytest.mark.parametrize("path", SCRIPTS, ids=relative_name)
def test_scripts_parse_and_job_scripts_are_short(path: Path) -> None:
    subprocess.run(["bash", "-n", str(path)], check=True)
    if path.parent.name == "finetune" or path.name.startswith("pretrain"):
        assert len(path.read_text("utf-8").splitlines()) <= MAX_JOB_SCRIPT_LINES


def test_the_gpu_requirements_differ_by_the_paddle_line() -> None:
    def lines(name: str) -> list[str]:
        text = (REPOSITORY / name).read_text("utf-8").splitlines()
        return [line for line in text if line and not line.startswith("#")]

    cpu, gpu = lines("requirements.txt"), lines("requirements-gpu.txt")
    changed = [(one, other) for one, other in zip(cpu, gpu, strict=True) if one != other]
    assert len(changed) == 1
    assert changed[0][1] == changed[0][0].replace("paddlepaddle==", "paddlepaddle-gpu==")
