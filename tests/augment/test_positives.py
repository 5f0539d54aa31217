"""Where positives come from."""

from __future__ import annotations

import importlib.util
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unimo.augment.options import PositiveOptions
from unimo.augment.positives import choose_positives, make_providers
from unimo.data.records import CaptionRecord
from unimo.errors import InputError

RECORD = CaptionRecord("r:1", "image", ("A dog runs.", "a dog runs", "The brown dog is running."))


def test_other_captions_without_the_caption_itself() -> None:
    chosen = choose_positives(RECORD, make_providers(PositiveOptions()), 3)
    assert chosen[0] == [("other_captions", "The brown dog is running.")]
    assert chosen[2] == [("other_captions", "A dog runs.")]  # the second says the same and is left out


def test_paraphrases_come_first(tmp_path: Path) -> None:
    path = tmp_path / "paraphrases.jsonl"
    path.write_text(json.dumps({"text": "A dog runs", "paraphrases": ["A running dog.", "A dog at a run."]}) + "\n")
    chosen = choose_positives(RECORD, make_providers(PositiveOptions(paraphrases=str(path))), 2)
    assert chosen[0] == [("paraphrases", "A running dog."), ("paraphrases", "A dog at a run.")]
    assert chosen[2] == [("other_captions", "A dog runs.")]


def test_a_file_that_holds_something_else(tmp_path: Path) -> None:
    path = tmp_path / "paraphrases.jsonl"
    path.write_text('{"text": "A dog", "paraphrases": "one"}\n')
    with pytest.raises(InputError, match=r"paraphrases\.jsonl:1: expected text: a string"):
        make_providers(PositiveOptions(paraphrases=str(path)))


def test_half_a_translation_is_refused() -> None:
    with pytest.raises(ValueError, match="both or neither"):
        PositiveOptions(translate_to="en-de")


def test_a_translation_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"model\.bin: no such file"):
        make_providers(PositiveOptions(translate_to=str(tmp_path), translate_back=str(tmp_path)))


@pytest.mark.skipif(importlib.util.find_spec("ctranslate2") is not None, reason="ctranslate2 is installed")
def test_ctranslate2_that_is_not_installed(tmp_path: Path) -> None:
    for name in ("model.bin", "source.spm", "target.spm"):
        (tmp_path / name).touch()
    with pytest.raises(InputError, match=r"needs (sentencepiece|ctranslate2), which is not installed"):
        make_providers(PositiveOptions(translate_to=str(tmp_path), translate_back=str(tmp_path)))


def fill(spec: Any, rng: np.random.Generator, words: int) -> None:
    """Random weights, 8 wide, for every weight that a Transformer of CTranslate2 must have."""
    shapes = {"gamma": (8,), "beta": (8,)}
    for name, value in vars(spec).items():
        for part in value if isinstance(value, list) else [value]:
            if (
                type(part).__module__.startswith("ctranslate2")
                and hasattr(part, "__dict__")
                and not name.startswith("_")
            ):
                fill_linear(part, name, rng, words)
        if value is None and name in shapes:
            setattr(spec, name, np.full(shapes[name], name == "gamma", np.float32))


def fill_linear(part: Any, name: str, rng: np.random.Generator, words: int) -> None:
    fill(part, rng, words)
    if getattr(part, "weight", 0) is None:
        part.weight = rng.normal(0, 0.3, {"embeddings": (words, 8), "projection": (words, 8)}.get(name, (8, 8))).astype(
            "f4"
        )
        if not name.startswith("embeddings"):
            part.bias = np.zeros(len(part.weight), np.float32)


def make_model(folder: Path, seed: int) -> None:
    """A translator of one layer that knows nothing."""
    import sentencepiece
    from ctranslate2.specs import TransformerSpec

    texts = ["a dog runs on the beach .", "two men ride horses in a field .", "a woman reads a book ."] * 20
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts), model_writer=model, vocab_size=40, hard_vocab_limit=False, minloglevel=2
    )
    pieces = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    words = [pieces.id_to_piece(number) for number in range(len(pieces))]
    rng = np.random.default_rng(seed)
    spec = TransformerSpec.from_config((1, 1), num_heads=2)
    fill(spec, rng, len(words))
    for attention in (spec.encoder.layer[0].self_attention, spec.decoder.layer[0].self_attention):
        attention.linear[0].weight = rng.normal(0, 0.3, (24, 8)).astype("f4")  # queries, keys and values together
        attention.linear[0].bias = np.zeros(24, np.float32)
    cross = spec.decoder.layer[0].attention
    cross.linear[1].weight, cross.linear[1].bias = rng.normal(0, 0.3, (16, 8)).astype("f4"), np.zeros(16, np.float32)
    spec.register_source_vocabulary(words)
    spec.register_target_vocabulary(words)
    spec.validate()
    folder.mkdir()
    spec.save(str(folder))
    for side in ("source", "target"):
        (folder / f"{side}.spm").write_bytes(model.getvalue())


def test_back_translation(tmp_path: Path) -> None:
    for name in ("ctranslate2", "sentencepiece"):
        pytest.importorskip(name, reason=f"{name} is not installed (optional, for back-translation)")
    for number, name in enumerate(("there", "back")):
        make_model(tmp_path / name, number)
    options = PositiveOptions(
        num_positives=2,
        translate_to=str(tmp_path / "there"),
        translate_back=str(tmp_path / "back"),
        other_captions=False,
    )
    (provider,) = make_providers(options)
    found = provider.positives(RECORD)
    assert [len(texts) for texts in found] == [2, 2, 2]  # nonsense, but two hypotheses each
    assert found == provider.positives(RECORD)
    assert all(isinstance(text, str) and "\u2581" not in text for texts in found for text in texts)
