"""Released checkpoints: to our model and back bit for bit, optimizer state included; what does not fit is named."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import paddle
import pytest

from unimo.config.architecture import UnimoConfig
from unimo.config.job import OptimizerConfig
from unimo.conversion.fluid import IGNORED_NAMES, FluidCheckpoint, read_fluid_folder
from unimo.conversion.release import PROGRAMS, from_fluid, to_fluid
from unimo.conversion.release_names import config_from_release, our_name
from unimo.errors import InputError
from unimo.training.optimizer import AdamW

PROGRAM_OF_TASK = {
    "text_classification": "classification(num_labels=3)",
    "text_regression": "regression",
    "text_generation": "seq2seq_dialog",
    "captioning": "img2txt",
    "retrieval": "retrieval",
    "visual_entailment": "visual_entailment",
}
ALL_PROGRAMS = [*PROGRAM_OF_TASK.values(), "seq2seq", "Seq2Seq_decode", "Img2Txt_decode"]


@pytest.fixture(scope="module")
def config(goldens: Path) -> UnimoConfig:
    return config_from_release(json.loads((goldens / "config" / "tiny.json").read_text()))


@pytest.fixture(scope="module")
def everything(goldens: Path) -> FluidCheckpoint:
    """Parameters of all six programs at once."""
    return read_fluid_folder(goldens / "model_a" / "fluid_ckpt")


@pytest.fixture(scope="module")
def trained(goldens: Path) -> FluidCheckpoint:
    """Classification after five steps, with optimizer state."""
    return read_fluid_folder(goldens / "model_a" / "ckpt_classification_after5")


def parameters_of(goldens: Path, program: str) -> set[str]:
    names = json.loads((goldens / "model_a" / "program_params.json").read_text())[program]
    return set(names) - set(IGNORED_NAMES)


def only(checkpoint: FluidCheckpoint, names: set[str]) -> FluidCheckpoint:
    return FluidCheckpoint({name: checkpoint.parameters[name] for name in names})


def assert_equal(found: FluidCheckpoint, expected: FluidCheckpoint) -> None:
    assert found.step == expected.step
    pairs = zip(
        (found.parameters, *found.optimizer_parts), (expected.parameters, *expected.optimizer_parts), strict=True
    )
    for ours, theirs in pairs:
        assert set(ours) == set(theirs)
        for name, value in theirs.items():
            assert ours[name].dtype == value.dtype and ours[name].shape == value.shape
            np.testing.assert_array_equal(ours[name], value)


def there_and_back(checkpoint: FluidCheckpoint, config: UnimoConfig, task: str = "") -> FluidCheckpoint:
    converted = from_fluid(checkpoint, config, "folder", task)
    arrays = {name: value.numpy() for name, value in converted.model.state_dict().items()}
    model = converted.model
    return to_fluid(arrays, model.config, model.head_sizes, "folder", converted.optimizer)[0]


@pytest.mark.parametrize("program", ALL_PROGRAMS)
def test_every_program_there_and_back(
    goldens: Path, config: UnimoConfig, everything: FluidCheckpoint, program: str
) -> None:
    checkpoint = only(everything, parameters_of(goldens, program))
    assert_equal(there_and_back(checkpoint, config), checkpoint)


@pytest.mark.parametrize("task", list(PROGRAMS))
def test_a_task_takes_its_program_out_of_a_folder_of_all(
    goldens: Path, config: UnimoConfig, everything: FluidCheckpoint, task: str
) -> None:
    expected = only(everything, parameters_of(goldens, PROGRAM_OF_TASK[task]))
    assert_equal(there_and_back(everything, config, task), expected)
    note = from_fluid(everything, config, "folder", task).notes[0]
    assert note.startswith(f"not used by {task}, left out: ")


def test_optimizer_state_there_and_back(config: UnimoConfig, trained: FluidCheckpoint) -> None:
    assert_equal(there_and_back(trained, config), dataclasses.replace(trained, ignored=()))


def test_restored_optimizer_continues(goldens: Path, config: UnimoConfig, trained: FluidCheckpoint) -> None:
    converted = from_fluid(trained, config, "folder")
    assert converted.notes == (
        "no image parameters: a model of texts alone",
        "left out: scheduled_learning_rate",
        "optimizer state of 5 updates; beta1 0.9, beta2 0.98",
    )
    optimizer = AdamW(converted.model, OptimizerConfig(weight_decay=0.0, max_grad_norm=0.0))
    # a state that was never restored names no parameter until the first update
    optimizer.load_state(converted.optimizer, "folder")
    query = "encoder_layer_1_multi_head_att_query_fc.w_0"
    gradient = 0.5
    for parameter in converted.model.parameters():
        parameter.grad = paddle.full_like(parameter, gradient)
    optimizer.step(1e-3)
    # Adam's sixth update by hand (ORIGINAL section 4: epsilon beside the uncorrected root)
    moment1 = 0.9 * trained.moment1[query] + 0.1 * gradient
    moment2 = 0.98 * trained.moment2[query] + 0.02 * gradient**2
    rate = 1e-3 * np.sqrt(1 - 0.98**6) / (1 - 0.9**6)
    expected = trained.parameters[query] - rate * moment1 / (np.sqrt(moment2) + 1e-6)
    found = converted.model.state_dict()["layers.1.attention.qkv.weight"].numpy()[:, :64]
    np.testing.assert_allclose(found, expected, atol=1e-7)
    state = optimizer.state()
    assert state["num_updates"][0] == 6
    np.testing.assert_allclose(state["layers.1.attention.qkv.weight_moment1_0"][:, :64], moment1, atol=1e-8)
    assert state["layers.1.attention.qkv.weight_beta2_pow_acc_0"][0] == pytest.approx(0.98**7)


def test_a_checkpoint_without_a_counter(config: UnimoConfig, trained: FluidCheckpoint) -> None:
    uncounted = dataclasses.replace(trained, step=None)
    with pytest.raises(InputError, match="folder: optimizer state without a step counter: give --num-updates"):
        from_fluid(uncounted, config, "folder")
    assert from_fluid(uncounted, config, "folder", num_updates=5).num_updates == 5


def test_broken_optimizer_state(config: UnimoConfig, trained: FluidCheckpoint) -> None:
    partial = dataclasses.replace(trained, moment2={**trained.moment2})
    del partial.moment2["pos_embedding"]  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="optimizer state is incomplete for pos_embedding"):
        from_fluid(partial, config, "folder")
    key = "encoder_layer_0_multi_head_att_key_fc.w_0"
    odd = dataclasses.replace(trained, beta1_powers={**trained.beta1_powers, key: np.ones(1, np.float32)})
    with pytest.raises(InputError, match=r"_fc.w_0_beta1_pow_acc_0: query, key and value differ in it"):
        from_fluid(odd, config, "folder")
    parts = [{name: value for name, value in part.items() if name != key} for part in trained.optimizer_parts]
    parts = [{name: value for name, value in part.items() if not name.startswith("cls_out")} for part in parts]
    with pytest.raises(InputError, match=r"layers.0.attention.qkv.weight: no key"):
        from_fluid(FluidCheckpoint(trained.parameters, *parts, step=5), config, "folder")  # type: ignore[misc]


def test_heads_beyond_the_task_have_no_state(config: UnimoConfig, trained: FluidCheckpoint) -> None:
    parts = [{name: v for name, v in part.items() if not name.startswith("cls")} for part in trained.optimizer_parts]
    untrained = FluidCheckpoint(trained.parameters, *parts, step=5)  # type: ignore[misc]
    converted = from_fluid(untrained, config, "folder")
    assert converted.notes[-1] == "no optimizer state for: cls_out_3_b, cls_out_3_w"
    assert_equal(there_and_back(untrained, config), untrained)


def test_two_classifiers_need_a_choice(config: UnimoConfig, everything: FluidCheckpoint) -> None:
    with pytest.raises(InputError, match=r"^folder: several classifiers \(cls_out_1_, cls_out_3_\): choose by --task"):
        from_fluid(everything, config, "folder")
    converted = from_fluid(everything, config, "folder", allow_unused=["cls_out_1_"])
    assert converted.model.head_sizes["classifier"] == 3
    assert set(converted.model.head_sizes) == {
        "text_pooler", "image_pooler", "masked_language", "match", "classifier", "entailment"
    }  # fmt: skip
    assert "left out: cls_out_1_b, cls_out_1_w" in converted.notes


def test_left_over_names_are_errors_unless_named(config: UnimoConfig, trained: FluidCheckpoint) -> None:
    more = FluidCheckpoint({**trained.parameters, "loss_scaling_0": np.ones(1, np.float32)})
    with pytest.raises(InputError, match=r"without a place in the model: loss_scaling_0; .* --allow_unused"):
        from_fluid(more, config, "folder")
    assert "left out: loss_scaling_0" in from_fluid(more, config, "folder", allow_unused=["loss_scaling"]).notes
    deeper = dataclasses.replace(config, num_hidden_layers=1)
    with pytest.raises(InputError, match=r"no place for: encoder_layer_1_.* --allow_unused") as caught:
        from_fluid(FluidCheckpoint(trained.parameters), deeper, "folder")
    assert "\n" not in str(caught.value)
    converted = from_fluid(FluidCheckpoint(trained.parameters), deeper, "folder", allow_unused=["encoder_layer_1_"])
    assert converted.model.config.num_hidden_layers == 1


def test_missing_names_are_errors_unless_named(config: UnimoConfig, trained: FluidCheckpoint) -> None:
    fewer = FluidCheckpoint({k: v for k, v in trained.parameters.items() if not k.startswith("pos_")})
    with pytest.raises(InputError, match=r"missing from the checkpoint: pos_embedding; .* --allow-missing"):
        from_fluid(fewer, config, "folder")
    found = from_fluid(fewer, config, "folder", allow_missing=["pos_"], seed=7)
    again = from_fluid(fewer, config, "folder", allow_missing=["pos_embedding"], seed=7)
    positions = "text_embeddings.positions.weight"
    assert f"freshly initialised with seed 7: {positions}" in found.notes
    fresh = found.model.state_dict()[positions].numpy()
    np.testing.assert_array_equal(fresh, again.model.state_dict()[positions].numpy())
    assert 0.01 < fresh.std() < 0.03
    broken = FluidCheckpoint({k: v for k, v in trained.parameters.items() if "0_multi_head_att_key_fc.b" not in k})
    with pytest.raises(InputError, match=r"missing from the checkpoint: encoder_layer_0_multi_head_att_key_fc.b_0"):
        from_fluid(broken, config, "folder")


@pytest.mark.parametrize(
    "name", ["word_embedding", "encoder_layer_1_multi_head_att_value_fc.b_0", "encoder_layer_0_ffn_fc_0.w_0"]
)
def test_a_wrong_shape_names_the_file(config: UnimoConfig, trained: FluidCheckpoint, name: str) -> None:
    cut = FluidCheckpoint({**trained.parameters, name: trained.parameters[name][..., :-1]})
    with pytest.raises(InputError, match=rf"^folder/{name}: shape .* expected .* in this architecture$"):
        from_fluid(cut, config, "folder")


def test_a_task_that_does_not_fit(config: UnimoConfig, trained: FluidCheckpoint) -> None:
    for task, message in (
        ("summarization", "there is no 'summarization' in the release"),
        ("captioning", "missing from the checkpoint: image_emb.b_0, .*mask_lm_out_fc.b_0"),
        ("text_regression", "no cls_out_<labels>_w for the task text_regression"),
    ):
        with pytest.raises(InputError, match=message):
            from_fluid(FluidCheckpoint(trained.parameters), config, "folder", task)


def test_what_the_config_leaves_open(config: UnimoConfig, everything: FluidCheckpoint) -> None:
    open_config = dataclasses.replace(config, vocab_size=0, image_embedding_size=0, region_feature_version="vg-36")
    seen = from_fluid(everything, open_config, "folder", "retrieval").model.config
    assert (seen.vocab_size, seen.image_embedding_size, seen.image_class_size) == (1000, 32, 0)
    assert (seen.region_feature_name, seen.region_feature_version) == ("bottom-up-attention", "vg-36")
    assert (seen.num_roles, seen.num_turns) == (0, 0)
    spoken = from_fluid(everything, open_config, "folder", "text_generation").model.config
    assert (spoken.num_roles, spoken.num_turns, spoken.image_embedding_size) == (3, 16, 0)
    assert (spoken.region_feature_name, spoken.region_feature_version) == ("", "")


def test_what_the_original_cannot_express(config: UnimoConfig) -> None:
    arrays = {"heads.answers.dense.bias": np.zeros(3, np.float32), "text_embeddings.words.weight": np.zeros((2, 3))}
    with pytest.raises(InputError, match=r"place in the original: heads.answers.dense.bias; .* --allow_unused"):
        to_fluid(arrays, config, {"answers": 3}, "folder")
    checkpoint, notes = to_fluid(arrays, config, {"answers": 3}, "folder", allow_unused=["heads.answers."])
    assert set(checkpoint.parameters) == {"word_embedding"} and notes == ("left out: heads.answers.dense.bias",)
    for change in ({"region_norm": "separate"}, {"location_frequencies": 2}, {"intermediate_size": 100}):
        key = next(iter(change))
        with pytest.raises(InputError, match=f"folder: {key}: .* the original knows only"):
            to_fluid({}, dataclasses.replace(config, **change), {}, "folder")  # type: ignore[arg-type]


def test_every_released_name_has_a_place(everything: FluidCheckpoint) -> None:
    assert [name for name in everything.parameters if our_name(name) is None] == []
