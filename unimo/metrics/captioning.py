"""Caption metrics as pycocoevalcap computes them, over tokens made in Python.

BLEU, ROUGE-L and CIDEr are pure Python; METEOR runs where `java` is found, and its absence is a note, never silence.
"""

from __future__ import annotations

import contextlib
import io
import shutil
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from unimo.metrics.penn_treebank import penn_tokens

METRICS = ("bleu", "rouge_l", "cider", "meteor")

# what pycocoevalcap's tokenizer leaves out; its list names brackets in capitals, which lower-cased tokens never are
PUNCTUATION = frozenset(["''", "'", "``", "`", '"', ".", "?", "!", ",", ":", "-", "--", "...", ";"])

Scores = dict[str, float | None]


def tokenize_caption(caption: str) -> str:
    """Lower-cased Penn Treebank tokens without punctuation, joined by spaces."""
    return " ".join(token for token in penn_tokens(caption) if token not in PUNCTUATION)


def caption_metrics(
    predictions: Mapping[str, str], references: Mapping[str, Sequence[str]], names: Iterable[str] = ("bleu", "cider")
) -> tuple[Scores, list[str]]:
    """Corpus scores of one caption an image against all its references, and notes on what could not be computed.

    Args:
        predictions: image id -> caption.
        references: image id -> captions; the same ids.
        names: of METRICS.

    Returns:
        bleu_1 to bleu_4 and rouge_l in [0, 1], cider (1.0 is pycocoevalcap's 100%), meteor; None where not computed.

    Raises:
        ValueError: an unknown name, or ids that do not agree.
    """
    wanted = list(names)
    if unknown := [name for name in wanted if name not in METRICS]:
        raise ValueError(f"metrics: unknown {', '.join(unknown)}; there are {', '.join(METRICS)}")
    if set(predictions) != set(references):
        raise ValueError("predictions and references are of different images")
    ids = sorted(predictions)
    found = {key: [tokenize_caption(predictions[key])] for key in ids}
    expected = {key: [tokenize_caption(caption) for caption in references[key]] for key in ids}
    scores: Scores = {}
    notes: list[str] = []
    for name in wanted:
        scores |= _SCORERS[name](expected, found, notes)
    return scores, notes


def _bleu(expected: Any, found: Any, notes: list[str]) -> Scores:
    from pycocoevalcap.bleu.bleu import Bleu

    values = _quietly(Bleu(4), expected, found)
    return {f"bleu_{order}": float(value) for order, value in enumerate(values, start=1)}


def _rouge(expected: Any, found: Any, notes: list[str]) -> Scores:
    from pycocoevalcap.rouge.rouge import Rouge

    return {"rouge_l": float(_quietly(Rouge(), expected, found))}


def _cider(expected: Any, found: Any, notes: list[str]) -> Scores:
    from pycocoevalcap.cider.cider import Cider

    if len(found) < 2:
        notes.append("CIDEr: needs at least two images, for its document frequencies")
        return {"cider": None}
    return {"cider": float(_quietly(Cider(), expected, found))}


def _meteor(expected: Any, found: Any, notes: list[str]) -> Scores:
    if shutil.which("java") is None:
        notes.append("METEOR: not computed, java was not found")
        return {"meteor": None}
    from pycocoevalcap.meteor.meteor import Meteor

    scorer = Meteor()
    try:
        return {"meteor": float(_quietly(scorer, expected, found))}
    finally:
        scorer.meteor_p.kill()
        scorer.meteor_p.wait()


_SCORERS = {"bleu": _bleu, "rouge_l": _rouge, "cider": _cider, "meteor": _meteor}


def _quietly(scorer: Any, expected: Any, found: Any) -> Any:
    """The corpus score, without what the scorer prints."""
    with contextlib.redirect_stdout(io.StringIO()):
        return scorer.compute_score(expected, found)[0]
