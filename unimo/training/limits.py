"""What cannot work together, refused before anything starts, each with its reason."""

from __future__ import annotations

from collections.abc import Sequence

import paddle

from unimo.config.job import JobConfig, NcclOptions
from unimo.errors import InputError
from unimo.training.distributed import ProcessGroup
from unimo.training.task import TrainingStream


def check_possible(job: JobConfig, group: ProcessGroup, on_gpu: bool | None = None) -> None:
    """Refuse combinations of settings, processes and device that Paddle ignores, computes wrongly or cannot run.

    ``on_gpu``: in place of asking Paddle which device it uses.

    Raises:
        InputError: names the key, and why.
    """
    device = paddle.get_device() if on_gpu is None else ("gpu" if on_gpu else "cpu")
    _check_precision(job, device.startswith("gpu"))
    _check_sharding(job, group, device.startswith("gpu"))
    if not device.startswith("gpu") and (changed := _nccl_changes(job)):
        raise InputError(f"distributed.nccl.{changed[0]}: needs GPUs: on CPU processes talk through gloo, not NCCL")


def check_streams(job: JobConfig, streams: Sequence[TrainingStream]) -> None:
    """Refuse tasks whose steps do not all use the same heads where Paddle would wait for every gradient.

    Raises:
        InputError: names the key, and why.
    """
    alternates = len(streams) > 1 or any(stream.make_parts or stream.make_joint for stream in streams)
    if job.distributed.sharding_stage > 1 and alternates:
        raise InputError(
            f"distributed.sharding_stage: {job.distributed.sharding_stage} waits for the gradients of all heads, but "
            f"the steps of {job.task} use different ones; 1 works"
        )


def _nccl_changes(job: JobConfig) -> list[str]:
    """Options of NCCL that are not the defaults."""
    default = NcclOptions()
    return [name for name, value in vars(job.distributed.nccl).items() if value != getattr(default, name)]


def _check_precision(job: JobConfig, on_gpu: bool) -> None:
    compute = job.precision.compute
    if compute == "float32" or on_gpu:
        return
    if compute == "bfloat16":
        raise InputError(
            "precision.compute: bfloat16 needs a GPU: on CPU Paddle has no such matrix product to gain from"
        )
    raise InputError("precision.compute: float16 needs a GPU: on CPU sums over processes overflow (measured on gloo)")


def _check_sharding(job: JobConfig, group: ProcessGroup, on_gpu: bool) -> None:
    stage = job.distributed.sharding_stage
    if stage == 0:
        return
    if group.world_size == 1:
        raise InputError(f"distributed.sharding_stage: {stage} shares out over processes, but there is only one")
    if stage == 1:
        return
    if not on_gpu:
        raise InputError(
            f"distributed.sharding_stage: {stage} needs GPUs: Paddle's group_sharded_parallel fails on CPU; 1 works"
        )
    if stage == 3 and job.distributed.recompute:
        raise InputError(
            "distributed.recompute: not with sharding_stage 3, which gathers weights in the order of one forward"
        )
    if job.training.gradient_accumulation_steps > 1:
        raise InputError(
            f"distributed.sharding_stage: {stage} sums gradients at every backward, so "
            "training.gradient_accumulation_steps must be 1"
        )
    if job.training.average_decay:
        raise InputError(
            f"distributed.sharding_stage: {stage} has no whole weights to average (training.average_decay)"
        )
