"""One run at a time in a run folder.

One process of a run holds the lock: the supervisor, or without one the first process. Of several machines it is that of
node 0, or where the master counts the nodes, whichever supervisor comes first; the others look whether the run in the
folder has their own master. This file must not import Paddle: a supervisor uses it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from unimo.locks import FolderLock

LOCK_NAME = "run.lock"
PATIENCE_SECONDS = 2.0  # for a holder that is just ending, or another node that only looks


@contextlib.contextmanager
def run_lock(folder: Path, master: str = "", node_rank: int = 0) -> Iterator[None]:
    """Keep other runs out of a run folder while the block lasts.

    A folder that is made for the lock, and into which the block wrote nothing, is gone afterwards.

    Args:
        folder: the run folder; made where it is not there.
        master: `HOST:PORT` of a run on several machines, which tells its nodes from those of another run.
        node_rank: this machine's number; above 0 it only looks, at -1 it is content if another node holds the lock.

    Raises:
        InputError: another run is at work in the folder.
    """
    lock = FolderLock(
        LOCK_NAME,
        at_work="another run is at work there",
        others="other runs",
        remedy="wait for its end, or name another --output",
        is_ally=lambda holder: bool(master) and node_rank != 0 and holder.get("master") == master,
        only_looks=node_rank > 0,
        patience=PATIENCE_SECONDS,
    )
    with lock.held(folder, {"master": master}):
        yield
