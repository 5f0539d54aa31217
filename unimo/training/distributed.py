"""The processes of a job: who they are, and the few things that they do together.

On one process everything here is free: nothing is started and nothing is sent. On several, ``fleet`` starts Paddle's
process group (NCCL on GPUs, gloo on CPU). gloo gives up after 30 seconds in a collective, whatever is set (PaddlePaddle
3.3.1, measured), so processes that may have drifted apart first ``meet``, which waits without a collective.
"""

from __future__ import annotations

import faulthandler
import os
import pickle
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import paddle
from paddle import Tensor

from unimo.config.job import NcclOptions
from unimo.modeling.tensors import as_tensor

Item = TypeVar("Item")
Result = TypeVar("Result")

FRAME_BYTES = 1 << 10  # of an object, sent with its length: small ones take one collective (1.4 ms on gloo)
CHUNK_BYTES = 4 << 20  # of what is longer, sent in turns so that no process holds all padded copies at once
POLL_SECONDS = 0.05  # between looks at who has arrived; a look takes 44 ms of Paddle's store
ARRIVED_KEY = "unimo/arrived"
STOP_KEY = "unimo/stop"
LOOK_SECONDS = 2.0  # between looks at whether another process was asked to stop, for the same reason


class Abandoned(Exception):  # noqa: N818 (nothing went wrong)
    """Shared work was given up by all processes, because one of them was asked to stop."""


class ProcessGroup:
    """One process among all of a job; ``ProcessGroup()`` is a job of one."""

    def __init__(self, rank: int = 0, world_size: int = 1) -> None:
        self.rank, self.world_size = rank, world_size
        self.on_wait: Callable[[], None] = lambda: None
        """Called now and then by a process that waits for others or works through ``map``: it is alive."""
        self.asked_to_stop: Callable[[], bool] = lambda: False
        """Whether this process was asked to stop: ``map`` is then given up, by all processes at the same place."""
        self._num_meetings = 0
        self._told_of_stop = False
        self._looked = 0.0

    @property
    def is_first(self) -> bool:
        """Whether this process writes what all of them share: log, checkpoints, reports."""
        return self.rank == 0

    def meet(self) -> None:
        """Wait until every process has come here, however long it takes."""
        if self.world_size == 1:
            return
        store = paddle.base.core.create_or_get_global_tcp_store()
        self._num_meetings += 1
        expected, arrived = self._num_meetings * self.world_size, store.add(ARRIVED_KEY, 1)
        while arrived < expected:
            self.on_wait()
            self._tell_of_stop()
            time.sleep(POLL_SECONDS)
            arrived = store.add(ARRIVED_KEY, 0)
        # the store is the first process's: nobody goes on, and perhaps ends, before all have seen that all are here
        paddle.distributed.barrier()

    def sum_(self, tensor: Tensor) -> Tensor:
        """The sum over processes, in place."""
        if self.world_size > 1:
            paddle.distributed.all_reduce(tensor)
        return tensor

    def gather(self, value: Result) -> list[Result]:
        """Everybody's ``value``, by rank; sizes may differ. The processes of a job trust each other: it is a pickle."""
        if self.world_size == 1:
            return [value]
        payload = np.frombuffer(pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL), np.uint8)
        header = np.frombuffer(np.int64(len(payload)).tobytes(), np.uint8)
        frames = self._gather_bytes(np.concatenate([header, payload[:FRAME_BYTES]]), len(header) + FRAME_BYTES)
        lengths = [int(frame[:8].view(np.int64)[0]) for frame in frames]
        parts = [[frame[8:]] for frame in frames]
        for start in range(FRAME_BYTES, max(lengths), CHUNK_BYTES):
            size = min(CHUNK_BYTES, max(lengths) - start)
            for rank, chunk in enumerate(self._gather_bytes(payload[start : start + size], size)):
                parts[rank].append(chunk[: max(0, lengths[rank] - start)])
        return [
            pickle.loads(np.concatenate(part)[:length].tobytes()) for part, length in zip(parts, lengths, strict=True)
        ]

    def broadcast(self, value: Result) -> Result:
        """The first process's ``value``."""
        return self.gather(value if self.is_first else None)[0]  # type: ignore[return-value]

    def map(self, work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """``work`` of every item, in the items' order, for everybody; each process works on every n-th item.

        What an item gives does not depend on the number of processes, so neither does anything made of the results.

        Raises:
            Abandoned: a process was asked to stop before all were through; on every process, or on none.
        """
        mine, own = [], items[self.rank :: self.world_size]
        for item in own:
            if self._should_give_up():
                break
            mine.append(work(item))
            self.on_wait()
        stopped = len(mine) < len(own)
        if self.world_size == 1:
            if stopped:
                raise Abandoned
            return mine
        self.meet()
        stopped = stopped or self.asked_to_stop()  # within the last item too: how far the others were is chance
        everybody = self.gather((None if stopped else mine, stopped))
        if any(stopped for _, stopped in everybody):
            raise Abandoned
        results: list[Any] = [None] * len(items)
        for rank, (theirs, _) in enumerate(everybody):
            assert theirs is not None
            results[rank :: self.world_size] = theirs
        return results

    def _should_give_up(self) -> bool:
        """Whether this process was asked to stop, or another one was: in time, not at the same item."""
        if self.asked_to_stop():
            self._tell_of_stop()
            return True
        if self.world_size == 1 or time.monotonic() - self._looked < LOOK_SECONDS:
            return False
        self._looked = time.monotonic()
        return bool(paddle.base.core.create_or_get_global_tcp_store().add(STOP_KEY, 0))

    def _tell_of_stop(self) -> None:
        """Let the others know that this process was asked to stop."""
        if self.world_size > 1 and not self._told_of_stop and self.asked_to_stop():
            paddle.base.core.create_or_get_global_tcp_store().add(STOP_KEY, 1)
            self._told_of_stop = True

    def _gather_bytes(self, data: np.ndarray, size: int) -> list[np.ndarray]:
        """Everybody's bytes, padded to ``size``."""
        padded = np.zeros(size, np.uint8)
        padded[: len(data)] = data
        received: list[Tensor] = []
        paddle.distributed.all_gather(received, as_tensor(padded))
        return [tensor.numpy() for tensor in received]


def launched_world_size() -> int:
    """Processes that Paddle's launcher says there are; 1 without a launcher."""
    return int(os.environ.get("PADDLE_TRAINERS_NUM") or 1)


def launched_rank() -> int:
    """This process's number among them."""
    return int(os.environ.get("PADDLE_TRAINER_ID") or 0)


def start_processes(sharding_stage: int = 0, nccl: NcclOptions | None = None) -> ProcessGroup:
    """Join the other processes of the job, where the launcher's variables say that there are any.

    ``nccl``: what differs from the defaults goes into the environment, where variables of the user's own are replaced.
    """
    # Paddle tells of SIGTERM as of a crash; where Python was after a real one faulthandler tells
    paddle.disable_signal_handler()
    if not faulthandler.is_enabled() and sys.__stderr__ is not None:
        faulthandler.enable(sys.__stderr__)
    world_size = launched_world_size()
    if world_size == 1:
        return ProcessGroup()
    from paddle.distributed import fleet

    os.environ.update((nccl or NcclOptions()).environment())
    strategy = fleet.DistributedStrategy()
    shards = world_size if sharding_stage == 1 else 1
    strategy.hybrid_configs = {"dp_degree": world_size // shards, "sharding_degree": shards}
    fleet.init(is_collective=True, strategy=strategy, log_level="ERROR")
    return ProcessGroup(paddle.distributed.get_rank(), world_size)


def sum_gradients(group: ProcessGroup, parameters: Sequence[Tensor], loss: Tensor, bucket_bytes: int) -> Tensor:
    """Sum the gradients over processes in place, and return the sum of their losses, a scalar.

    A parameter that has a gradient on any process has one on all of them afterwards, and one that has none nowhere
    keeps none: heads that a step does not use stay as they are, decay included. Paddle's own reducers divide by the
    number of processes, and wait for gradients that a process without records never has.
    """
    if group.world_size == 1:
        return loss
    present = np.asarray([parameter.grad is not None for parameter in parameters], np.float32)
    shared = paddle.concat([as_tensor(present), loss.detach().astype("float32").reshape([1])])
    group.sum_(shared)
    anywhere = shared[:-1].numpy() > 0
    used = [parameter for parameter, wanted in zip(parameters, anywhere, strict=True) if wanted]
    with paddle.no_grad():
        for bucket in _buckets(used, bucket_bytes):
            flat = paddle.concat(
                [(paddle.zeros_like(p) if p.grad is None else p.grad).detach().reshape([-1]) for p in bucket]
            )
            group.sum_(flat)
            pieces = paddle.split(flat, [int(np.prod(p.shape)) for p in bucket]) if len(bucket) > 1 else [flat]
            for parameter, piece in zip(bucket, pieces, strict=True):
                parameter.grad = piece.reshape(parameter.shape)
    return shared[-1]


def _buckets(parameters: Sequence[Tensor], bucket_bytes: int) -> list[list[Tensor]]:
    """Parameters in their order, cut where a bucket is full."""
    buckets: list[list[Tensor]] = []
    room = 0
    for parameter in parameters:
        size = 4 * int(np.prod(parameter.shape))
        if not buckets or size > room:
            buckets.append([])
            room = bucket_bytes
        buckets[-1].append(parameter)
        room -= size
    return buckets
