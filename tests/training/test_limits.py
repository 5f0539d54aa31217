"""What cannot work is refused with its key and reason; what can, is not."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from unimo.config.job import DistributedConfig, JobConfig, NcclOptions, PrecisionConfig, TrainingConfig
from unimo.errors import InputError
from unimo.training.distributed import ProcessGroup
from unimo.training.limits import check_possible, check_streams
from unimo.training.task import TrainingStream


def job(compute: Any = "float32", stage: int = 0, **training: Any) -> JobConfig:
    return JobConfig(
        "pretraining",
        "out",
        training=TrainingConfig(num_steps=1, **training),
        distributed=DistributedConfig(sharding_stage=stage),
        precision=PrecisionConfig(compute=compute),
    )


@pytest.mark.parametrize(
    ("given", "world_size", "on_gpu", "reason"),
    [
        (job("bfloat16"), 1, False, "precision.compute: bfloat16 needs a GPU"),
        (job("float16"), 2, False, "precision.compute: float16 needs a GPU"),
        (job(stage=1), 1, False, "distributed.sharding_stage: 1 shares out over processes, but there is only one"),
        (job(stage=2), 2, False, "distributed.sharding_stage: 2 needs GPUs"),
        (job(stage=3), 2, False, "distributed.sharding_stage: 3 needs GPUs"),
        (job(stage=3, gradient_accumulation_steps=2), 2, True, "gradient_accumulation_steps must be 1"),
        (job(stage=2, gradient_accumulation_steps=2), 2, True, "gradient_accumulation_steps must be 1"),
        (job(stage=2, average_decay=0.9), 2, True, "training.average_decay"),
    ],
)
def test_what_cannot_work_is_refused(given: JobConfig, world_size: int, on_gpu: bool, reason: str) -> None:
    with pytest.raises(InputError) as caught:
        check_possible(given, ProcessGroup(0, world_size), on_gpu)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("given", "world_size", "on_gpu"),
    [
        (job(), 1, False),
        (job(stage=1), 2, False),
        (job("bfloat16"), 8, True),
        (job("float16", stage=1), 8, True),
        (job("bfloat16", stage=2), 8, True),
        (job("float16", stage=2), 8, True),
        (job("bfloat16", stage=3), 8, True),
    ],
)
def test_what_can_work_is_let_through(given: JobConfig, world_size: int, on_gpu: bool) -> None:
    check_possible(given, ProcessGroup(0, world_size), on_gpu)


def test_a_task_whose_heads_alternate_is_refused_where_all_gradients_are_waited_for() -> None:
    streams = [TrainingStream(name, [3], lambda indices, epoch, step: {}) for name in ("texts", "pairs")]
    check_streams(job(stage=1), streams)
    check_streams(job(stage=2), streams[:1])
    with pytest.raises(InputError, match=r"waits for the gradients of all heads.*1 works"):
        check_streams(job(stage=2), streams)


@pytest.mark.parametrize(
    ("name", "value", "variables"),
    [
        ("timeout_minutes", 5.0, {"PADDLE_PG_TIMEOUT": "300000"}),
        ("socket_interface", "eth0", {"NCCL_SOCKET_IFNAME": "eth0"}),
        ("disable_infiniband", True, {"NCCL_IB_DISABLE": "1"}),
        ("debug", "INFO", {"NCCL_DEBUG": "INFO"}),
    ],
)
def test_options_of_nccl_are_variables_and_need_a_gpu(name: str, value: Any, variables: dict[str, str]) -> None:
    options = NcclOptions(**{name: value})
    assert options.environment() == variables and NcclOptions().environment() == {}
    given = dataclasses.replace(job(), distributed=DistributedConfig(nccl=options))
    check_possible(given, ProcessGroup(0, 2), on_gpu=True)
    with pytest.raises(InputError, match=rf"distributed\.nccl\.{name}: needs GPUs: on CPU processes talk through gloo"):
        check_possible(given, ProcessGroup(0, 2), on_gpu=False)


def test_nonsense_is_refused_with_the_config() -> None:
    with pytest.raises(ValueError, match="sharding_stage: 4"):
        DistributedConfig(sharding_stage=4)
    with pytest.raises(ValueError, match="hang_seconds"):
        DistributedConfig(hang_seconds=0)
    with pytest.raises(ValueError, match="start_seconds"):
        DistributedConfig(start_seconds=-1)
    with pytest.raises(ValueError, match="timeout_minutes"):
        NcclOptions(timeout_minutes=0)
