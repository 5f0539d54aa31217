"""The verbs of `convert` from the command line: what they write works alone, and mistakes are one line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest
from safetensors.numpy import load_file

from tests.conftest import SmallWorld
from tests.conversion.roberta_folder import roberta_arrays, write_dictionary, write_roberta
from tests.tasks.jobs import ARCH, TRAINING, job, write_job
from unimo.cli import main
from unimo.config.architecture import UnimoConfig
from unimo.conversion.fluid import write_fluid_folder
from unimo.conversion.release import to_fluid
from unimo.files import read_json
from unimo.manifest import check_whole
from unimo.modeling import UnimoModel
from unimo.modeling.pretrained import WEIGHTS_NAME, read_arrays, read_config
from unimo.tokenization import UnimoTokenizer

RELEASED_ARCH = {**ARCH, "region_norm": "joint"}


def convert(verb: str, source: Path, output: Path, *flags: str) -> int:
    return main(["convert", verb, str(source), "--output", str(output), *flags])


def write_released(folder: Path, small: SmallWorld, heads: dict[str, int], **changes: Any) -> UnimoModel:
    """A released checkpoint whose dictionary is the small world's."""
    paddle.seed(5)
    size = UnimoTokenizer.from_pretrained(small.tokenizer).vocab_size
    model = UnimoModel(UnimoConfig(**{**RELEASED_ARCH, "vocab_size": size, **changes}), heads)
    arrays = {name: value.numpy() for name, value in model.state_dict().items()}
    write_fluid_folder(to_fluid(arrays, model.config, heads, "model")[0], folder)
    return model


def write_arch(path: Path, **changes: Any) -> Path:
    path.write_text(json.dumps({**RELEASED_ARCH, **changes}))  # yaml, too
    return path


def assert_same_arrays(one: Path, other: Path, name: str = WEIGHTS_NAME) -> None:
    found, expected = load_file(one / name), load_file(other / name)
    assert set(found) == set(expected)
    for key, value in expected.items():
        np.testing.assert_array_equal(found[key], value)


def test_a_converted_checkpoint_works_alone(
    small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = write_released(tmp_path / "fluid", small_world, {"text_pooler": 0, "classifier": 2})
    values = job(small_world, "text_classification", tmp_path / "run", arch=RELEASED_ARCH)
    config = write_job(tmp_path / "job.yaml", values)
    output, arch = tmp_path / "converted", write_arch(tmp_path / "arch.yaml")
    flags = ["--arch", str(arch), "--dictionary", str(small_world.tokenizer), "--config", str(config)]
    assert convert("from-fluid", tmp_path / "fluid", output, *flags) == 0
    text = capsys.readouterr().out
    assert "no image parameters: a model of texts alone" in text and "heads: text_pooler, classifier (2)" in text
    check_whole(output)
    fingerprint = UnimoTokenizer.from_pretrained(small_world.tokenizer).fingerprint
    assert read_config(output)[0].tokenizer_fingerprint == fingerprint
    arrays = read_arrays(output)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(arrays[name], value.numpy())

    assert main(["evaluate", "--checkpoint", str(output)]) == 0
    assert "dev.accuracy: " in capsys.readouterr().out
    request = ["predict", "--task", "text_classification", "--checkpoint", str(output), "--texts", "a circle ||| red"]
    assert main(request) == 0
    assert "label" in capsys.readouterr().out
    del values["tokenizer"]
    started = write_job(tmp_path / "start.yaml", {**values, "init_from": str(output)})
    assert main(["train", "--config", str(started)]) == 0


def test_training_there_and_back(small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    training = {**TRAINING, "evaluate_every": 0, "num_steps": 4}
    values = job(small_world, "text_classification", tmp_path / "run", arch=RELEASED_ARCH, training=training)
    config = write_job(tmp_path / "job.yaml", values)
    assert main(["train", "--config", str(config)]) == 0
    trained = tmp_path / "run" / "checkpoints" / "step-00000004"
    assert convert("to-fluid", trained, tmp_path / "fluid") == 0
    assert "optimizer state of 4 updates" in capsys.readouterr().out

    resumed = tmp_path / "resumed"
    output = resumed / "checkpoints" / "step-00000004"
    flags = ["--arch", str(trained), "--dictionary", str(small_world.tokenizer), "--config", str(config)]
    assert convert("from-fluid", tmp_path / "fluid", output, *flags) == 0
    assert "optimizer state of 4 updates; beta1 0.9, beta2 0.98" in capsys.readouterr().out
    assert_same_arrays(output, trained)
    assert_same_arrays(output, trained, "optimizer.safetensors")

    start = shutil.copytree(output, tmp_path / "start")
    changes = {"output": str(resumed), "init_from": str(start), "training": {**training, "num_steps": 6}}
    assert main(["train", "--config", str(write_job(config, {**values, **changes})), "--resume"]) == 0
    last = resumed / "checkpoints" / "step-00000006"
    assert load_file(last / "optimizer.safetensors")["num_updates"].tolist() == [6]
    assert read_json(last / "state.json")["streams"]

    assert convert("to-fluid", trained, tmp_path / "weights", "--weights-only") == 0
    assert not list((tmp_path / "weights").glob("*moment*"))
    assert convert("from-fluid", tmp_path / "fluid", tmp_path / "light", *flags, "--weights-only") == 0
    assert not (tmp_path / "light" / "state.json").exists()


def test_pretraining_starts_from_roberta(
    small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vocabulary = UnimoTokenizer.from_pretrained(small_world.tokenizer).vocabulary
    arrays = roberta_arrays(len(vocabulary.tokens))
    folder = write_roberta(tmp_path / "roberta", arrays, max_position_embeddings=40)
    write_dictionary(folder, vocabulary)
    arch = write_arch(tmp_path / "arch.yaml", image_embedding_size=32, image_class_size=8)
    flags = ["--dictionary", str(small_world.tokenizer), "--images", "--arch", str(arch), "--seed", "4"]
    assert convert("from-roberta", folder, tmp_path / "start", *flags) == 0
    assert "freshly initialised with seed 4: region_embeddings" in capsys.readouterr().out
    values = job(small_world, "pretraining", tmp_path / "run", init_from=str(tmp_path / "start"), arch=None)
    values["training"] |= {"num_steps": 1, "evaluate_every": 0}
    values["data"] |= {"evaluate": {}, "max_text_length": 38}
    values["tokenizer"] = ""
    assert main(["train", "--config", str(write_job(tmp_path / "job.yaml", values))]) == 0
    config, heads = read_config(tmp_path / "run" / "checkpoints" / "best")
    assert config.region_feature_name == "proposals" and {"match", "regions", "masked_language"} <= set(heads)
    # texts alone need no architecture
    assert convert("from-roberta", folder, tmp_path / "texts", "--dictionary", str(small_world.tokenizer)) == 0
    order = read_json(folder / "vocab.json")
    first, second = list(order)[6:8]
    (folder / "vocab.json").write_text(json.dumps({**order, first: order[second], second: order[first]}))
    capsys.readouterr()
    assert convert("from-roberta", folder, tmp_path / "other", "--dictionary", str(small_world.tokenizer)) == 2
    assert "differs from" in capsys.readouterr().err and not (tmp_path / "other").exists()


def test_released_image_models_refuse_drawn_proposals(
    small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    heads = {"text_pooler": 0, "image_pooler": 0, "match": 0}
    write_released(tmp_path / "fluid", small_world, heads, image_embedding_size=32)
    flags = ["--arch", str(write_arch(tmp_path / "arch.yaml")), "--dictionary", str(small_world.tokenizer)]
    assert convert("from-fluid", tmp_path / "fluid", tmp_path / "out", *flags, "--region-version", "vg-36") == 0
    config, _ = read_config(tmp_path / "out")
    assert (config.region_feature_name, config.region_feature_version) == ("bottom-up-attention", "vg-36")
    values = job(small_world, "retrieval", tmp_path / "run", init_from=str(tmp_path / "out"))
    capsys.readouterr()
    assert main(["train", "--config", str(write_job(tmp_path / "job.yaml", values))]) == 2
    assert "it expects bottom-up-attention features, these are proposals" in capsys.readouterr().err


def test_pdparams_there_and_back(small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = write_released(tmp_path / "fluid", small_world, {"masked_language": 0}, image_embedding_size=32)
    arch = ["--arch", str(write_arch(tmp_path / "arch.yaml"))]
    assert convert("from-fluid", tmp_path / "fluid", tmp_path / "one", *arch) == 0
    file = tmp_path / "one.pdparams"
    assert convert("to-pdparams", tmp_path / "one", file) == 0
    loaded = paddle.load(str(file))
    assert set(loaded) == set(model.state_dict())
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(loaded[name].numpy(), value.numpy())
    for number, source in enumerate((["--arch", str(tmp_path / "one")], arch)):
        assert convert("from-pdparams", file, tmp_path / f"back{number}", *source) == 0
        assert_same_arrays(tmp_path / f"back{number}", tmp_path / "one")
    assert read_config(tmp_path / "back0") == read_config(tmp_path / "one")

    paddle.save({**model.state_dict(), "more": paddle.zeros([2])}, str(tmp_path / "more.pdparams"))
    capsys.readouterr()
    assert convert("from-pdparams", tmp_path / "more.pdparams", tmp_path / "more", *arch) == 2
    assert "more.pdparams: parameters without a place in the model: more; " in capsys.readouterr().err
    assert convert("from-pdparams", tmp_path / "more.pdparams", tmp_path / "more", *arch, "--allow_unused", "more") == 0
    assert "left out: more\n" in capsys.readouterr().out
    fewer = {name: value for name, value in model.state_dict().items() if "positions" not in name}
    paddle.save({**fewer, "odd": paddle.zeros([2], "int64")}, str(tmp_path / "fewer.pdparams"))
    assert convert("from-pdparams", tmp_path / "fewer.pdparams", tmp_path / "fewer", *arch) == 2
    assert "odd: holds int64" in capsys.readouterr().err
    paddle.save(fewer, str(tmp_path / "fewer.pdparams"))
    assert convert("from-pdparams", tmp_path / "fewer.pdparams", tmp_path / "fewer", *arch) == 2
    assert "missing from the file: text_embeddings.positions.weight" in capsys.readouterr().err
    named = ["--allow-missing", "text_embeddings.positions"]
    assert convert("from-pdparams", tmp_path / "fewer.pdparams", tmp_path / "fewer", *arch, *named) == 0


def test_goldens_from_the_command_line(goldens: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, arch = goldens / "model_a" / "fluid_ckpt", ["--arch", str(goldens / "config" / "tiny.json")]
    assert convert("from-fluid", source, tmp_path / "all", *arch) == 2
    assert f"{source}: several classifiers (cls_out_1_, cls_out_3_)" in capsys.readouterr().err
    assert convert("from-fluid", source, tmp_path / "all", *arch, "--allow_unused", "cls_out_1_") == 0
    assert convert("to-fluid", tmp_path / "all", tmp_path / "fluid") == 0
    names = {path.name for path in source.iterdir()} - {"cls_out_1_w", "cls_out_1_b"}
    assert {path.name for path in (tmp_path / "fluid").iterdir()} == names
    for name in names:
        assert (tmp_path / "fluid" / name).read_bytes() == (source / name).read_bytes()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ["--arch", "bas"],
            "--arch: no architecture 'bas'; there are base, large, tiny, or name a .yaml or .json file",
        ),
        (["--arch", "{arch}"], "word_embedding: shape (1000, 64), expected (1000, 32)"),
        (["--arch", "absent.yaml"], "absent.yaml"),
        (["--arch", "{goldens}/model_a/program_params.json"], "program_params.json: model config: no vocab_size"),
        (["--arch", "{tiny}", "--task", "captions"], "task: there is no 'captions'"),
        (["--arch", "{tiny}", "--dictionary", "{world}"], "--dictionary: the dictionary has "),
        (["--arch", "{tiny}", "--task", "retrieval", "--config", "{job}"], "is a job of text_classification"),
        (["--arch", "{tiny}", "--allow-missing"], "--allow_missing: needs a value"),
    ],
)
def test_mistakes_are_one_line_and_write_nothing(
    goldens: Path,
    small_world: SmallWorld,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    flags: list[str],
    message: str,
) -> None:
    config = write_job(tmp_path / "job.yaml", job(small_world, "text_classification", tmp_path / "run"))
    places = {"goldens": goldens, "tiny": goldens / "config" / "tiny.json", "world": small_world.tokenizer}
    arch = write_arch(tmp_path / "arch.yaml")
    filled = [flag.format(**places, job=config, arch=arch) for flag in flags]
    assert convert("from-fluid", goldens / "model_a" / "ckpt_classification_after5", tmp_path / "out", *filled) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"job.yaml", "arch.yaml"}


def test_a_damaged_variable_is_named(goldens: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = shutil.copytree(goldens / "model_a" / "ckpt_classification_after5", tmp_path / "fluid")
    path = folder / "pos_embedding_moment1_0"
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[:-4])
    flags = ["--arch", str(goldens / "config" / "tiny.json")]
    assert convert("from-fluid", folder, tmp_path / "out", *flags) == 2
    assert f"{path}: truncated" in capsys.readouterr().err
    assert convert("from-fluid", folder, tmp_path / "out", *flags, "--weights-only") == 0


def test_nothing_is_written_over(goldens: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").write_text("x")
    for verb, flags in (
        ("from-fluid", ["--arch", "base"]),
        ("to-fluid", []),
        ("from-roberta", ["--dictionary", "x"]),
        ("to-pdparams", []),
        ("from-pdparams", ["--arch", "base"]),
    ):
        assert convert(verb, goldens, tmp_path / "mine", *flags) == 2
        assert f"{tmp_path / 'mine'}: is there already" in capsys.readouterr().err
        assert main(["convert", verb, "--output", "x", *flags]) == 2
        assert "SOURCE: missing" in capsys.readouterr().err
