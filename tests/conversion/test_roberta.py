"""RoBERTa folders: our network computes what RoBERTa computes, and a dictionary of another order is refused."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
from pathlib import Path

import numpy as np
import paddle
import pytest

from tests.conversion.roberta_folder import (
    HIDDEN,
    Arrays,
    roberta_arrays,
    roberta_forward,
    write_dictionary,
    write_roberta,
)
from unimo.config.architecture import UnimoConfig
from unimo.conversion.roberta import from_roberta
from unimo.conversion.roberta_dictionary import check_same_dictionary
from unimo.errors import InputError
from unimo.modeling import ModelInputs, UnimoModel
from unimo.tokenization import UnimoTokenizer
from unimo.tokenization.vocabulary import Vocabulary

IDS = np.asarray([0, 17, 4, 60, 33, 17, 5, 2])
WORDS, TYPES = "roberta.embeddings.word_embeddings.weight", "roberta.embeddings.token_type_embeddings.weight"
POSITIONS = "text_embeddings.positions.weight"


def our_forward(model: UnimoModel, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """States and logits of one text, behind which two positions are padding."""
    padded = np.concatenate([ids, [1, 1]])[None]
    inputs = ModelInputs(
        segment_ids=paddle.to_tensor([[1] * len(ids) + [0, 0]]),
        order_ids=paddle.zeros([1, padded.shape[1]], "int64"),
        input_ids=paddle.to_tensor(padded),
        position_ids=paddle.to_tensor([[*range(2, 2 + len(ids)), 1, 1]]),
    )
    with paddle.no_grad():
        states = model(inputs)[0, : len(ids)]
        return states.numpy(), model.language_logits(states).numpy()


@pytest.mark.parametrize("torch", [False, True])
def test_our_network_computes_what_roberta_computes(tmp_path: Path, torch: bool) -> None:
    arrays = roberta_arrays()
    converted = from_roberta(write_roberta(tmp_path, arrays, torch))
    assert converted.notes == ()
    states, logits = our_forward(converted.model, IDS)
    expected_states, expected_logits = roberta_forward(arrays, IDS)
    np.testing.assert_allclose(states, expected_states, atol=1e-5)
    np.testing.assert_allclose(logits, expected_logits, atol=1e-5)
    # without the row of token types it would be another network
    assert np.abs(roberta_forward({**arrays, TYPES: 0 * arrays[TYPES]}, IDS)[0] - states).max() > 0.1


@pytest.mark.skipif(importlib.util.find_spec("transformers") is None, reason="no transformers here to compare with")
@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="no torch here to compare with")
def test_what_transformers_computes(tmp_path: Path) -> None:
    import torch
    from transformers import RobertaConfig, RobertaForMaskedLM

    torch.manual_seed(0)
    sizes = {"vocab_size": 61, "hidden_size": HIDDEN, "num_hidden_layers": 2, "num_attention_heads": 2}
    theirs = RobertaForMaskedLM(
        RobertaConfig(**sizes, intermediate_size=64, max_position_embeddings=40, type_vocab_size=1, layer_norm_eps=1e-5)
    ).eval()
    theirs.save_pretrained(tmp_path / "safetensors")
    theirs.config.save_pretrained(tmp_path / "torch")
    torch.save(theirs.state_dict(), tmp_path / "torch" / "pytorch_model.bin")
    with torch.no_grad():
        expected = theirs(torch.tensor(IDS[None])).logits[0].numpy()
    for folder in ("safetensors", "torch"):
        logits = our_forward(from_roberta(tmp_path / folder).model, IDS)[1]
        np.testing.assert_allclose(logits, expected, atol=1e-5)


def test_half_precision_and_names_without_prefix(tmp_path: Path) -> None:
    arrays = {name: value.astype(np.float16) for name, value in roberta_arrays().items() if "lm_head" not in name}
    bare = {name.removeprefix("roberta."): value for name, value in arrays.items()}
    bare |= {"pooler.dense.weight": bare["encoder.layer.0.output.dense.bias"], "pooler.dense.bias": np.zeros(2)}
    bare["embeddings.position_ids"] = np.arange(40, dtype=np.int64)[None]
    converted = from_roberta(write_roberta(tmp_path, bare, vocab_size=61))
    assert converted.notes == (
        "no LM head among the weights: the masked-language head is left to pre-training",
        "left out: pooler.dense.bias, pooler.dense.weight (tanh; the poolers here use relu)",
    )
    assert converted.model.head_sizes == {}
    found = converted.model.state_dict()["text_embeddings.words.weight"].numpy()
    np.testing.assert_array_equal(found, arrays[WORDS].astype(np.float32))


def test_tied_weights(tmp_path: Path) -> None:
    arrays = roberta_arrays()
    tied = {"lm_head.decoder.weight": arrays[WORDS].copy(), "lm_head.decoder.bias": arrays["lm_head.bias"].copy()}
    assert from_roberta(write_roberta(tmp_path / "same", {**arrays, **tied})).notes == ()
    without = {name: value for name, value in arrays.items() if name not in (WORDS, "lm_head.bias")}
    model = from_roberta(write_roberta(tmp_path / "one", {**without, **tied}, vocab_size=61)).model
    np.testing.assert_array_equal(model.state_dict()["text_embeddings.words.weight"].numpy(), arrays[WORDS])
    tied["lm_head.decoder.weight"][3, 3] += 1
    with pytest.raises(InputError, match=r"model.safetensors: lm_head.decoder.weight differs from embeddings.word_"):
        from_roberta(write_roberta(tmp_path / "other", {**arrays, **tied}))


def test_images_are_fresh_and_seeded(tmp_path: Path) -> None:
    folder = write_roberta(tmp_path, roberta_arrays())
    arch = UnimoConfig(image_embedding_size=24, image_class_size=9, region_norm="separate", location_frequencies=1)
    one, same, other = (from_roberta(folder, arch, seed=seed) for seed in (3, 3, 4))
    config = one.model.config
    assert (config.image_embedding_size, config.image_class_size, config.region_norm) == (24, 9, "separate")
    assert one.notes[-1].startswith("freshly initialised with seed 3: region_embeddings.features.bias, region_")
    key = "region_embeddings.features.weight"
    values = [each.model.state_dict()[key].numpy() for each in (one, same, other)]
    np.testing.assert_array_equal(values[0], values[1])
    assert values[0].shape == (24, HIDDEN) and not np.array_equal(values[0], values[2])
    texts_only = from_roberta(folder)
    assert texts_only.model.config.image_embedding_size == 0
    np.testing.assert_array_equal(
        one.model.state_dict()[POSITIONS].numpy(), texts_only.model.state_dict()[POSITIONS].numpy()
    )
    with pytest.raises(InputError, match="image_embedding_size: 0"):
        from_roberta(folder, dataclasses.replace(arch, image_embedding_size=0))


def changed(**changes: np.ndarray | None) -> Arrays:
    arrays = {**roberta_arrays(), **changes}
    return {name: value for name, value in arrays.items() if value is not None}


QUERY = "roberta.encoder.layer.1.attention.self.query.weight"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({QUERY: None}, "missing from the checkpoint: encoder.layer.1.attention.self.query.weight; .*--allow-missing"),
        ({TYPES: None}, "missing from the checkpoint: embeddings.token_type_embeddings.weight"),
        ({QUERY: np.zeros((16, 15), np.float32)}, r"self.query.weight: shape \(16, 15\), expected \(16, 16\)"),
        ({TYPES: np.zeros((2, 16), np.float32)}, r"token_type_embeddings.weight: shape \(2, 16\), expected \(1, 16\)"),
        ({QUERY: np.zeros((16, 16), np.int64)}, "holds int64"),
        ({"classifier.dense.weight": np.zeros(3, np.float32)}, "place in the model: classifier.dense.weight; .*unused"),
        ({QUERY.removeprefix("roberta."): np.zeros(3, np.float32)}, "with and without the prefix"),
    ],
)
def test_weights_that_do_not_fit(tmp_path: Path, changes: dict[str, np.ndarray | None], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        from_roberta(write_roberta(tmp_path, changed(**changes)))
    assert str(caught.value).startswith(f"{tmp_path}/model.safetensors: ")


def test_what_is_named_may_be_left_over_or_missing(tmp_path: Path) -> None:
    arrays = changed(**{"classifier.dense.weight": np.zeros(3, np.float32), QUERY: None})
    folder = write_roberta(tmp_path, arrays)
    # a key and a value without their query have no place either
    left = ["classifier.", "encoder.layer.1.attention.self."]
    missing = ["encoder.layer.1.attention.self.query"]
    converted = from_roberta(folder, allow_missing=missing, allow_unused=left)
    assert converted.notes[0].startswith("left out: classifier.dense.weight, encoder.layer.1.attention.self.key.weight")
    assert converted.notes[1] == "freshly initialised with seed 1: layers.1.attention.qkv.weight"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "bert"}, "model_type: 'bert', a RoBERTa has 'roberta'"),
        ({"hidden_act": "relu"}, "hidden_act: 'relu'"),
        ({"type_vocab_size": 2}, "type_vocab_size: 2"),
        ({"hidden_size": "16"}, "no number for hidden_size"),
        ({"layer_norm_eps": None}, "no number for layer_norm_eps"),
        ({"num_attention_heads": 3}, "not a multiple of num_attention_heads"),
    ],
)
def test_configs_of_other_models(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        from_roberta(write_roberta(tmp_path, roberta_arrays(), **changes))
    assert str(caught.value).startswith(f"{tmp_path}/config.json: ")


def test_folders_without_weights(tmp_path: Path) -> None:
    folder = write_roberta(tmp_path, roberta_arrays())
    (folder / "model.safetensors").write_bytes(b"\x08")
    with pytest.raises(InputError, match="not a readable safetensors file"):
        from_roberta(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"neither model\.safetensors nor pytorch_model\.bin"):
        from_roberta(folder)


@pytest.fixture
def vocabulary() -> Vocabulary:
    texts = ["the man's dog isn't here: he left at 5:30pm!", "two women and one café"] * 5
    return UnimoTokenizer.train(texts, vocab_size=300).vocabulary


def test_the_dictionary_is_compared_by_string(tmp_path: Path, vocabulary: Vocabulary) -> None:
    def assert_refused(message: str) -> None:
        with pytest.raises(InputError, match=message):
            check_same_dictionary(tmp_path, vocabulary, "dictionary")

    assert_refused("vocab.json: no such file")
    write_dictionary(tmp_path, vocabulary)
    check_same_dictionary(tmp_path, vocabulary, "dictionary")
    order = json.loads((tmp_path / "vocab.json").read_text())
    assert {"<s>", "<pad>", "</s>", "<unk>", "<mask>"} < set(order)
    names = list(order)
    swapped = {**order, names[20]: 21, names[21]: 20}
    (tmp_path / "vocab.json").write_text(json.dumps(swapped))
    assert_refused("vocab.json: differs from dictionary in 2 entries, the first is number 20: ")
    (tmp_path / "vocab.json").write_text(json.dumps({**order, "extra": len(order)}))
    assert_refused(f"{len(order) + 1} entries, dictionary has {len(order)}")
    (tmp_path / "vocab.json").write_text(json.dumps({**order, names[-1]: len(order)}))
    assert_refused("do not run from 0")
    (tmp_path / "vocab.json").write_text(json.dumps(names))
    assert_refused("expected a JSON object")
    (tmp_path / "vocab.json").write_text(json.dumps(order))
    lines = (tmp_path / "merges.txt").read_text().splitlines()
    (tmp_path / "merges.txt").write_text("\n".join([*lines[:3], lines[4], lines[3], *lines[5:]]) + "\n")
    assert_refused("merges.txt:4: merge ")
    (tmp_path / "merges.txt").write_text("\n".join(lines[:-1]) + "\n")
    assert_refused("merge rules, dictionary has")


def test_the_released_dictionary_is_robertas(tmp_path: Path, shared: Path) -> None:
    vocabulary = UnimoTokenizer.from_release(shared / "data" / "unimo_dict").vocabulary
    write_dictionary(tmp_path, vocabulary)
    order = json.loads((tmp_path / "vocab.json").read_text())
    assert [order[token] for token in ("<s>", "<pad>", "</s>", "<unk>", ".", "Ġthe")] == [0, 1, 2, 3, 4, 5]
    assert [order[token] for token in ("madeupword0000", "madeupword0002", "<mask>")] == [50261, 50263, 50264]
    check_same_dictionary(tmp_path, vocabulary, "unimo_dict")
