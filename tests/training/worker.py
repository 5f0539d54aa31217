"""A process of a test: runs jobs one after another, in one process group if a launcher started it."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))


def run_jobs(configs: list[str], sharding_stage: int = 0, how: str = "fresh") -> None:
    """``how``: `fresh`; `resumed`; or `stopped`, where one process gets SIGTERM in the first evaluation."""
    from unimo.cli.jobs import load_job
    from unimo.tasks.assembly import assemble
    from unimo.training.distributed import start_processes
    from unimo.training.health import Preempted
    from unimo.training.trainer import Trainer

    group = start_processes(sharding_stage)
    for config in configs:
        job, options = load_job([Path(config)], [])
        assembly = assemble(job, options, group)
        if how == "stopped":
            stop_second_process(group)
        try:
            Trainer(job, assembly.task, assembly.model, group).train({}, resume=how == "resumed")
            print("ENDED finished", flush=True)
        except Preempted:
            print("ENDED preempted", flush=True)


def stop_second_process(group: Any) -> None:
    """SIGTERM for process 1 alone, within the first item of the second split that is evaluated."""
    plain, maps = group.map, iter(range(1000))

    def interrupted(work: Any, items: Any) -> Any:
        is_second = next(maps) == 1

        def told(item: Any) -> Any:
            if is_second and group.rank == 1:
                os.kill(os.getpid(), signal.SIGTERM)
            return work(item)

        return plain(told, items)

    group.map = interrupted


def launch(configs: list[Path], processes: int, logs: Path, sharding_stage: int = 0, how: str = "fresh") -> Any:
    """Run jobs in so many processes on gloo; fails with the end of every process's log.

    Where gloo's processes do not find each other at the start (a port that is not open yet, or one of them that comes
    too late, on a crowded machine), they are started again; a process that dies for a reason of its own dies again.
    """
    import subprocess
    import time

    command = [sys.executable, "-m", "paddle.distributed.launch", "--nproc_per_node", str(processes)]
    command += ["--log_dir", str(logs), __file__, how, str(sharding_stage), *map(str, configs)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
    for _ in range(3):
        finished = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, timeout=300)
        unmet = any(sign in finished.stdout for sign in (b"Connection refused", b"ProcessGroupGloo.create"))
        if finished.returncode == 0 or not unmet:
            break
        time.sleep(5)
    ends = [f"{log.name}: {log.read_text(errors='replace')[-1500:]}" for log in sorted(logs.glob("workerlog.*"))]
    assert finished.returncode == 0, "\n".join([finished.stdout.decode()[-1500:], *ends])


if __name__ == "__main__":
    run_jobs(sys.argv[3:], int(sys.argv[2]), sys.argv[1])
