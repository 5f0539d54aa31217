"""The set-up, test, CI and fine-tuning scripts on tools that only pretend."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.checkouts import CI, SETUP, TEST, Checkout
from tests.conftest import REPOSITORY


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_first_run_installs_and_second_does_nothing(checkout: Checkout) -> None:
    checkout.interpreter()
    first = checkout.run(SETUP)
    assert first.returncode == 0, first.stderr
    venv, requirements, package = checkout.logged()
    assert venv == f"python -m venv {checkout.venv}"
    assert requirements.endswith(f"-r {checkout.root}/requirements.txt")
    assert "--no-deps" in package and package.endswith(f"-e {checkout.root}")
    second = checkout.run(SETUP)
    assert (second.returncode, second.stdout, second.stderr, checkout.logged()) == (0, "", "", [])


@pytest.mark.parametrize("changed", ["requirements.txt", "pyproject.toml"])
def test_changed_requirements_install_again(checkout: Checkout, changed: str) -> None:
    checkout.interpreter()
    checkout.run(SETUP)
    checkout.logged()
    with (checkout.root / changed).open("a") as file:
        file.write("# more\n")
    assert checkout.run(SETUP).returncode == 0
    assert len(checkout.logged()) == 3


def test_another_interpreter_version_or_a_moved_checkout_installs_again(checkout: Checkout) -> None:
    checkout.interpreter()
    checkout.run(SETUP)
    checkout.interpreter(version="3, 12")
    checkout.logged()
    checkout.run(SETUP)
    assert len(checkout.logged()) == 3
    checkout.root = checkout.root.rename(checkout.root.with_name("moved"))
    checkout.run(SETUP)
    assert len(checkout.logged()) == 3


@pytest.mark.parametrize("failing", ["-r ", "--no-deps"])
def test_a_set_up_that_failed_is_done_again(checkout: Checkout, failing: str) -> None:
    checkout.interpreter()
    failed = checkout.run(SETUP, FAKE_FAIL=failing)
    assert failed.returncode == 2
    assert "was not set up" in failed.stderr
    assert checkout.run(TEST, FAKE_FAIL=failing).returncode == 2
    assert not any("-m pytest" in line for line in checkout.logged())
    assert checkout.run(SETUP).returncode == 0
    assert len(checkout.logged()) == 3


def test_missing_ensurepip_names_the_package(checkout: Checkout) -> None:
    python = checkout.interpreter(version="3, 12", has_ensurepip=False)
    found = checkout.run(SETUP, PYTHON=str(python))
    assert found.returncode == 2
    assert "apt install python3.12-venv" in found.stderr
    assert not checkout.venv.exists()


def test_an_interpreter_without_ensurepip_gives_way_to_one_that_has_it(checkout: Checkout) -> None:
    checkout.interpreter("python3.13", "3, 13", has_ensurepip=False)
    checkout.interpreter("python3.12", "3, 12")
    assert checkout.run(SETUP).returncode == 0
    assert (checkout.venv / ".unimo-ready").read_text().startswith("3.12 ")


@pytest.mark.parametrize("version", ["3, 10", "3, 14"])
def test_other_versions_are_refused(checkout: Checkout, version: str) -> None:
    python = checkout.interpreter(version=version)
    found = checkout.run(SETUP, PYTHON=str(python))
    assert found.returncode == 2
    assert f"no Python 3.11 to 3.13 found (looked for: {python})" in found.stderr


def test_the_newest_interpreter_is_taken(checkout: Checkout) -> None:
    for minor in (11, 12, 13):
        checkout.interpreter(f"python3.{minor}", f"3, {minor}")
    checkout.run(SETUP)
    assert (checkout.venv / ".unimo-ready").read_text().startswith("3.13 ")


def test_a_folder_that_is_no_environment_is_left_alone(checkout: Checkout, tmp_path: Path) -> None:
    checkout.interpreter()
    precious = tmp_path / "home" / "thesis.txt"
    precious.parent.mkdir()
    precious.write_text("years")
    found = checkout.run(SETUP, UNIMO_VENV=str(precious.parent))
    assert found.returncode == 2
    told = f"unimo: {precious.parent} is not empty and not an environment that this clone made; it is left alone"
    assert found.stderr.splitlines() == [f"{told} (UNIMO_VENV=/path names another place)"]
    assert precious.read_text() == "years"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("where", ["outside", "inside", "linked", "torn", "unknown"])
def test_an_environment_that_another_clone_made_is_left_alone(tmp_path: Path, where: str) -> None:
    """Whether it lies outside both clones or is the default of this one, or a link is, was never finished, no mark."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    maker, other = Checkout(tmp_path / "first"), Checkout(tmp_path / "second")
    venv = other.venv if where == "inside" else tmp_path / "venv"
    for checkout in (maker, other):
        checkout.interpreter()
    failing = {"FAKE_FAIL": "-r "} if where == "torn" else {}
    assert maker.run(SETUP, UNIMO_VENV=str(venv), **failing).returncode == (2 if failing else 0)
    if where == "linked":
        other.venv.symlink_to(venv)
        venv = other.venv
    if where == "unknown":
        (venv / ".unimo-clone").unlink()
        (venv / ".unimo-ready").unlink()
    before = contents(venv)
    for script in (SETUP, TEST, CI):
        found = other.run(script, UNIMO_VENV=str(venv))
        assert found.returncode == 2
        assert (len(found.stderr.splitlines()), found.stdout) == (1, "")
        assert str(venv) in found.stderr
    assert other.logged() == []
    assert contents(venv) == before


def test_an_environment_from_before_there_was_a_mark_is_known_by_its_stamp(checkout: Checkout) -> None:
    checkout.interpreter()
    checkout.run(SETUP)
    (checkout.venv / ".unimo-clone").unlink()
    (checkout.root / "requirements.txt").write_text("")
    checkout.logged()
    assert checkout.run(SETUP).returncode == 0
    assert len(checkout.logged()) == 3


def test_a_set_up_that_was_killed_while_it_cleared_or_filled_is_done_again(checkout: Checkout) -> None:
    checkout.interpreter()
    checkout.run(SETUP)
    for path in checkout.venv.iterdir():  # nothing but the mark, and a part of something
        if path.is_file() and path.name != ".unimo-clone":
            path.unlink()
    (checkout.venv / "lib").mkdir()
    checkout.logged()
    assert checkout.run(SETUP).returncode == 0
    assert len(checkout.logged()) == 3 and not (checkout.venv / "lib").exists()


def test_an_environment_that_came_with_a_copied_checkout_is_made_again(checkout: Checkout) -> None:
    checkout.interpreter()
    checkout.run(SETUP)
    original, before = checkout.venv, contents(checkout.venv)
    checkout.root = Path(shutil.copytree(checkout.root, checkout.root.with_name("a copy")))
    checkout.logged()
    assert checkout.run(SETUP).returncode == 0
    assert len(checkout.logged()) == 3 and contents(original) == before


def test_environment_and_requirements_may_be_elsewhere(checkout: Checkout, tmp_path: Path) -> None:
    checkout.interpreter()
    found = checkout.run(SETUP, UNIMO_VENV=str(tmp_path / "else where"), REQUIREMENTS="requirements-gpu.txt")
    assert found.returncode == 0, found.stderr
    assert (tmp_path / "else where" / ".unimo-ready").exists() and not checkout.venv.exists()
    assert checkout.logged()[1].endswith("requirements-gpu.txt")


def test_an_environment_stays_of_the_set_that_it_was_made_of(checkout: Checkout) -> None:
    checkout.interpreter()
    assert checkout.run(SETUP, REQUIREMENTS="requirements-gpu.txt").returncode == 0
    checkout.logged()
    assert checkout.run(SETUP).returncode == 0 and checkout.logged() == []
    (checkout.root / "requirements-gpu.txt").write_text("# another\n")
    assert checkout.run(SETUP).returncode == 0
    assert checkout.logged()[1].endswith("requirements-gpu.txt")
    assert checkout.run(SETUP, REQUIREMENTS="requirements.txt").returncode == 0
    assert checkout.logged()[1].endswith("/requirements.txt")


def test_an_environment_of_a_set_that_is_gone_is_made_of_the_default(checkout: Checkout) -> None:
    checkout.interpreter()
    (checkout.root / "mine.txt").write_text("")
    assert checkout.run(SETUP, REQUIREMENTS="mine.txt").returncode == 0
    (checkout.root / "mine.txt").unlink()
    checkout.logged()
    assert checkout.run(SETUP).returncode == 0
    assert checkout.logged()[1].endswith("/requirements.txt")


def test_an_own_environment_behind_a_link_is_made_again(checkout: Checkout, tmp_path: Path) -> None:
    checkout.interpreter()
    (tmp_path / "large disk").mkdir()
    checkout.venv.symlink_to(tmp_path / "large disk")
    assert checkout.run(SETUP).returncode == 0
    (checkout.venv / "left over").touch()
    (checkout.root / "requirements.txt").write_text("")
    assert checkout.run(SETUP).returncode == 0
    assert checkout.venv.is_symlink() and not (tmp_path / "large disk" / "left over").exists()


def test_sourcing_under_strict_settings_puts_the_environment_first(checkout: Checkout) -> None:
    checkout.interpreter()
    code = f"set -euo pipefail; source '{checkout.root}/{SETUP}' >/dev/null; command -v python; echo $VIRTUAL_ENV"
    environment = {"PATH": f"{checkout.bin}:/usr/bin:/bin", "FAKE_LOG": str(checkout.log)}
    found = subprocess.run(["bash", "-c", code], env=environment, cwd="/", capture_output=True, text=True, check=True)
    assert found.stdout.splitlines() == [f"{checkout.venv}/bin/python", str(checkout.venv)]


def test_arguments_of_the_test_script_come_last(checkout: Checkout) -> None:
    checkout.interpreter()
    checkout.run(SETUP)
    checkout.logged()
    checkout.run(TEST)
    checkout.run(TEST, "-m", "slow", "-k", "two words")
    plain, slow = checkout.logged()
    assert plain == "python -m pytest -m not slow -n 2 --dist loadfile"
    assert slow == f"{plain} -m slow -k two words"


def test_ci_lints_types_and_tests_in_that_order(checkout: Checkout) -> None:
    checkout.interpreter()
    assert checkout.run(CI).returncode == 0
    steps = [line for line in checkout.logged() if "venv" not in line and "pip" not in line]
    suite = "python -m pytest -m not slow -n 2 --dist loadfile"
    assert steps == ["ruff check .", "ruff format --check .", "mypy ", suite, f"{suite} -m slow"]


@pytest.mark.parametrize("failing", ["ruff check", "ruff format", "mypy", "-m pytest", "-m slow", "-r "])
def test_ci_fails_with_any_of_its_steps(checkout: Checkout, failing: str) -> None:
    checkout.interpreter()
    assert checkout.run(CI, FAKE_FAIL=failing).returncode != 0


def test_no_slow_tests_is_no_failure_of_ci_but_no_tests_at_all_is(checkout: Checkout) -> None:
    checkout.interpreter()
    assert checkout.run(CI, FAKE_FAIL="-m slow", FAKE_STATUS="5").returncode == 0
    assert checkout.run(CI, FAKE_FAIL="-m pytest", FAKE_STATUS="5").returncode == 5


FINETUNE = REPOSITORY / "run_scripts" / "finetune"


@pytest.mark.parametrize("script", sorted(each.name for each in FINETUNE.glob("*.sh") if each.name != "run.sh"))
def test_a_fine_tuning_script_names_itself_in_its_usage(script: str, tmp_path: Path) -> None:
    found = subprocess.run(["bash", str(FINETUNE / script), str(tmp_path)], capture_output=True, text=True)
    assert found.returncode == 2
    assert f"bash run_scripts/finetune/{script} DATA CHECKPOINT" in found.stderr
    assert found.stderr.startswith("usage: ") and len(found.stderr.splitlines()) == 1


def test_a_fine_tuning_script_looks_for_its_folders_before_it_makes_an_environment(tmp_path: Path) -> None:
    command = ["bash", str(FINETUNE / "sst2.sh"), str(tmp_path), str(tmp_path / "absent")]
    environment = {**os.environ, "UNIMO_VENV": str(tmp_path / "venv")}
    found = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert found.returncode == 2
    assert f"{tmp_path}/absent: No such file or directory" in found.stderr
    assert not (tmp_path / "venv").exists()


@pytest.mark.parametrize(("given", "restarts"), [({}, "10"), ({"MAX_RESTARTS": "3"}, "3")])
def test_a_fine_tuning_script_says_how_often_its_job_is_started_again(
    checkout: Checkout, given: dict[str, str], restarts: str
) -> None:
    checkout.interpreter()
    shutil.copytree(FINETUNE, checkout.root / "run_scripts" / "finetune")
    for name in ("data", "checkpoint"):
        (checkout.root.parent / name).mkdir()
    found = checkout.run("run_scripts/finetune/sst2.sh", "data", "checkpoint", "out", "--training.seed", "3", **given)
    assert found.returncode == 0, found.stderr
    line = checkout.logged()[-1]
    assert line.startswith("python -m unimo train --resume ") and line.endswith(" --training.seed 3")
    assert f" --devices 1 --max_restarts {restarts} --output {checkout.root.parent}/out " in line
