"""Exported programs give what the network gives, whatever the shapes."""

from __future__ import annotations

import importlib.util
import json
import sys
import warnings
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import paddle
import pytest

from tests.conftest import SmallWorld
from unimo.cli import main
from unimo.cli.export import _search
from unimo.data.batch import collate
from unimo.data.examples import Example, RegionInput, Vocabulary, text_example, with_regions
from unimo.generation import BeamSettings, beam_search
from unimo.generation.decoding import DecodingSettings
from unimo.inference.export import export_checkpoint, missing_for_onnx, network_outputs, random_arrays
from unimo.inference.exported import ExportedDecoder, ExportedModel, ExportedState
from unimo.inference.programs import build_programs
from unimo.modeling import ModelInputs, UnimoConfig, UnimoModel, decoding_state
from unimo.tokenization import UnimoTokenizer
from unimo.training.task import model_inputs

HEADS = dict.fromkeys(("text_pooler", "image_pooler", "match", "masked_language"), 0)
FEATURES = 6
TEXTS = ["a red circle", "a blue star above a green square", "left"]


def save_checkpoint(folder: Path, small: SmallWorld, heads: dict[str, int], **sizes: int) -> UnimoModel:
    paddle.seed(3)
    tokenizer = UnimoTokenizer.from_pretrained(small.tokenizer)
    known = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "image_embedding_size": FEATURES}
    config = UnimoConfig(vocab_size=tokenizer.vocab_size, initializer_range=0.4, **{**known, **sizes})
    model = UnimoModel(config, heads)
    model.eval()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model


def random_images(*sizes: int) -> list[RegionInput]:
    rng = np.random.default_rng(1)
    return [
        RegionInput(rng.random((n, FEATURES), np.float32), rng.random((n, 5), np.float32), np.zeros((n - 1, 4)))
        for n in sizes
    ]


@pytest.fixture(scope="module")
def exported(small_world: SmallWorld, tmp_path_factory: pytest.TempPathFactory) -> tuple[UnimoModel, ExportedModel]:
    folder = tmp_path_factory.mktemp("export")
    model = save_checkpoint(folder / "checkpoint", small_world, HEADS)
    flags = ["--checkpoint", str(folder / "checkpoint"), "--output", str(folder / "exported"), "--onnx", "false"]
    assert main(["export", *flags]) == 0
    return model, ExportedModel(folder / "exported")


def examples(model: ExportedModel, images: list[RegionInput]) -> list[Example]:
    t = model.tokenizer
    vocabulary = Vocabulary(t.vocab_size, t.cls_id, t.pad_id, t.sep_id, t.mask_id)
    texts = [text_example("", [t.encode(text)], vocabulary, 64) for text in TEXTS]
    return [with_regions(text, image) for text, image in zip(texts, images, strict=True)]


def test_encoders_and_matching(exported: tuple[UnimoModel, ExportedModel]) -> None:
    network, model = exported
    images = random_images(3, 7, 4)
    pairs = examples(model, images)
    batch = collate(pairs, model.tokenizer.pad_id)
    inputs = model_inputs(batch)
    with paddle.no_grad():
        hidden = network(inputs)
        alone = network.pool_image(network(model_inputs(collate([Example("", regions=images[1])], 0))))
        expected = network.match(hidden, inputs).numpy()
    states = model.program("pair").run(vars(batch))["states"]
    assert np.abs(states - hidden.numpy()).max() < 1e-5
    scores = model.match(images, TEXTS)
    assert np.abs(scores - expected).max() < 1e-5
    assert np.ptp(scores) > 1e-3  # the scores tell pairs apart, so agreement means something
    assert np.abs(model.encode_images(images)[1] - alone.numpy()[0]).max() < 1e-5
    vectors = model.encode_texts(TEXTS)
    assert np.abs(vectors[2] - model.encode_texts(TEXTS[2:])[0]).max() < 1e-5  # padding changes nothing
    assert vectors.shape == (3, 16) and model.encode_texts([]).size == 0


@pytest.mark.parametrize("prefix", ["text_prefix", "image_prefix", "pair_prefix"])
def test_steps_with_their_cache(
    exported: tuple[UnimoModel, ExportedModel], prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding_state, "FEWEST_SLOTS", 5)  # from the third step on
    network, model = exported
    decoder = ExportedDecoder(model, prefix)
    given = examples(model, random_images(3, 7, 4))
    if prefix == "text_prefix":
        given = [Example("", e.token_ids, e.position_ids, e.order_ids) for e in given]
    elif prefix == "image_prefix":
        given = [Example("", regions=e.regions) for e in given]
    inputs = model_inputs(collate(given, model.tokenizer.pad_id))
    rng = np.random.default_rng(4)
    with paddle.no_grad():
        ours, theirs = network.start_decoding(inputs), decoder.start_decoding(inputs)
        for number in range(6):
            beams = 1 if number == 0 else 3
            ids = paddle.to_tensor(rng.integers(3, 100, (3, beams)))
            step = ModelInputs(ids, ids, ids, paddle.full([3, beams], 2 + number, "int64"))
            states = network.decode_step(step, ours)
            expected = network.language_logits(states.reshape([-1, 16])).numpy()
            found = decoder.decode_step(step, theirs).numpy().reshape(expected.shape)
            assert np.abs(found - expected).max() < 1e-5 * max(1.0, np.abs(expected).max())
            parents = rng.integers(0, beams, (3, 3))
            ours.follow(parents)
            theirs.follow(parents)
    for slots in theirs.slots.values():
        assert slots.shape[2] == theirs.visible.shape[2] - theirs.prefix_length < 1 + 1 + 5 * 3


def test_captions_are_those_of_the_network(exported: tuple[UnimoModel, ExportedModel]) -> None:
    network, model = exported
    images, settings = random_images(3, 7), BeamSettings(beam_size=3, max_length=6)
    inputs = model_inputs(collate([Example("", regions=image) for image in images], 0))
    start, end = model.tokenizer.cls_id, model.tokenizer.sep_id
    expected = beam_search(network, inputs, settings, start, end)
    found = beam_search(ExportedDecoder(model, "image_prefix"), inputs, settings, start, end)
    assert [[h.token_ids for h in each] for each in found] == [[h.token_ids for h in each] for each in expected]
    assert len(model.caption(images, settings)) == 2


def test_captions_are_searched_in_batches_of_similar_length(
    exported: tuple[UnimoModel, ExportedModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, model = exported
    images, settings = random_images(3, 7, 4, 6, 3), BeamSettings(beam_size=3, max_length=6)
    together = model.caption(images, settings)
    shapes: list[tuple[int, int]] = []
    start = ExportedDecoder.start_decoding

    def counted(decoder: ExportedDecoder, inputs: ModelInputs) -> ExportedState:
        rows, regions = inputs.segment_ids.shape
        shapes.append((rows, regions))
        return start(decoder, inputs)

    monkeypatch.setattr(ExportedDecoder, "start_decoding", counted)
    monkeypatch.setattr("unimo.inference.exported.TOKENS_PER_BATCH", 3 * 12)
    assert model.caption(images, settings) == together
    assert shapes == [(3, 4), (1, 6), (1, 7)]  # a beam of 3 over rows times regions within the budget
    assert len(set(together)) > 1
    assert model.caption([], settings) == []


def test_the_manifest(exported: tuple[UnimoModel, ExportedModel]) -> None:
    _, model = exported
    manifest = json.loads((model.folder / "export.json").read_text())
    assert set(manifest["programs"]) == {
        *("text", "image", "pair", "match"),
        *("text_prefix", "image_prefix", "pair_prefix", "step"),
    }
    first = manifest["programs"]["pair"]["inputs"]
    assert first[0] == {"name": "segment_ids", "shape": [None, None], "dtype": "int64"}
    assert first[3] == {"name": "region_features", "shape": [None, None, FEATURES], "dtype": "float32"}
    assert max(manifest["differences"].values()) < 1e-5
    assert manifest["tokenizer"] == "tokenizer.json" and manifest["detector"] is None
    assert manifest["versions"]["paddlepaddle"] == paddle.__version__
    assert len(manifest["checkpoint"]["fingerprint"]) == 64


def test_a_text_model_and_chosen_programs(
    small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_checkpoint(tmp_path / "checkpoint", small_world, {"text_pooler": 0}, image_embedding_size=0)
    flags = ["export", "--checkpoint", str(tmp_path / "checkpoint"), "--output", str(tmp_path / "exported")]
    assert main([*flags, "--programs", "match"]) == 2
    assert "allows text, not 'match' (its heads: text_pooler)" in capsys.readouterr().err
    assert not (tmp_path / "exported").exists()
    assert main(flags) == 0
    out = capsys.readouterr().out
    assert "text: largest difference" in out
    assert not missing_for_onnx() or "no ONNX: paddle2onnx is not installed" in out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint", "exported"]
    (tmp_path / "exported" / "export.json").write_text("{}")
    assert main(["export", "--checkpoint", str(tmp_path / "checkpoint"), "--output", str(tmp_path / "checkpoint")]) == 2
    assert "is there already, and is no export" in capsys.readouterr().err


def test_a_model_of_few_positions_cuts_texts_and_says_so(small_world: SmallWorld, tmp_path: Path) -> None:
    sizes = {"image_embedding_size": 0, "max_position_embeddings": 16}
    save_checkpoint(tmp_path / "checkpoint", small_world, {"text_pooler": 0}, **sizes)
    assert main(["export", "--checkpoint", str(tmp_path / "checkpoint"), "--output", str(tmp_path / "exported")]) == 0
    model = ExportedModel(tmp_path / "exported")
    assert model.max_text_length == 14
    text = "a red circle is above a blue star " * 3
    extra = len(model.tokenizer.encode(text)) + 2 - 14
    with pytest.warns(UserWarning, match=f"2 of 3 texts are longer than 14 tokens.*cut: {2 * extra} tokens are left"):
        vectors = model.encode_texts([text, "left", text])
    assert np.isfinite(vectors).all() and model.num_cut_tokens == 2 * extra
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.encode_texts([text])
    assert model.num_cut_tokens == 3 * extra


def test_arrays_become_tensors_without_what_paddle_leaks(
    exported: tuple[UnimoModel, ExportedModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []
    make = paddle.to_tensor
    monkeypatch.setattr(
        paddle, "to_tensor", lambda data, *rest, **named: made.append(data) or make(data, *rest, **named)
    )
    exported[1].caption(random_images(3, 7), BeamSettings(beam_size=3, max_length=6))
    assert [each for each in made if np.ndim(each)] == []


def pretend_modules(monkeypatch: pytest.MonkeyPatch, **modules: dict[str, Any]) -> None:
    """Modules of these names and functions, whether or not such packages are installed."""
    for name, functions in modules.items():
        module = ModuleType(name)
        module.__spec__ = ModuleSpec(name, None)
        vars(module).update(functions)
        monkeypatch.setitem(sys.modules, name, module)


def write_some_onnx(program: str, weights: str, target: str, **settings: Any) -> None:
    Path(target).write_bytes(b"onnx")


class WrongSession:
    """An onnxruntime whose outputs have the right shapes, and are ones."""

    def __init__(self, path: str, providers: list[str]) -> None: ...

    def get_inputs(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(name=name) for name in ("segment_ids", "input_ids", "position_ids")]

    def run(self, names: None, arrays: dict[str, np.ndarray]) -> list[np.ndarray]:
        rows, length = arrays["segment_ids"].shape
        return [np.ones((rows, length, 16), np.float32), np.ones((rows, 16), np.float32)]


def test_onnx_that_was_not_compared_is_told(
    small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    save_checkpoint(tmp_path / "checkpoint", small_world, {"text_pooler": 0}, image_embedding_size=0)
    flags = ["export", "--checkpoint", str(tmp_path / "checkpoint"), "--output", str(tmp_path / "exported")]
    pretend_modules(monkeypatch, paddle2onnx={"export": write_some_onnx}, onnx={})
    find = importlib.util.find_spec
    with monkeypatch.context() as patched:
        patched.setattr(importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else find(name))
        assert main(flags) == 0
    out = capsys.readouterr().out
    assert "; ONNX not compared\n" in out
    assert "ONNX files were not compared with the network: onnxruntime is not installed" in out
    manifest = json.loads((tmp_path / "exported" / "export.json").read_text())
    assert manifest["onnx"] == ["text"] and manifest["onnx_differences"] == {}
    assert (tmp_path / "exported" / "text.onnx").is_file()


def test_onnx_that_gives_something_else_is_not_kept(
    small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    save_checkpoint(tmp_path / "checkpoint", small_world, {"text_pooler": 0}, image_embedding_size=0)
    flags = ["export", "--checkpoint", str(tmp_path / "checkpoint"), "--output", str(tmp_path / "exported")]
    runtime = {"InferenceSession": WrongSession}
    pretend_modules(monkeypatch, paddle2onnx={"export": write_some_onnx}, onnx={}, onnxruntime=runtime)
    assert main(flags) == 0
    out = capsys.readouterr().out
    assert "text: no ONNX: its outputs differ from the network's by " in out and "; of ONNX" not in out
    assert json.loads((tmp_path / "exported" / "export.json").read_text())["onnx"] == []
    assert not (tmp_path / "exported" / "text.onnx").exists()


@pytest.mark.skipif(bool(missing_for_onnx()), reason="paddle2onnx is not installed")
def test_onnx_gives_the_same(small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    save_checkpoint(tmp_path / "checkpoint", small_world, HEADS)
    flags = ["--checkpoint", str(tmp_path / "checkpoint"), "--output", str(tmp_path / "exported")]
    assert main(["export", *flags, "--programs", "pair", "match"]) == 0
    assert capsys.readouterr().out.count("; of ONNX ") == 2
    model = ExportedModel(tmp_path / "exported")
    compared = json.loads((tmp_path / "exported" / "export.json").read_text())["onnx_differences"]
    assert set(compared) == {"pair", "match"} and max(compared.values()) < 1e-5
    batch = vars(collate(examples(model, random_images(3, 7, 4)), model.tokenizer.pad_id))
    for name, output in (("pair", "states"), ("match", "scores")):
        session = onnxruntime.InferenceSession(str(model.folder / f"{name}.onnx"), providers=["CPUExecutionProvider"])
        found = session.run(None, {port.name: batch[port.name] for port in session.get_inputs()})[0]
        assert np.abs(found - model.program(name).run(batch)[output]).max() < 1e-5


def test_captions_are_searched_for_as_the_checkpoints_job_does_it(small_world: SmallWorld, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "checkpoint", small_world, HEADS)
    wanted = BeamSettings(beam_size=2, min_length=3, max_length=4, length_penalty=0.9)
    export_checkpoint(tmp_path / "checkpoint", tmp_path / "exported", ("image_prefix", "step"), search=wanted)
    model = ExportedModel(tmp_path / "exported")
    assert model.search == wanted
    pictures = random_images(3, 7)
    assert model.caption(pictures) == model.caption(pictures, wanted)


@pytest.mark.parametrize(
    ("decoding", "found"),
    [
        (DecodingSettings(3, 5, 40, 0.7, block_trigrams=True), BeamSettings(3, 5, 40, 0.7)),
        (DecodingSettings(3, 5, 40, method="greedy"), BeamSettings(1, 5, 40)),
        (DecodingSettings(method="sampling"), None),
        (None, None),
    ],
)
def test_the_search_of_a_job(decoding: DecodingSettings | None, found: BeamSettings | None) -> None:
    assert _search(decoding) == found


def test_what_was_saved_computes_as_the_network_afterwards(small_world: SmallWorld, tmp_path: Path) -> None:
    """Else a program would be compared with itself."""
    model = save_checkpoint(tmp_path / "checkpoint", small_world, HEADS)
    program = build_programs(model)["pair"]
    program.save(tmp_path / "pair")
    arrays, dynamic = random_arrays(program.inputs, 20), []
    program.layer.model.layers[0].register_forward_post_hook(lambda *_: dynamic.append(paddle.in_dynamic_mode()))
    network_outputs(program, arrays)
    assert dynamic == [True]
