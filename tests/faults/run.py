"""Does a run survive what happens to long runs? Prints a line a run, and `N passed, N failed`.

    python tests/faults/run.py [--runs 20] [--seed 1] [--first 0] [--sharded] [--keep]

Every run is a pre-training on the drawn world in two processes under the supervisor. Workers, launcher and supervisor
are killed and stopped at random moments, among them during a save; disks are full; checkpoints are damaged. In every
fourth run the moments are shared out (`sharding_stage` 1): both processes write parts of a checkpoint. A run has passed
when its last and best weights and its moments equal those of an undisturbed run of its kind, bit for bit.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.faults.jobs import (  # noqa: E402
    EXIT_PREEMPTED,
    EXIT_REFUSED,
    NUM_STEPS,
    SAVE_EVERY,
    FaultError,
    Ground,
    Run,
    damage,
    expect,
)

KINDS = ("worker", "launcher", "sigterm", "supervisor", "full disk", "truncate", "flip")
SHARDED_EVERY = 4
LARGEST_FILE = 200_000  # bytes: a log fits, the optimizer's moments do not


def strike(run: Run, kind: str, rng: random.Random) -> None:
    """One fault, and whatever the user or the scheduler would do after it."""
    if kind == "worker":
        run.kill_worker(rng.randrange(2))
    elif kind == "launcher":
        run.kill_launcher()
    elif kind == "supervisor":
        run.signal_supervisor(signal.SIGKILL)
        run.wait()
        run.start(resume=True)
    else:
        has_begun = run.is_supervised()
        run.signal_supervisor(signal.SIGTERM)
        # a supervisor that is still starting ends as any program does: it has nothing to save
        expect(run.wait(), (EXIT_PREEMPTED, 0) if has_begun else (EXIT_PREEMPTED, 0, -signal.SIGTERM), "after SIGTERM")
        if run.status != 0:  # whoever stops at the last step, its checkpoint written, still owes the report
            after_stop(run, kind, rng)
            run.start(resume=True)


def after_stop(run: Run, kind: str, rng: random.Random) -> None:
    """What happens to a run that is stopped, before it goes on."""
    step = run.newest_step()
    if kind == "full disk":
        run.start(resume=True, file_limit=LARGEST_FILE)
        # a run that was stopped after its last step has nothing left to write but small files
        expect(run.wait(), (EXIT_REFUSED,) if step < NUM_STEPS else (0, EXIT_REFUSED), "on a full disk")
        if run.newest_step() != step:
            raise FaultError("a full disk cost a checkpoint")
    elif kind in ("truncate", "flip") and step:
        damage(run.folder / "checkpoints" / f"step-{step:08d}", kind, rng)


def disturb(run: Run, kinds: list[str], rng: random.Random) -> None:
    """Run with faults, each at a random moment."""
    run.start()
    moments = sorted(rng.randrange(0, NUM_STEPS - SAVE_EVERY) for _ in kinds)
    for kind, moment in zip(kinds, moments, strict=True):
        # a checkpoint must be there before one can be damaged or kept
        at_least = 2 * SAVE_EVERY if kind in ("full disk", "truncate", "flip") else 0
        saving = rng.random() < 0.4
        if not run.wait_for(max(moment, at_least), saving):
            break
        if not saving:
            time.sleep(rng.random())
        if run.status is None:
            strike(run, kind, rng)
    if run.status is None or run.status == EXIT_PREEMPTED:
        expect(run.wait(), (0,), "at the end")


def undisturbed(ground: Ground, stage: int) -> dict[str, bytes]:
    """What a run ends with to which nothing happens."""
    whole = ground.run(f"whole{stage}", sharding_stage=stage)
    whole.start()
    expect(whole.wait(), (0,), "undisturbed")
    return whole.results()


def main(arguments: list[str] | None = None) -> int:
    """Run; 0 where all pass."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first run, to repeat one")
    parser.add_argument("--sharded", action="store_true", help="share the moments out in every run")
    parser.add_argument("--keep", action="store_true", help="keep the folders")
    given = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="unimo-faults-"))
    ground = Ground(folder)
    numbers = range(given.first, given.first + given.runs)
    stages = {number: int(given.sharded or number % SHARDED_EVERY == SHARDED_EVERY - 1) for number in numbers}
    expected = {stage: undisturbed(ground, stage) for stage in sorted(set(stages.values()))}
    failed = 0
    for number, stage in stages.items():
        rng = random.Random(given.seed * 1000 + number)
        kinds = [*rng.choices(KINDS[:3], k=rng.randint(1, 2)), KINDS[number % len(KINDS)]]
        rng.shuffle(kinds)
        started = time.monotonic()
        run = ground.run(f"run{number}", sharding_stage=stage)
        try:
            disturb(run, kinds, rng)
            results = run.results()
            changed = [name for name, content in expected[stage].items() if content != results.get(name)]
            problem = f"other bytes in {', '.join(changed)}" if changed else ""
        except (FaultError, OSError, KeyError) as error:
            problem = str(error)
        failed += bool(problem)
        ends = [event["event"] for event in run.events() if event["event"] != "started"]
        print(
            f"{'FAIL' if problem else 'ok  '} run {number}{' (sharded)' if stage else ''}: {', '.join(kinds)}; "
            f"attempts {', '.join(ends)}; {time.monotonic() - started:.0f} s {problem}",
            flush=True,
        )
        if not given.keep and not problem:
            shutil.rmtree(ground.folder / f"run{number}")
    print(f"{given.runs - failed} passed, {failed} failed")
    if not given.keep and not failed:
        shutil.rmtree(folder)
    elif failed:
        print(f"see {folder}", file=sys.stderr)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
