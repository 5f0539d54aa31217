"""Where shards are worked on: in this process, in several on this machine, or on a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from typing import Any

from unimo.errors import InputError
from unimo.runtime.workers import worker_processes

ShardFunction = Callable[[str, int], None]
CONNECT_SECONDS = 10


def run_shards(
    function: ShardFunction, folder: str, shards: Sequence[int], num_workers: int = 1, scheduler: str = ""
) -> Iterator[int]:
    """Run ``function(folder, shard)`` for every shard; yields the shards as they are done.

    Args:
        function: writes its result below ``folder``, which every process must see.
        folder: of the job.
        shards: to work on.
        num_workers: processes on this machine.
        scheduler: address of a Dask scheduler (`tcp://host:8786`) whose workers are used instead.

    Raises:
        InputError: no scheduler at that address, or Dask is not installed.
    """
    if scheduler:
        yield from _on_cluster(function, folder, shards, scheduler)
    elif num_workers <= 1 or len(shards) <= 1:
        for shard in shards:
            function(folder, shard)
            yield shard
    else:
        yield from _in_processes(function, folder, shards, num_workers)


def _in_processes(function: ShardFunction, folder: str, shards: Sequence[int], num_workers: int) -> Iterator[int]:
    with worker_processes(min(num_workers, len(shards))) as pool:
        futures = {pool.submit(function, folder, shard): shard for shard in shards}
        for future in as_completed(futures):
            future.result()
            yield futures[future]


def _on_cluster(function: ShardFunction, folder: str, shards: Sequence[int], scheduler: str) -> Iterator[int]:
    try:
        from distributed import Client
        from distributed import as_completed as as_futures_complete
    except ImportError as error:
        raise InputError("--scheduler: needs dask.distributed (pip install 'dask[distributed]')") from error
    try:
        client: Any = Client(scheduler, timeout=CONNECT_SECONDS)
    except (OSError, ValueError) as error:
        raise InputError(f"--scheduler {scheduler}: no Dask scheduler answers there ({error})") from error
    with client:
        futures = {client.submit(function, folder, shard, pure=False): shard for shard in shards}
        for future in as_futures_complete(list(futures)):
            future.result()
            yield futures[future]
