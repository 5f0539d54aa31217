"""Where the compiled loops are used, and that a model computes the same without them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import paddle
import pytest
from paddle import Tensor

from unimo import kernels
from unimo.generation import BeamSettings, beam_search
from unimo.kernels import can_work_on
from unimo.modeling import ModelInputs, UnimoConfig, UnimoModel, gather_rows
from unimo.modeling.layers import LayerCache
from unimo.objectives import language_loss
from unimo.runtime import setting_states

CONFIG = UnimoConfig(
    vocab_size=90,
    hidden_size=24,
    num_hidden_layers=2,
    num_attention_heads=3,
    image_embedding_size=6,
    image_class_size=4,
    hidden_dropout_prob=0.0,
    attention_probs_dropout_prob=0.0,
)


def model() -> UnimoModel:
    paddle.seed(3)
    return UnimoModel(CONFIG, {"masked_language": 0})


def inputs() -> ModelInputs:
    rng = np.random.default_rng(5)
    segments = np.ones((2, 9), np.int64)
    segments[1, 7:] = 0
    return ModelInputs(
        segment_ids=paddle.to_tensor(segments),
        order_ids=paddle.to_tensor(np.tile([0, 0, 0, 0, 0, 0, 1, 2, 3], (2, 1))),
        input_ids=paddle.to_tensor(rng.integers(3, 90, (2, 6))),
        position_ids=paddle.to_tensor(np.tile(np.arange(2, 8), (2, 1))),
        region_features=paddle.to_tensor(rng.standard_normal((2, 3, 6)).astype(np.float32)),
        region_locations=paddle.to_tensor(rng.random((2, 3, 5)).astype(np.float32)),
    )


def loss_and_gradients() -> tuple[float, dict[str, np.ndarray]]:
    network = model()
    network.train()
    states = gather_rows(network(inputs()), paddle.to_tensor([3, 4, 12]))
    loss = language_loss(network.language_logits(states), paddle.to_tensor([5, 6, 7]))
    loss.backward()
    gradients = {name: each.grad.numpy() for name, each in network.named_parameters() if each.grad is not None}
    return float(loss), gradients


def test_a_models_loss_and_gradients_are_the_same_without_them(go_plain: Callable[[], None]) -> None:
    assert can_work_on(paddle.zeros([1]))
    loss, gradients = loss_and_gradients()
    go_plain()
    other, expected = loss_and_gradients()
    assert loss == pytest.approx(other, rel=1e-6)
    assert set(gradients) == set(expected)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(gradient, expected[name], rtol=1e-4, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("copies", [False, True])
def test_decoding_finds_the_same_without_them(copies: bool, go_plain: Callable[[], None]) -> None:
    settings = BeamSettings(beam_size=4, max_length=20)

    def found() -> list[list[tuple[int, ...]]]:
        network = model()
        network.eval()
        if not copies:
            hypotheses = beam_search(network, inputs(), settings, 0, 2)
        else:
            with network.decoding_weights():
                hypotheses = beam_search(network, inputs(), settings, 0, 2)
        return [[each.token_ids for each in example] for example in hypotheses]

    compiled = found()
    go_plain()
    assert compiled == found()


def test_they_are_for_float32_on_cpu_that_is_computed_at_once() -> None:
    assert setting_states()[kernels.SETTING] == "applied"
    assert not can_work_on(paddle.zeros([2], "float64"))
    found: list[bool] = []

    def traced(values: Tensor) -> Tensor:
        found.append(can_work_on(values))
        return values + 1

    spec = paddle.static.InputSpec([2], "float32")
    _ = paddle.jit.to_static(traced, input_spec=[spec], full_graph=True).concrete_program  # type: ignore[attr-defined]
    assert found == [False]


def test_a_numba_that_cannot_be_imported_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    kernels._are_there.cache_clear()
    monkeypatch.setitem(sys.modules, "numba", None)  # an import of it fails
    try:
        with pytest.warns(UserWarning, match="compiled_loops: numba cannot be used"):
            assert not can_work_on(paddle.zeros([1]))
        assert not can_work_on(paddle.zeros([1]))
    finally:
        kernels._are_there.cache_clear()


def test_where_nothing_can_be_written_the_loops_are_compiled_anew_and_it_is_told(tmp_path: Path) -> None:
    """numba is left no place that it would keep compiled code in."""
    code = "import numba.core.caching as c\nc.CacheImpl._locator_classes = []\n" + GELU
    command = [sys.executable, "-c", code]
    finished = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert finished.returncode == 0, finished.stderr
    assert float(finished.stdout) == pytest.approx(4 * 2.99595, rel=1e-4)
    assert finished.stderr.count("loops are compiled anew, in every process") == 1


GELU = """
import unimo, paddle
from unimo import kernels
assert kernels.can_work_on(paddle.zeros([1]))
print(float(kernels.functions.gelu(paddle.zeros([1, 4]), paddle.full([4], 3.0)).sum()))
"""


@pytest.mark.slow
@pytest.mark.parametrize("damaged", ["*.nbi", "*.nbc"])
def test_damaged_files_of_compiled_code_are_told_and_made_anew(damaged: str, tmp_path: Path) -> None:
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    told = []
    for attempt in range(3):
        finished = subprocess.run(
            [sys.executable, "-c", GELU], capture_output=True, text=True, env=environment, check=False
        )
        assert finished.returncode == 0, finished.stderr
        assert float(finished.stdout) == pytest.approx(4 * 2.99595, rel=1e-4)
        told.append("what was kept of them cannot be read" in finished.stderr)
        if attempt == 0:
            (file,) = tmp_path.rglob(f"loops.gelu-{damaged}")
            file.write_bytes(file.read_bytes()[: 0 if damaged == "*.nbi" else 100])
    assert told == [False, True, False]


def test_where_compiled_code_cannot_be_written_it_is_told_and_done_without(tmp_path: Path) -> None:
    code = "import numba.core.caching as c\ndef full(*a): raise OSError(28, 'No space left on device')\n"
    code += "c.IndexDataCacheFile.save = full\n" + GELU
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False
    )
    assert finished.returncode == 0, finished.stderr
    assert "they cannot be kept ([Errno 28] No space left on device)" in finished.stderr


def test_a_graph_that_nobody_goes_back_through_is_freed() -> None:
    """Resident memory does not grow by what evaluation with gradients on leaves behind: 4 MB a call here."""
    (logits,) = (paddle.rand([1, 4, 512, 512]) for _ in range(1))
    logits.stop_gradient, bias = False, paddle.zeros([1, 1, 512, 512])
    before = 0
    for number in range(60):
        kernels.functions.attention_weights(logits, bias, 0.0)
        if number == 19:
            before = resident()
    assert resident() - before < 40 << 20


def resident() -> int:
    """Bytes."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["VmRSS"].split()[0]) << 10


@pytest.mark.parametrize("heads", [1, 3])
def test_a_decoding_step_takes_a_bias_for_every_head_and_gives_gradients(heads: int) -> None:
    """Where the compiled step does not know how, Paddle's operations do it."""
    network = model()
    network.eval()
    rng = np.random.default_rng(8)
    state, hidden = rng.standard_normal((4, 2, 3, 4, 8)).astype(np.float32), paddle.rand([2, 5, 24])
    hidden_places = rng.random((2, 1, 5, 9)) < 0.5
    hidden_places[..., -1] = False
    bias = paddle.to_tensor(np.where(hidden_places, np.float32(-1e4), np.float32(0)).repeat(heads, axis=1))

    def stepped() -> Tensor:
        cache = LayerCache(*(paddle.to_tensor(each) for each in state[:2]))
        return network.layers[0].step(hidden, cache, bias)

    with paddle.no_grad():
        found = stepped().numpy()
    hidden.stop_gradient = False
    with_graph = stepped()
    np.testing.assert_allclose(found, with_graph.numpy(), atol=1e-5)
    with_graph.sum().backward()
    assert network.layers[0].attention.qkv.weight.grad[:, 24:].abs().sum() > 0  # through keys and values
