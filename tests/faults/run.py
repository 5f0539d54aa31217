"""Does a run survive what happens to long runs? Prints a line a run, and `N passed, N failed`.

    python tests/faults/run.py [--runs 20] [--seed 1] [--first 0] [--sharded] [--keep]

Every run is a pre-training on the drawn world in two processes under the supervisor. Workers, launcher and supervisor
are killed and stopped at random moments, among them during a save; disks are full; checkpoints are damaged. In every
fourth run the moments are shared out (`sharding_stage` 1): both processes write parts of a checkpoint. A run has passed
when it was struck, and its last and best weights and its moments equal those of an undisturbed run of its kind, bit for
bit. A line tells which of the planned faults found something to strike; the last but one counts them.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
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
PATIENCE_SECONDS = 20.0  # for a process that is just being started
ALL_KINDS_RUNS = 2 * len(KINDS)  # in so many runs every kind has to have struck


def strike(run: Run, kind: str, rng: random.Random) -> bool:
    """One fault, and whatever the user or the scheduler would do after it; whether there was anything to strike."""
    if kind == "worker":
        rank = rng.randrange(2)
        return once_there(run, lambda: run.kill_worker(rank))
    if kind == "launcher":
        return once_there(run, run.kill_launcher)
    if kind == "supervisor":
        run.signal_supervisor(signal.SIGKILL)
        struck = run.wait() == -signal.SIGKILL
        run.start(resume=True)
        return struck
    has_begun = run.is_supervised()
    run.signal_supervisor(signal.SIGTERM)
    # a supervisor that is still starting ends as any program does: it has nothing to save
    expect(run.wait(), (EXIT_PREEMPTED, 0) if has_begun else (EXIT_PREEMPTED, 0, -signal.SIGTERM), "after SIGTERM")
    if run.status == 0:
        return False  # it was through
    # whoever stops at the last step, its checkpoint written, still owes the report
    struck = after_stop(run, kind, rng)
    run.start(resume=True)
    return struck


def once_there(run: Run, kill: Callable[[], bool]) -> bool:
    """Kill a process, when it has been started; False where the run ended before."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (killed := kill()) and run.status is None and time.monotonic() < deadline:
        time.sleep(0.05)
    return killed


def after_stop(run: Run, kind: str, rng: random.Random) -> bool:
    """What happens to a run that is stopped, before it goes on; whether it did."""
    step = run.newest_step()
    if kind == "full disk":
        run.start(resume=True, file_limit=LARGEST_FILE)
        # a run that was stopped after its last step has nothing left to write but small files
        expect(run.wait(), (EXIT_REFUSED,) if step < NUM_STEPS else (0, EXIT_REFUSED), "on a full disk")
        if run.newest_step() != step:
            raise FaultError("a full disk cost a checkpoint")
        return run.status == EXIT_REFUSED
    if kind in ("truncate", "flip"):
        if step:
            damage(run.folder / "checkpoints" / f"step-{step:08d}", kind, rng)
        return bool(step)
    return True


def disturb(run: Run, kinds: list[str], rng: random.Random) -> list[str]:
    """Run with faults, each at a random moment; those that struck."""
    run.start()
    struck = []
    moments = sorted(rng.randrange(0, NUM_STEPS - SAVE_EVERY) for _ in kinds)
    for kind, moment in zip(kinds, moments, strict=True):
        # a checkpoint must be there before one can be damaged or kept
        at_least = 2 * SAVE_EVERY if kind in ("full disk", "truncate", "flip") else 0
        saving = rng.random() < 0.4
        if not run.wait_for(max(moment, at_least), saving):
            break
        if not saving:
            time.sleep(rng.random())
        if run.status is None and strike(run, kind, rng):
            struck.append(f"{kind} (during a save)" if saving else kind)
    if run.status is None or run.status == EXIT_PREEMPTED:
        expect(run.wait(), (0,), "at the end")
    if not struck:
        raise FaultError("nothing was struck")
    return struck


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
    failed, counts = 0, Counter[str]()
    for number, stage in stages.items():
        rng = random.Random(given.seed * 1000 + number)
        kinds = [*rng.choices(KINDS[:3], k=rng.randint(1, 2)), KINDS[number % len(KINDS)]]
        rng.shuffle(kinds)
        started = time.monotonic()
        run, struck = ground.run(f"run{number}", sharding_stage=stage), ["?"]
        try:
            struck = disturb(run, kinds, rng)
            counts.update(struck)
            results = run.results()
            changed = [name for name, content in expected[stage].items() if content != results.get(name)]
            problem = f"other bytes in {', '.join(changed)}" if changed else ""
        except (FaultError, OSError, KeyError) as error:
            problem = str(error)
        failed += bool(problem)
        ends = [event["event"] for event in run.events() if event["event"] != "started"]
        print(
            f"{'FAIL' if problem else 'ok  '} run {number}{' (sharded)' if stage else ''}: {', '.join(struck)} "
            f"of {', '.join(kinds)}; attempts {', '.join(ends)}; {time.monotonic() - started:.0f} s {problem}",
            flush=True,
        )
        if not given.keep and not problem:
            shutil.rmtree(ground.folder / f"run{number}")
    print("struck: " + ", ".join(f"{kind} {counts[kind]}" for kind in sorted(counts)))
    found = {kind.partition(" (")[0] for kind in counts}
    if given.runs >= ALL_KINDS_RUNS and (never := [kind for kind in KINDS if kind not in found]):
        print(f"FAIL never struck: {', '.join(never)}")
        failed += 1
    print(f"{given.runs - failed} passed, {failed} failed")
    if not given.keep and not failed:
        shutil.rmtree(folder)
    elif failed:
        print(f"see {folder}", file=sys.stderr)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
