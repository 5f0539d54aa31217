"""The network computes what the original computed: forward outputs of four programs, at most 1e-4 apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import paddle
import paddle.nn.functional as F

from tests.parity.release import release_model, valid_inputs
from unimo.modeling import ModelInputs, UnimoModel, gather_rows
from unimo.objectives import language_loss

TOLERANCE = 1e-4


def assert_states_equal(hidden: paddle.Tensor, golden: np.ndarray, inputs: ModelInputs) -> None:
    valid = inputs.segment_ids.numpy() > 0
    difference = np.abs(hidden.numpy() - golden)[valid]
    assert difference.max() < TOLERANCE


def test_classification(goldens: Path) -> None:
    data = np.load(goldens / "model_a" / "classification.npz")
    model = release_model(goldens, "classification(num_labels=3)")
    inputs = valid_inputs(data["b0.src_ids"], data["b0.pos_ids"], data["b0.input_mask"])
    hidden = model(inputs)
    assert_states_equal(hidden, data["fwd0.enc_out"], inputs)
    probabilities = F.softmax(model.heads["classifier"](model.pool_text(hidden, inputs))).numpy()
    assert np.abs(probabilities - data["fwd0.probs"]).max() < TOLERANCE


def test_retrieval(goldens: Path) -> None:
    data = np.load(goldens / "model_a" / "retrieval.npz")
    model = release_model(goldens, "retrieval")
    inputs = valid_inputs(
        data["t0.src_ids"],
        data["t0.pos_ids"],
        data["t0.input_mask"],
        region_features=data["t0.image_embedding"],
        region_locations=data["t0.image_loc"],
    )
    hidden = model(inputs)
    assert_states_equal(hidden, data["fwd0.enc_out"], inputs)
    assert np.abs(model.match(hidden, inputs).numpy() - data["fwd0.score"].reshape(-1)).max() < TOLERANCE


def assert_language_outputs_equal(
    model: UnimoModel, inputs: ModelInputs, data: dict, case: tuple[str, str], text_start: int, smoothing: float = 0.0
) -> None:
    """Logits and loss at the target positions, which the original counts from ``text_start`` in each row."""
    hidden = model(inputs)
    length = hidden.shape[1]
    positions = data[f"{case[0]}.tgt_pos"].reshape(-1).astype("int64")
    text_length = length - text_start
    rows = paddle.to_tensor(positions // text_length * length + text_start + positions % text_length)
    labels = paddle.to_tensor(data[f"{case[0]}.tgt_labels"].reshape(-1).astype("int64"))
    logits = model.language_logits(gather_rows(hidden, rows))
    assert np.abs(logits.numpy() - data[f"{case[1]}.logits"]).max() < TOLERANCE
    assert abs(float(language_loss(logits, labels, smoothing)) - float(data[f"{case[1]}.loss"][0])) < TOLERANCE


def test_sequence_to_sequence(goldens: Path) -> None:
    data = np.load(goldens / "model_a" / "seq2seq.npz")
    model = release_model(goldens, "seq2seq")
    for batch in ("0", "1"):
        case = (f"nols.b{batch}", f"nols.fwd{batch}")
        inputs = valid_inputs(*(data[f"{case[0]}.{name}"] for name in ("src_ids", "pos_ids", "input_mask")))
        assert_language_outputs_equal(model, inputs, data, case, text_start=0)


def test_captioning_with_object_tags(goldens: Path) -> None:
    data = np.load(goldens / "model_a" / "img2txt.npz")
    model = release_model(goldens, "img2txt")
    inputs = valid_inputs(
        np.concatenate([data["b0.obj_ids"], data["b0.token_ids"]], axis=1),
        np.concatenate([data["b0.obj_pos_ids"], data["b0.pos_ids"]], axis=1),
        data["b0.input_mask"],
        region_features=data["b0.image_embedding"],
        region_locations=data["b0.image_loc"],
    )
    hidden = model(inputs)
    assert_states_equal(hidden, data["plain.fwd0.enc_out"], inputs)
    num_given = data["b0.image_embedding"].shape[1] + data["b0.obj_ids"].shape[1]
    assert_language_outputs_equal(model, inputs, data, ("b0", "plain.fwd0"), num_given, smoothing=0.1)
