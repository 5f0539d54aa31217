"""Caption metrics beside pycocoevalcap's own, and what is said where one cannot be computed."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from unimo.metrics.captioning import METRICS, caption_metrics, token_metrics, tokenize_caption

Captions = dict[str, list[str]]
SAMPLE = 5000  # all images of COCO val2017


def needs_java() -> None:
    if shutil.which("java") is None:
        pytest.skip("java is not there")


@pytest.fixture(scope="module")
def coco(shared: Path) -> Captions:
    """Image -> captions of COCO val2017."""
    with gzip.open(shared / "data" / "coco_captions" / "captions_val2017.json.gz") as stream:
        annotations = json.load(stream)["annotations"]
    captions: Captions = {}
    for annotation in annotations:
        captions.setdefault(str(annotation["image_id"]), []).append(annotation["caption"])
    return captions


def test_missing_java_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    scores, notes = caption_metrics({"a": "x", "b": "y"}, {"a": ["x"], "b": ["y"]}, ["meteor", "spice"])
    assert scores == {"meteor": None, "spice": None}
    assert notes == ["METEOR: not computed, java was not found", "SPICE: not computed, java was not found"]


def test_missing_models_are_said_and_not_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr("unimo.metrics.captioning.SPICE_MODELS", ("no-such.jar",))
    scores, notes = caption_metrics({"a": "x", "b": "y"}, {"a": ["x"], "b": ["y"]}, ["spice"])
    assert scores == {"spice": None}
    assert notes == ["SPICE: not computed, no-such.jar not in pycocoevalcap/spice/lib"]


@pytest.mark.slow  # METEOR reads 60 MB of paraphrases
def test_a_broken_java_program_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    needs_java()
    monkeypatch.setattr("pycocoevalcap.meteor.meteor.METEOR_JAR", "no-such.jar")
    scores, notes = caption_metrics({"a": "x", "b": "y"}, {"a": ["x"], "b": ["y"]}, ["meteor"])
    assert scores == {"meteor": None}
    assert "METEOR: not computed, its Java program failed" in notes[0]


def test_one_image_has_no_cider() -> None:
    scores, notes = caption_metrics({"a": "a dog"}, {"a": ["a dog"]}, ["bleu", "cider"])
    assert scores["bleu_1"] == pytest.approx(1)
    assert scores["cider"] is None
    assert "at least two images" in notes[0]


def test_names_and_ids_are_checked() -> None:
    with pytest.raises(ValueError, match="unknown cidre"):
        caption_metrics({"a": "x"}, {"a": ["x"]}, ["cidre"])
    with pytest.raises(ValueError, match="different images"):
        caption_metrics({"a": "x"}, {"b": ["x"]})


def test_a_caption_equal_to_its_reference_is_perfect() -> None:
    references = {"a": ["a red dog runs over the green hill"], "b": ["two cats sit on a wooden table"]}
    scores, _ = caption_metrics({key: texts[0] for key, texts in references.items()}, references)
    assert scores["bleu_4"] == pytest.approx(1)
    assert scores["cider"] == pytest.approx(10)


def test_empty_captions_score_nothing() -> None:
    scores, _ = caption_metrics({"a": "", "b": "..."}, {"a": ["a dog"], "b": ["a cat"]}, ["bleu", "rouge_l", "cider"])
    assert scores["bleu_4"] == pytest.approx(0, abs=1e-6)
    assert (scores["rouge_l"], scores["cider"]) == (0, 0)


def test_java_tokens_of_all_captions(coco: Captions) -> None:
    needs_java()
    texts = [text for given in coco.values() for text in given]
    differ = [
        (text, ours, theirs)
        for text, ours, theirs in zip(texts, map(tokenize_caption, texts), java_tokens(texts), strict=True)
        if ours != theirs
    ]
    # Hawaiian street names ("Pe'e"); what follows a caption decides whether "12th Ave S." keeps its period
    assert len(differ) <= 2, differ


@pytest.mark.slow  # METEOR alone takes half a minute
def test_scores_are_pycocoevalcaps(coco: Captions, capsys: pytest.CaptureFixture[str]) -> None:
    """One caption of each image against its other four, of 5,000 images."""
    needs_java()
    chosen = {key: coco[key] for key in sorted(coco)[:SAMPLE]}
    predictions = {key: texts[0] for key, texts in chosen.items()}
    references = {key: texts[1:] for key, texts in chosen.items()}
    names = [name for name in METRICS if name != "spice"]
    ours, notes = caption_metrics(predictions, references, names)
    theirs, tokens = evaluate_as_published(predictions, references)
    assert not notes
    with capsys.disabled():
        print(f"\n{len(chosen)} images{'ours':>18}{'pycocoevalcap':>16}")
        for name, value in ours.items():
            print(f"{name:<20}{100 * (value or 0):>10.3f}{100 * theirs[name]:>16.3f}")
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        assert value == pytest.approx(theirs[name], abs=1e-3), name  # 0.1 points of a hundred
    same, _ = token_metrics(*tokens, [name for name in names if name != "meteor"])
    assert same == {name: theirs[name] for name in same}


def java_tokens(texts: list[str]) -> list[str]:
    """The tokens of pycocoevalcap's Java tokenizer."""
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    found = PTBTokenizer().tokenize({number: [{"caption": text}] for number, text in enumerate(texts)})
    return [found[number][0] for number in range(len(texts))]


class Annotations:
    """What COCOEvalCap asks of pycocotools' COCO."""

    def __init__(self, captions: dict[str, list[str]]) -> None:
        self.imgToAnns = {key: [{"caption": text} for text in texts] for key, texts in captions.items()}

    def getImgIds(self) -> list[str]:  # noqa: N802
        return list(self.imgToAnns)


def evaluate_as_published(predictions: dict[str, str], references: Captions) -> tuple[dict[str, float], Any]:
    """The numbers of COCOEvalCap, and the tokens that it scored; SPICE is left out, its models are not there."""
    import pycocoevalcap.eval as published

    tokens: list[dict[str, list[str]]] = []

    class Tokenizer(published.PTBTokenizer):
        def tokenize(self, captions: Any) -> Any:
            tokens.append(super().tokenize(captions))
            return tokens[-1]

    class NoSpice:
        def compute_score(self, expected: Any, found: Any) -> tuple[float, Iterator[float]]:
            return 0.0, iter(())

        def method(self) -> str:
            return "SPICE"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(published, "PTBTokenizer", Tokenizer)
        patch.setattr(published, "Spice", NoSpice)
        evaluation = published.COCOEvalCap(
            Annotations(references), Annotations({key: [text] for key, text in predictions.items()})
        )
        evaluation.evaluate()
    names = {name: name.lower() for name in evaluation.eval if name != "SPICE"}
    return {ours: float(evaluation.eval[name]) for name, ours in names.items()}, tuple(tokens)
