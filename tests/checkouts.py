"""A checkout's scripts, run for real on an interpreter, a pip and tools that only pretend and keep a log."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.conftest import REPOSITORY

SETUP, TEST, CI = "run_scripts/setup_env.sh", "run_scripts/test.sh", ".ci/run"
COPIED = (
    "run_scripts/setup_env.sh",
    "run_scripts/test.sh",
    "run_scripts/lanes.sh",
    "run_scripts/quickstart.sh",
    ".ci/run",
    "requirements.txt",
    "requirements-gpu.txt",
    "pyproject.toml",
)
# An interpreter: the questions it is asked (-c) go to the real one, which is told another version and path.
INTERPRETER = """#!/bin/bash
if [ "$1" = -c ]; then
    exec {real} -c "import sys; sys.version_info = ({version}, 0); sys._base_executable = '$0'
{before}
$2"
elif [ "$1" = --version ]; then
    echo "Python pretended"
else
    echo "python $*" >> "$FAKE_LOG"
    for folder; do :; done
    mkdir -p "$folder/bin" && touch "$folder/pyvenv.cfg"
    for tool in python ruff mypy; do cp {tool} "$folder/bin/$tool"; done
fi
"""
# What stands in an environment's bin/: logs its arguments, tells how many cores there are, fails where FAKE_FAIL is a
# part of them, and where FAKE_SLEEP is one goes on for as long as nobody ends it with SIGTERM, and takes a second to
# save; with FAKE_REPORTS trainings leave a report.
TOOL = """#!/bin/bash
line="$(basename "$0") $*"
if [ "$1" = -c ]; then echo "${FAKE_CORES:-2}"; exit; fi
if [ -n "${OMP_NUM_THREADS:-}" ]; then line="$line with OMP_NUM_THREADS=$OMP_NUM_THREADS"; fi
echo "$line" >> "$FAKE_LOG"
if [ -n "${FAKE_SLEEP:-}" ] && [[ "$line" == *$FAKE_SLEEP* ]]; then
    trap 'sleep 1; echo "$line" >> "$FAKE_LOG.saved"; exit 75' TERM
    sleep 611 & wait
fi
if [ -n "${FAKE_FAIL:-}" ] && [[ "$line" == *$FAKE_FAIL* ]]; then exit "${FAKE_STATUS:-1}"; fi
if [ -n "${FAKE_REPORTS:-}" ] && [[ "$line" =~ " train ".*" --output "([^ ]+) ]]; then
    mkdir -p "${BASH_REMATCH[1]}" && touch "${BASH_REMATCH[1]}/report.json"
fi
"""


class Checkout:
    """A copy of the scripts in a folder with a blank in its name, and pretending interpreters on the PATH."""

    def __init__(self, folder: Path) -> None:
        self.root, self.bin, self.log = folder / "a house", folder / "bin", folder / "log"
        for name in COPIED:
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, self.root / name)
        self.bin.mkdir()
        program(folder / "tool", TOOL)
        for name in ("3.13", "3.12", "3.11"):  # as an empty pyenv shim: it exists, and does not work
            program(self.bin / f"python{name}", "#!/bin/bash\nexit 127\n")

    @property
    def venv(self) -> Path:
        return self.root / ".venv"

    def interpreter(self, name: str = "python3", version: str = "3, 11", has_ensurepip: bool = True) -> Path:
        before = "" if has_ensurepip else "sys.modules['ensurepip'] = None"
        tool = self.bin.parent / "tool"
        return program(
            self.bin / name,
            INTERPRETER.format(real=sys.executable, version=version, before=before, tool=tool),
        )

    def environment(self, **variables: str) -> Mapping[str, str]:
        return {"PATH": f"{self.bin}{os.pathsep}/usr/bin{os.pathsep}/bin", "FAKE_LOG": str(self.log), **variables}

    def run(self, script: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = self.environment(**variables)
        command = ["bash", str(self.root / script), *arguments]
        return subprocess.run(
            command, cwd=self.root.parent, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )

    def logged(self) -> list[str]:
        """What the pretending programs were asked since the last look."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return lines


def program(path: Path, text: str) -> Path:
    """Write an executable."""
    path.write_text(text)
    path.chmod(0o755)
    return path
