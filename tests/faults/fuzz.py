"""Feeds mutated real files to every reader: each must be read, or be refused in one line that names the file.

    python tests/faults/fuzz.py [--cases 5000] [--seed 1] [--first 0] [--reader NAME]

No traceback, no crash of the interpreter, no hang (30 s), no more than 2 GB of memory beyond what was there. A case is
told by its number alone: `--first N --cases 1` repeats it. Prints which readers were skipped for want of an optional
package, what went wrong, and `N passed, N failed`.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import random
import resource
import select
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.faults.mutations import mutate  # noqa: E402
from tests.faults.readers import Reader, all_readers, copy_source  # noqa: E402

HANG_SECONDS, MEMORY_BYTES = 30.0, 2 << 30


def run_case(number: int, seed: int, readers: Sequence[Reader], folder: Path) -> str:
    """Mutate one file, read it; returns what went wrong, "" for nothing."""
    from unimo.errors import InputError

    rng = random.Random(f"{seed}/{number}")
    reader = readers[number % len(readers)]
    copied = copy_source(reader, folder)
    name = rng.choice(reader.files())
    path = copied / name if copied.is_dir() else copied
    path.write_bytes(mutate(path.read_bytes(), rng))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    problem = ""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            reader.read(copied)
    except InputError as error:
        if str(folder) not in str(error):
            problem = f"the error names no file: {error}"
    except MemoryError:
        problem = "out of memory"
    except BaseException as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        problem = f"{type(error).__name__}: {error} ({Path(frame.filename).name}:{frame.lineno})"
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    if not problem and grown > MEMORY_BYTES:
        problem = f"took {grown >> 20} MB of memory"
    return f"{reader.name}, {name}: {' '.join(problem.split())[:300]}" if problem else ""


def child(first: int, last: int, seed: int, only: str, folder: Path) -> None:
    """Run cases, and tell the parent of each one before and after; it sees if this process dies of it."""
    report = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a reader prints is no report
    readers, skipped = all_readers(folder / "sources")
    for reason in skipped:
        print(f"skipped {reason}", file=report)
    if only and not (readers := [reader for reader in readers if reader.name == only]):
        raise SystemExit(f"no reader {only!r}")
    used = _address_space()
    resource.setrlimit(resource.RLIMIT_AS, (used + 2 * MEMORY_BYTES, used + 2 * MEMORY_BYTES))
    print("ready", file=report)
    for number in range(first, last):
        print(f"start {number}", file=report)
        print(f"done {run_case(number, seed, readers, folder / 'case')}", file=report)


def _address_space() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


class Cases:
    """Runs cases in a child process, and goes on in another one after a case that killed it."""

    def __init__(self, first: int, last: int, seed: int, only: str) -> None:
        self.next, self.last, self.seed, self.only = first, last, seed, only
        self.problems: list[str] = []
        self.skipped: set[str] = set()

    def run(self) -> None:
        """All of them."""
        while self.next < self.last:
            with tempfile.TemporaryDirectory(prefix="unimo-fuzz-") as folder:
                self._run_child(Path(folder))

    def _run_child(self, folder: Path) -> None:
        command = [sys.executable, __file__, "--child", str(folder), "--first", str(self.next)]
        command += ["--cases", str(self.last - self.next), "--seed", str(self.seed), "--reader", self.only]
        errors = folder / "stderr"
        # unbuffered: select sees what is in the pipe, not what has been read ahead
        with (
            errors.open("wb") as stderr,
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, bufsize=0) as process,
        ):
            assert process.stdout is not None
            running, ready = False, False
            while True:
                waiting = HANG_SECONDS if ready else 10 * HANG_SECONDS
                hung = not select.select([process.stdout], [], [], waiting)[0]
                line = "" if hung else process.stdout.readline().decode()
                if not line:
                    break
                if line.startswith("skipped"):
                    self._skip(line.strip())
                    continue
                ready = True
                running = line.startswith("start")
                if line.startswith("done"):
                    self._note(line.removeprefix("done").strip())
            process.kill()
            if not ready:
                raise SystemExit(f"the readers could not be prepared: {_last_line(errors)}")
            if running:
                self._note("hung" if hung else f"killed the interpreter (status {process.wait()})")

    def _skip(self, reason: str) -> None:
        if reason not in self.skipped:  # a child that follows another says it again
            self.skipped.add(reason)
            print(reason, flush=True)

    def _note(self, problem: str) -> None:
        if problem:
            self.problems.append(problem)
            print(f"FAIL case {self.next}: {problem}", flush=True)
        self.next += 1


def _last_line(path: Path) -> str:
    lines = path.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "no reason was given"


def main(arguments: list[str] | None = None) -> int:
    """Run; 0 where all pass."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--reader", default="", help="one reader only")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    last = given.first + given.cases
    if given.child:
        child(given.first, last, given.seed, given.reader, given.child)
        return 0
    cases = Cases(given.first, last, given.seed, given.reader)
    cases.run()
    print(f"{given.cases - len(cases.problems)} passed, {len(cases.problems)} failed")
    return int(bool(cases.problems))


if __name__ == "__main__":
    sys.exit(main())
