"""Every batch that the original's readers made is made again, in order, with every array of its graph's feed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import SHARED
from tests.data.compat.conftest import Arrays, golden_batches
from tests.data.compat.readers import (
    captioning_task,
    entailment_task,
    generation_task,
    golden_reader,
    retrieval_task,
)
from unimo.data.compat.reader import OriginalReader
from unimo.tokenization import UnimoTokenizer

META = SHARED / "goldens" / "readers" / "meta.json"
NAMES = [name for name in json.loads(META.read_text()) if not name.startswith("_")] if META.is_file() else ["absent"]
TINY_MASK_ID = 999  # of the vocabulary of goldens/model_a, which otherwise begins as the released one


def assert_same(batch: Arrays, golden: Arrays, names: Sequence[str]) -> None:
    for name in names:
        assert batch[name].shape == golden[name].shape, name
        if batch[name].dtype.kind == "f":
            np.testing.assert_allclose(batch[name], golden[name], rtol=0, atol=1e-6, err_msg=name)
        else:
            np.testing.assert_array_equal(batch[name], golden[name], err_msg=name)


@pytest.mark.parametrize("name", NAMES)
def test_every_batch_of_the_original(readers: Path, tokenizer: UnimoTokenizer, name: str) -> None:
    meta: dict[str, Any] = json.loads(META.read_text())[name]
    found = list(golden_reader(name, meta["args"], tokenizer).batches(meta["args"].get("epoch", 1)))
    expected = golden_batches(readers / f"{name}.npz")
    assert len(found) == len(expected) == meta["n_batches"]
    for batch, golden in zip(found, expected, strict=True):
        assert list(batch) == meta["order"]
        assert [str(batch[each].dtype) for each in batch] == meta["dtypes"]
        assert_same(batch, golden, meta["order"])


def entailment(tokenizer: UnimoTokenizer) -> OriginalReader:
    task = entailment_task({"batch_size": 4, "max_seq_len": 12}, tokenizer, regions="ve_filelist")
    return task.original_reader("ve_filelist", train=False)


def retrieval(tokenizer: UnimoTokenizer) -> OriginalReader:
    task = retrieval_task({"batch_size": 2, "max_seq_len": 14}, tokenizer, regions="ret_feat")
    return task.original_reader("ret_cap.ids")


def captioning(tokenizer: UnimoTokenizer) -> OriginalReader:
    lengths = {"max_img_len": 8, "max_obj_len": 8, "max_tgt_len": 10}
    arguments = {"batch_size": 4, "object_file": "i2t_obj.txt", **lengths}
    return captioning_task(arguments, tokenizer, "i2t_train_filelist").original_reader(
        "i2t_train_filelist", train=False
    )


def generation(tokenizer: UnimoTokenizer) -> OriginalReader:
    arguments = {"batch_size": 4, "max_src_len": 16, "max_tgt_len": 12, "tokenized_input": True}
    return generation_task(arguments, tokenizer).original_reader("s2s.tsv", train=False)


@pytest.mark.parametrize(
    ("name", "reader"),
    [("ve", entailment), ("retrieval", retrieval), ("img2txt", captioning), ("seq2seq", generation)],
)
def test_the_batches_of_its_models(
    goldens: Path,
    tokenizer: UnimoTokenizer,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    reader: Callable[[UnimoTokenizer], OriginalReader],
) -> None:
    monkeypatch.chdir(goldens / "model_a" / "data")
    found = list(reader(tokenizer).batches())
    expected = golden_batches(goldens / "model_a" / f"{name}.npz")
    for batch, golden in zip(found, expected, strict=True):
        in_tiny = {k: np.where(v == tokenizer.mask_id, TINY_MASK_ID, v).astype(v.dtype) for k, v in batch.items()}
        assert_same(in_tiny, golden, list(batch))
