"""What a supervisor starts: Paddle's launcher, and the command line that it gets. Must not import Paddle."""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ANYWHERE = ("192.0.2.1", 9)  # an address kept for documentation: nothing is sent, the kernel only names the way there
MEETING_VARIABLE = "PADDLE_MASTER"


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
    """`HOST:PORT`, a name or an address."""

    node_rank: int = -1
    max_restarts: int = 0
    hang_seconds: float = 300.0
    start_seconds: float = 3600.0
    resume: bool = False

    def launcher(self, log_folder: Path, resume: bool) -> list[str]:
        """The launcher's command line.

        Raises:
            OSError: the master's host has no address (yet).
        """
        words = [sys.executable, "-m", "paddle.distributed.launch", "--nproc_per_node", str(self.devices)]
        words += ["--log_dir", str(log_folder)]
        if self.nodes > 1:
            host, _, port = self.master.rpartition(":")
            address, is_here = find_master(host)
            words += ["--nnodes", str(self.nodes), "--master", f"{address}:{port}", "--rank", str(self.node_rank)]
            if is_here:
                words += ["--host", address]
        return [*words, *self.command, *(["--resume"] if resume else [])]


def find_master(host: str) -> tuple[str, bool]:
    """The master's address, and whether it is this machine's own.

    Paddle's launcher starts its server only where the master is written as the address that the machine's name
    resolves to, or as 127.0.0.1 (PaddlePaddle 3.3.1, ``HTTPMaster.lazy_init``): no host name is, nor is the right
    address where Debian's /etc/hosts gives the name 127.0.1.1. There the address of the way out is taken, for the
    processes of other machines get it too. IPv4 only, as the launcher.

    Raises:
        OSError: the host has no address (yet).
    """
    found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_STREAM)]
    own = [address for address in found if _is_own(address)]
    if not own:
        return found[0], False
    if own[0].startswith("127.") and host not in ("localhost", own[0]):
        return _way_out() or own[0], True
    return own[0], True


def _is_own(address: str) -> bool:
    """Whether an address is one of this machine's."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def _way_out() -> str:
    """This machine's address on its default route; "" where it has none."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(ANYWHERE)
        return str(probe.getsockname()[0])
    return ""


def find_meeting(log_folder: Path) -> str:
    """What all processes of one attempt, on whatever machine, have in common and no other attempt has; "" before.

    It is the address and the random port where they find each other. The launcher writes each process's environment
    beside its log before it starts it, so that it is known of processes that never came to tell anything.
    """
    for path in log_folder.glob("envlog.*"):
        with contextlib.suppress(OSError):
            for line in path.read_text("utf-8", "replace").splitlines(keepends=True):
                name, _, value = line.partition("=")
                if name == MEETING_VARIABLE and value.endswith("\n"):  # or it is still being written
                    return value.strip()
    return ""
