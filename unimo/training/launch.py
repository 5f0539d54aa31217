"""What a supervisor starts: Paddle's launcher, and the command line that it gets. Must not import Paddle."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Plan:
    """What is started, where, and how often again."""

    command: Sequence[str]
    """A worker's command line, without the flag that resumes."""

    folder: Path
    """Run folder of the job."""

    devices: int = 1
    """Processes on this machine."""

    nodes: int = 1
    master: str = ""
    node_rank: int = -1
    max_restarts: int = 0
    hang_seconds: float = 300.0
    start_seconds: float = 3600.0
    resume: bool = False

    def launcher(self, log_folder: Path, resume: bool) -> list[str]:
        """The launcher's command line."""
        words = [sys.executable, "-m", "paddle.distributed.launch", "--nproc_per_node", str(self.devices)]
        words += ["--log_dir", str(log_folder)]
        if self.nodes > 1:
            words += ["--nnodes", str(self.nodes), "--master", self.master, "--rank", str(self.node_rank)]
        return [*words, *self.command, *(["--resume"] if resume else [])]
