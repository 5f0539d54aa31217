"""A process of a test: runs jobs one after another, in one process group if a launcher started it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))


def run_jobs(configs: list[str], sharding_stage: int = 0) -> None:
    from unimo.cli.jobs import load_job
    from unimo.tasks.assembly import assemble
    from unimo.training.distributed import start_processes
    from unimo.training.trainer import Trainer

    group = start_processes(sharding_stage)
    for config in configs:
        job, options = load_job([Path(config)], [])
        assembly = assemble(job, options, group)
        Trainer(job, assembly.task, assembly.model, group).train({})


def launch(configs: list[Path], processes: int, logs: Path, sharding_stage: int = 0) -> Any:
    """Run jobs in so many processes on gloo; fails with the end of the first log.

    Where gloo's processes do not find each other at the start (a port that is not open yet, on a crowded machine), they
    are started once more; a process that dies for a reason of its own dies again.
    """
    import os
    import subprocess

    command = [sys.executable, "-m", "paddle.distributed.launch", "--nproc_per_node", str(processes)]
    command += ["--log_dir", str(logs), __file__, str(sharding_stage), *map(str, configs)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
    for _ in range(2):
        finished = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, timeout=300)
        if b"Connection refused" not in finished.stdout or finished.returncode == 0:
            break
    assert finished.returncode == 0, finished.stdout.decode()[-3000:]


if __name__ == "__main__":
    run_jobs(sys.argv[2:], int(sys.argv[1]))
