"""Does a long run grow? Pre-trains on the drawn world with evaluations and checkpoints, and watches the process.

    python tests/faults/soak.py [--minutes 20]

After a warm-up of a quarter of the time resident memory must stay within 3%, and neither open files, nor threads, nor
the files of the run folder may grow. Prints a line a minute, and `1 passed, 0 failed`.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.conftest import make_small_world  # noqa: E402
from tests.tasks.jobs import job, write_job  # noqa: E402

TOLERANCE = 0.03
SAMPLE_SECONDS = 2.0


@dataclass(frozen=True)
class Sample:
    """What a process holds at a moment."""

    seconds: float
    megabytes: float
    files: int
    threads: int
    kept: int
    """Files of the run folder."""


def watch(process: subprocess.Popen[bytes], run: Path, minutes: float) -> list[Sample]:
    """Samples until the time is over, or the process; ``run`` is its run folder."""
    started, samples, told = time.monotonic(), [], 0.0
    while (passed := time.monotonic() - started) < 60 * minutes and process.poll() is None:
        samples.append(_sample(process.pid, run, passed))
        if passed - told >= 60:
            told = passed
            print(f"{passed / 60:4.0f} min: {samples[-1]}", flush=True)
        time.sleep(SAMPLE_SECONDS)
    return samples


def problems(samples: list[Sample], minutes: float) -> list[str]:
    """What grew between the second quarter of the time and the last."""
    quarter = 60 * minutes / 4
    early = [sample for sample in samples if quarter <= sample.seconds < 2 * quarter]
    late = [sample for sample in samples if sample.seconds >= 3 * quarter]
    if not early or not late:
        return ["the run ended early"]
    found = []
    before, after = (statistics.median(s.megabytes for s in part) for part in (early, late))
    if abs(after / before - 1) > TOLERANCE:
        found.append(f"resident memory went from {before:.0f} to {after:.0f} MB")
    for name, told in (("files", "open files"), ("threads", "threads"), ("kept", "files of the run folder")):
        # the fewest: what leaks is never given back, and a file caught while it is written is no leak
        before, after = (min(getattr(s, name) for s in part) for part in (early, late))
        if after > before:
            found.append(f"{told} went from {before} to {after}")
    return found


def _sample(pid: int, run: Path, seconds: float) -> Sample:
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    megabytes = int(status["VmRSS"].split()[0]) / 1024
    kept = sum(len(files) for _, _, files in os.walk(run))
    opened = len(os.listdir(f"/proc/{pid}/fd"))
    return Sample(round(seconds, 1), round(megabytes, 1), opened, int(status["Threads"]), kept)


def main(arguments: list[str] | None = None) -> int:
    """Run; 0 where nothing grew."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20.0)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="unimo-soak-") as name:
        folder = Path(name)
        training = {"num_steps": 10**6, "seed": 1, "log_every": 20, "save_every": 50, "evaluate_every": 100}
        values = job(make_small_world(folder / "small"), "pretraining", folder / "run", training=training)
        command = [sys.executable, "-m", "unimo", "train", "--config", str(write_job(folder / "job.yaml", values))]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
        samples = watch(process, folder / "run", given.minutes)
        found = problems(samples, given.minutes)
        process.send_signal(signal.SIGTERM)
        if (status := process.wait(120)) != 75:
            found.append(f"exit status {status} after SIGTERM")
    for problem in found:
        print(f"FAIL {problem}")
    print(f"{int(not found)} passed, {int(bool(found))} failed")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
