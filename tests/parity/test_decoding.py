"""Beam search finds the original's hypotheses: ids identical, scores within 1e-3 + 1e-6 |score|."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.parity.release import release_model, valid_inputs
from unimo.generation import BeamSettings, TargetStart, beam_search

CLS, SEP, MASK = 0, 2, 999


def settings_of(overrides: dict[str, Any]) -> BeamSettings:
    return BeamSettings(
        beam_size=overrides.get("beam_size", 5),
        min_length=overrides.get("min_out_len", 2),
        max_length=overrides.get("max_out_len", 16),
        length_penalty=overrides.get("length_penalty", 0.6),
        block_trigrams=overrides.get("block_trigram", False),
    )


def opens_word(goldens: Path) -> np.ndarray:
    """Of the tiny dictionary: the first 996 and the last 4 entries of the real one."""
    data = np.load(goldens / "trigram_full_token.npz")
    whole = data[data.files[0]].reshape(-1) > 0
    return np.concatenate([whole[:996], whole[-4:]])


def assert_hypotheses_equal(found: list, golden: list[dict[str, Any]]) -> None:
    assert [list(hypothesis.token_ids) for hypothesis in found] == [hypothesis["ids"] for hypothesis in golden]
    for ours, theirs in zip(found, golden, strict=True):
        np.testing.assert_allclose(ours.scores, theirs["scores"], atol=1e-3, rtol=1e-6)


@pytest.mark.parametrize("number", range(10))
def test_sequence_to_sequence(goldens: Path, number: int) -> None:
    setting = json.loads((goldens / "model_a" / "seq2seq_decode.json").read_text())[number]
    assert setting["setting"] == number
    data = np.load(goldens / "model_a" / "seq2seq.npz")
    dialogue = setting["overrides"].get("task_type") == "dialog"
    prefix = {8: "dec8", 9: "dec9"}.get(number, "dec0")
    model = release_model(goldens, "seq2seq_dialog" if dialogue else "seq2seq")
    batch = 0
    for key in (key for key in data.files if key.startswith(f"{prefix}.b") and key.endswith(".src_ids")):
        name = key.rpartition(".")[0]
        more = {}
        if dialogue:
            more = {"role_ids": data[f"{name}.role_ids"].squeeze(-1), "turn_ids": data[f"{name}.turn_ids"].squeeze(-1)}
        inputs = valid_inputs(*(data[f"{name}.{field}"] for field in ("src_ids", "pos_ids", "input_mask")), **more)
        # the original starts a continuous target at its index, two positions too low (ORIGINAL Q6)
        first = data[f"{name}.tgt_pos"].reshape(-1)
        target = TargetStart(CLS, MASK, first, *((0, 0) if dialogue else ()))
        found = beam_search(model, inputs, settings_of(setting["overrides"]), CLS, MASK, opens_word(goldens), target)
        for hypotheses, source in zip(found, setting["sources"][batch : batch + len(found)], strict=True):
            assert_hypotheses_equal(hypotheses, source["hyps"])
        batch += len(found)
    assert batch == len(setting["sources"])


@pytest.mark.parametrize("number", range(5))
def test_captioning(goldens: Path, number: int) -> None:
    setting = json.loads((goldens / "model_a" / "img2txt_decode.json").read_text())[number]
    data = np.load(goldens / "model_a" / "img2txt.npz")
    model = release_model(goldens, "img2txt")
    sources = {source["id"]: source["hyps"] for source in setting["sources"]}
    checked = set()
    for key in (key for key in data.files if key.startswith("dec.b") and key.endswith(".image_id")):
        name = key.rpartition(".")[0]
        inputs = valid_inputs(
            data[f"{name}.obj_ids"],
            data[f"{name}.obj_pos_ids"],
            data[f"{name}.input_mask"],
            region_features=data[f"{name}.image_embedding"],
            region_locations=data[f"{name}.image_loc"],
        )
        found = beam_search(model, inputs, settings_of(setting["overrides"]), CLS, SEP, opens_word(goldens))
        for image_id, hypotheses in zip(data[key].reshape(-1).tolist(), found, strict=True):
            assert_hypotheses_equal(hypotheses, sources[image_id])
            checked.add(image_id)
    assert checked == set(sources)
