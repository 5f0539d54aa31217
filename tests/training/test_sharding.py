"""Of sharing out gradients what needs no GPU: the norm over processes, and steps that are kept from the update."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import paddle
import pytest
from paddle import Tensor

from tests.conftest import REPOSITORY
from unimo.config.job import OptimizerConfig
from unimo.training.distributed import ProcessGroup
from unimo.training.optimizer import AdamW, clip_gradients
from unimo.training.sharding import ShardedAdamW, SharedOutClip, joined, part_of

NUM_PARAMETERS = 5


def parameters(poisoned: bool = False, scale: float = 1.0) -> list[Tensor]:
    """Parameters with gradients, the last of which may hold an infinity."""
    rng = np.random.default_rng(3)
    made = []
    for number in range(NUM_PARAMETERS):
        parameter = paddle.create_parameter([3, number + 1], "float32")
        values = (rng.standard_normal(parameter.shape) * scale).astype(np.float32)
        if poisoned and number == NUM_PARAMETERS - 1:
            values[0, 0] = np.inf
        parameter.grad = paddle.to_tensor(values)
        made.append(parameter)
    return made


def check_process(rank: int, world_size: int, sum_over_processes: object) -> None:
    """One process of several, which hold every n-th gradient, against all gradients in one place."""
    expected = parameters()
    norm = float(clip_gradients(expected, 0.5))
    for scale in (1.0, 1024.0):
        clip = SharedOutClip(0.5, sum_over_processes)  # type: ignore[arg-type]
        clip.loss_scale = scale
        mine = parameters(scale=scale)[rank::world_size]
        pairs = clip([(parameter, parameter.grad) for parameter in mine])
        assert math.isclose(clip.norm, norm, rel_tol=1e-5) and norm > 0.5
        assert len(pairs) == len(mine)
        for (_, found), wanted in zip(pairs, expected[rank::world_size], strict=True):
            np.testing.assert_allclose(found.numpy(), wanted.grad.numpy(), rtol=1e-5)
    poisoned = parameters(poisoned=True)[rank::world_size]  # on one process alone
    assert clip([(parameter, parameter.grad) for parameter in poisoned]) == []
    assert not math.isfinite(clip.norm)


def test_one_process_clips_as_the_plain_optimizer_does() -> None:
    check_process(0, 1, lambda tensor: tensor)


def test_what_every_process_holds_alike_counts_once() -> None:
    whole, part = parameters()[:2]
    whole.unslice = True
    clip = SharedOutClip(0.0, lambda tensor: tensor * 3)
    clip([(whole, whole.grad), (part, part.grad), (part, None)])
    squares = [float((each.grad**2).sum()) for each in (whole, part)]
    assert clip.norm == pytest.approx(math.sqrt(squares[0] + 3 * squares[1]), rel=1e-5)


def sharded(model: paddle.nn.Layer) -> ShardedAdamW:
    """The optimizer without Paddle's wrapper, which needs GPUs."""
    optimizer = ShardedAdamW.__new__(ShardedAdamW)
    AdamW.__init__(optimizer, model, OptimizerConfig(learning_rate=0.1, schedule="constant"))
    optimizer.stage = 2
    optimizer.clip = optimizer._adamw._grad_clip = SharedOutClip(1.0, lambda tensor: tensor)
    optimizer._updater = optimizer._adamw
    return optimizer


def test_a_step_that_is_not_finite_changes_neither_weights_nor_moments() -> None:
    paddle.seed(1)
    plain_model, model = paddle.nn.Linear(3, 2), paddle.nn.Linear(3, 2)
    model.set_state_dict(plain_model.state_dict())
    plain = AdamW(plain_model, OptimizerConfig(learning_rate=0.1, schedule="constant"))
    optimizer = sharded(model)
    for factor in (1.0, float("inf"), float("nan"), 2.0):
        for each, its in ((plain_model, plain), (model, optimizer)):
            (paddle.sum(each(paddle.ones([4, 3])) ** 2) * factor).backward()
            norm = its.step(0.1)
            assert math.isfinite(norm) == math.isfinite(factor) and norm != 0
    np.testing.assert_allclose(model.weight.numpy(), plain_model.weight.numpy(), rtol=1e-6)
    ours, theirs = optimizer.state(), plain.state()
    assert ours["num_updates"] == theirs["num_updates"] == 2
    assert all(np.allclose(ours[name], theirs[name], rtol=1e-5) for name in theirs)


@pytest.mark.parametrize("world_size", [1, 2, 3, 5])
def test_moments_are_cut_into_parts_and_joined_again(world_size: int) -> None:
    """As Paddle cuts: equal parts of a buffer that is longer than the array."""
    moments = np.random.default_rng(1).standard_normal((7, 5)).astype(np.float32)
    size = -(-64 // world_size)
    parts = [part_of(moments, rank * size, (rank + 1) * size) for rank in range(world_size)]
    assert {part.shape for part in parts} == {(size,)}
    assert np.array_equal(joined(parts, [7, 5]), moments)


def test_stage_three_takes_over_a_plain_state_and_gives_it_back() -> None:
    """Two processes, one after the other, with Paddle's wrapper stood in for: names, cuts, and the gathering."""
    model = paddle.nn.Linear(3, 2)
    plain = AdamW(model, OptimizerConfig())
    paddle.sum(model(paddle.ones([4, 3]))).backward()
    plain.step(0.1)
    expected = {name: np.array(value) for name, value in plain.state().items()}
    ranges = {"weight": [(0, 4), (4, 8)]}  # the bias stays whole
    parts = []
    for rank in range(2):
        optimizer = ShardedAdamW(model, OptimizerConfig(), None, ProcessGroup(rank, 2), 3)  # type: ignore[arg-type]
        optimizer.load_state(expected, "plain")
        assert set(optimizer.state()) == set(expected)  # saved before the first step
        optimizer._wrapped = SimpleNamespace(_param2buffer=ranges)
        parts.append(optimizer._cut())
    assert parts[0]["slice@weight_moment1_0"].shape == (4,)
    gathered = {name: [part[name] for part in parts] for name in parts[0]}
    optimizer.group.gather = lambda value: next(  # type: ignore[method-assign]
        both for both in gathered.values() if both[1] is value
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AdamW, "state", lambda self: {**parts[1], "num_updates": expected["num_updates"]})
        found = optimizer.state()
    assert set(found) == set(expected)
    assert all(np.array_equal(found[name], expected[name]) for name in expected)


@pytest.mark.multiprocess
def test_two_processes_learn_one_norm_and_both_keep_from_a_step(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "paddle.distributed.launch", "--nproc_per_node", "2", "--log_dir", str(tmp_path)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
    finished = subprocess.run([*command, __file__], cwd=REPOSITORY, env=environment, capture_output=True, timeout=300)
    assert finished.returncode == 0, finished.stdout.decode()[-3000:]
    assert [path.read_text().count("CHECKED") for path in sorted(tmp_path.glob("workerlog.*"))] == [1, 1]


if __name__ == "__main__":
    from unimo.training.distributed import start_processes

    group = start_processes()
    check_process(group.rank, group.world_size, group.sum_)
    print("CHECKED", flush=True)
