"""The network's contract: visibility, heads, saving, and what is refused."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import paddle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unimo.errors import InputError
from unimo.kernels import functions
from unimo.modeling import ModelInputs, UnimoConfig, UnimoModel, attention_bias, attention_mask
from unimo.modeling.layers import SelfAttention, fused_attention
from unimo.modeling.linear import Linear
from unimo.modeling.pretrained import load_arrays, read_arrays

CONFIG = UnimoConfig(
    vocab_size=40,
    hidden_size=16,
    num_hidden_layers=2,
    num_attention_heads=2,
    initializer_range=0.2,
    image_embedding_size=6,
    image_class_size=4,
    hidden_dropout_prob=0.0,
    attention_probs_dropout_prob=0.0,
)
HEADS = {"text_pooler": 0, "masked_language": 0, "classifier": 3}


def model_of(config: UnimoConfig = CONFIG, heads: dict[str, int] | None = None) -> UnimoModel:
    paddle.seed(0)
    model = UnimoModel(config, HEADS if heads is None else heads)
    model.eval()
    return model


def text_inputs(ids: list[int], order: list[int] | None = None) -> ModelInputs:
    length = len(ids)
    return ModelInputs(
        segment_ids=paddle.ones([1, length], "int64"),
        order_ids=paddle.to_tensor([order or [0] * length]),
        input_ids=paddle.to_tensor([ids]),
        position_ids=paddle.arange(2, 2 + length).unsqueeze(0),
    )


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), min_size=1, max_size=8))
@settings(max_examples=40, deadline=None)
def test_mask_rule(positions: list[tuple[int, int]]) -> None:
    segments, orders = zip(*positions, strict=True)
    mask = attention_mask(paddle.to_tensor([segments]), paddle.to_tensor([orders])).numpy()[0]
    for query, (segment, order) in enumerate(positions):
        for key, (other_segment, other_order) in enumerate(positions):
            expected = segment == other_segment and other_segment > 0 and other_order <= order
            assert mask[query, key] == expected


def test_a_target_is_causal_and_the_source_does_not_see_it() -> None:
    model, order = model_of(), [0, 0, 0, 1, 2, 3]
    first = model(text_inputs([5, 6, 7, 8, 9, 10], order)).numpy()
    changed_end = model(text_inputs([5, 6, 7, 8, 9, 30], order)).numpy()
    np.testing.assert_allclose(first[0, :5], changed_end[0, :5], atol=1e-6)
    assert np.abs(first[0, 5] - changed_end[0, 5]).max() > 1e-3
    changed_source = model(text_inputs([5, 30, 7, 8, 9, 10], order)).numpy()
    assert np.abs(first[0, 3:] - changed_source[0, 3:]).max(axis=-1).min() > 1e-4


def test_padding_changes_nothing() -> None:
    model, ids = model_of(), [5, 6, 7]
    alone = model(text_inputs(ids)).numpy()
    padded = text_inputs([*ids, 1, 1])
    padded = replace(padded, segment_ids=paddle.to_tensor([[1, 1, 1, 0, 0]]))
    np.testing.assert_allclose(model(padded).numpy()[0, :3], alone[0], atol=1e-6)


def test_save_and_load(tmp_path: Path) -> None:
    model = model_of()
    model.save_pretrained(tmp_path / "model")
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["config.json", "model.safetensors"]
    again = UnimoModel.from_pretrained(tmp_path / "model")
    assert again.config == model.config
    inputs = text_inputs([5, 6, 7])
    np.testing.assert_array_equal(again(inputs).numpy(), model(inputs).numpy())


def test_heads_may_be_added_and_dropped_but_nothing_else(tmp_path: Path) -> None:
    model_of().save_pretrained(tmp_path / "model")
    UnimoModel.from_pretrained(tmp_path / "model", {"text_pooler": 0, "classifier": 5})
    arrays = read_arrays(tmp_path / "model")
    del arrays["layers.0.expand.bias"]
    with pytest.raises(InputError, match=r"missing from the checkpoint: layers\.0\.expand\.bias"):
        load_arrays(model_of(), arrays, "here", HEADS)


def test_another_architecture_is_refused_by_name(tmp_path: Path) -> None:
    model_of().save_pretrained(tmp_path / "model")
    arrays = read_arrays(tmp_path / "model")
    with pytest.raises(InputError, match="another architecture"):
        load_arrays(model_of(replace(CONFIG, num_hidden_layers=1)), arrays, "here", HEADS)
    with pytest.raises(InputError, match=r"shape \(40.*expected \(41"):
        load_arrays(model_of(replace(CONFIG, vocab_size=41)), arrays, "here", HEADS)


@pytest.mark.parametrize("damage", ["truncate", "empty", "config"])
def test_damaged_files_are_named(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "model"
    model_of().save_pretrained(folder)
    weights = folder / "model.safetensors"
    if damage == "config":
        (folder / "config.json").write_text('{"hidden_siz": 3}')
    else:
        weights.write_bytes(b"" if damage == "empty" else weights.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"config\.json" if damage == "config" else r"model\.safetensors"):
        UnimoModel.from_pretrained(folder)


def test_linear_gradients_equal_paddles() -> None:
    paddle.seed(1)
    ours, theirs = Linear(5, 3), paddle.nn.Linear(5, 3)
    theirs.set_state_dict(ours.state_dict())
    gradients = []
    for layer in (ours, theirs):
        inputs = paddle.to_tensor(np.random.default_rng(0).standard_normal((2, 4, 5)).astype("float32"))
        inputs.stop_gradient = False
        (layer(inputs) ** 2).sum().backward()
        gradients.append([inputs.grad.numpy(), layer.weight.grad.numpy(), layer.bias.grad.numpy()])
    for mine, other in zip(*gradients, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("sizes", [{}, {"vocab_size": 1024, "intermediate_size": 2048}])
def test_decoding_reads_copies_that_are_gone_afterwards(sizes: dict[str, int]) -> None:
    """Logits are the same but for rounding, nothing of it is saved, and weights that change are seen again."""
    model = UnimoModel(replace(CONFIG, **sizes), {"masked_language": 0})
    model.eval()
    inputs = ModelInputs(
        segment_ids=paddle.ones([2, 3], "int64"),
        order_ids=paddle.zeros([2, 3], "int64"),
        input_ids=paddle.to_tensor([[1, 2, 3], [4, 5, 6]]),
        position_ids=paddle.to_tensor([[2, 3, 4]] * 2),
    )

    def logits() -> np.ndarray:
        with paddle.no_grad():
            return model.language_logits(model(inputs)[:, 0]).numpy()

    before, names = logits(), set(model.state_dict())
    with model.decoding_weights():
        assert model.layers[0].expand.copies and set(model.state_dict()) == names
        np.testing.assert_allclose(logits(), before, atol=1e-5)
    with pytest.raises(RuntimeError), model.decoding_weights():
        raise RuntimeError
    assert not any(layer.expand.copies for layer in model.layers) and not model.heads["masked_language"].copies
    model.heads["masked_language"].bias.set_value(paddle.ones_like(model.heads["masked_language"].bias))
    np.testing.assert_allclose(logits(), before + 1, atol=1e-5)


@pytest.mark.parametrize("packs", [False, True])
def test_copies_take_the_memory_that_is_told(packs: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Base and large, one layer of all, and the dictionary, which here is small."""
    if not packs:
        monkeypatch.setattr(functions, "packed", lambda weight, transposed: None)
    elif functions.packed(paddle.zeros([64, 64])) is None:
        pytest.skip("oneDNN packs nothing on this processor")
    for width, num_layers in ((768, 12), (1024, 24)):
        heads = width // 64
        model = UnimoModel(UnimoConfig(64, width, 1, heads, image_embedding_size=0), {"masked_language": 0})
        with model.decoding_weights():
            layers = [each for each in model.layers.sublayers() if isinstance(each, Linear)]
            copied = 4 * (num_layers * sum(each.copies[0].num_copied for each in layers) + width * 50_272)
        told = (0.5e9 if packs else 0.27e9) if width == 768 else 1.4e9
        assert copied == pytest.approx(told, rel=0.03), (width, copied)
    assert "up to 0.5 GB for base and 1.4 GB for large" in (UnimoModel.decoding_weights.__doc__ or "")


def test_fused_attention_is_that_of_its_parts() -> None:
    """What GPUs run, on CPU: outputs and gradients, with a bias for every head or one for all."""
    config = UnimoConfig(hidden_size=32, num_attention_heads=4, attention_probs_dropout_prob=0.0)
    attention = SelfAttention(config)
    hidden = paddle.randn([2, 6, 32])
    segments = paddle.to_tensor([[1, 1, 1, 2, 2, 0], [1, 1, 1, 1, 0, 0]])
    orders = paddle.to_tensor([[0, 0, 0, 0, 1, 0], [0, 1, 2, 3, 0, 0]])
    mask = attention_mask(segments, orders)
    valid = (segments > 0).astype("float32").unsqueeze(-1)
    found = []
    for fused, heads in ((False, 4), (True, 4), (True, 1)):
        given = hidden.clone().detach()
        given.stop_gradient = False
        queries, keys, values = attention.project(given)
        bias = attention_bias(mask, heads)
        attended = (
            fused_attention(queries, keys, values, bias, 0.0)
            if fused
            else attention.attend(queries, keys, values, bias)
        )
        output = attention.merge(attended) * valid
        output.square().sum().backward()
        found.append((output.numpy(), given.grad.numpy()))
    for output, gradient in found[1:]:
        np.testing.assert_allclose(output, found[0][0], atol=1e-6)
        np.testing.assert_allclose(gradient, found[0][1], atol=1e-5)


def test_others_may_read_weights_as_far_as_the_umask_lets_them(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        UnimoModel(CONFIG, {}).save_pretrained(tmp_path / "model")
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "model").iterdir()}
    assert modes == {"config.json": 0o640, "model.safetensors": 0o640}
