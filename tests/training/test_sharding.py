"""Of sharing out gradients what needs no GPU: the norm over processes, and steps that are kept from the update."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest
from paddle import Tensor

from tests.conftest import REPOSITORY
from unimo.config.architecture import UnimoConfig
from unimo.config.job import OptimizerConfig
from unimo.modeling import UnimoModel
from unimo.training.distributed import ProcessGroup
from unimo.training.optimizer import AdamW, clip_gradients
from unimo.training.sharding import ShardedAdamW, SharedOutClip

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
    optimizer.clip = optimizer._adamw._grad_clip = SharedOutClip(1.0, lambda tensor: tensor)
    optimizer._updater = optimizer._adamw
    optimizer._wrapped = paddle.nn.Identity()
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


@pytest.fixture
def tiny_model() -> UnimoModel:
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 16}
    return UnimoModel(UnimoConfig(vocab_size=20, image_embedding_size=4, image_class_size=2, **sizes), {"match": 0})


@pytest.mark.parametrize(("stage", "level"), [(2, "os_g"), (3, "p_g_os")])
def test_paddle_is_asked_for_the_stage_once_the_weights_are_filled(
    monkeypatch: pytest.MonkeyPatch, tiny_model: UnimoModel, stage: int, level: str
) -> None:
    asked = []

    def wrap(layer: Any, optimizer: Any, level: str, exclude_layer: Any) -> Any:
        asked.append((level, exclude_layer))
        return layer, optimizer, None

    monkeypatch.setattr("paddle.distributed.sharding.group_sharded_parallel", wrap)
    optimizer = ShardedAdamW(tiny_model, OptimizerConfig(), object(), ProcessGroup(), stage)  # type: ignore[arg-type]
    assert not asked
    optimizer.load_state(AdamW(tiny_model, OptimizerConfig()).state(), "there")
    optimizer.skip()
    assert asked == [(level, [id(tiny_model.text_embeddings.words)])]
    assert optimizer._adamw._grad_clip is optimizer.clip


def test_weights_that_are_shared_out_are_put_together(monkeypatch: pytest.MonkeyPatch, tiny_model: UnimoModel) -> None:
    """Paddle's stage 3 leaves a padded piece of each flat parameter on a process, and clears the parameter."""
    optimizer = ShardedAdamW(tiny_model, OptimizerConfig(), object(), ProcessGroup(), 3)  # type: ignore[arg-type]
    whole = {name: weight.numpy() for name, weight in tiny_model.state_dict().items()}
    name, weight = "layers.0.expand.weight", tiny_model.layers[0].expand.weight
    flat = np.pad(whole[name].reshape(-1), (0, 6))
    pieces = [paddle.to_tensor(piece) for piece in np.split(flat, 2)]
    monkeypatch.setattr(weight, "status", "part", raising=False)
    monkeypatch.setattr(weight, "fw_storage", pieces[0], raising=False)
    monkeypatch.setattr("paddle.distributed.all_gather", lambda given, piece: given.extend(pieces))
    found = optimizer.weights(tiny_model)
    assert all(np.array_equal(found[name].numpy(), values) for name, values in whole.items())


@pytest.mark.multiprocess
def test_two_processes_learn_one_norm_and_both_keep_from_a_step(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "paddle.distributed.launch", "--nproc_per_node", "2", "--log_dir", str(tmp_path)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
    finished = subprocess.run([*command, __file__], cwd=REPOSITORY, env=environment, capture_output=True, timeout=300)
    assert finished.returncode == 0, finished.stdout.decode()[-3000:]
    assert [path.read_text().count("CHECKED") for path in sorted(tmp_path.glob("workerlog.*"))] == [1, 1]


if __name__ == "__main__":
    from unimo.config.job import DistributedConfig
    from unimo.training.distributed import start_processes

    group = start_processes(DistributedConfig())
    check_process(group.rank, group.world_size, group.sum_)
    print("CHECKED", flush=True)
