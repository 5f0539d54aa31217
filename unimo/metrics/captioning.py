"""Caption metrics as pycocoevalcap computes them, over tokens made in Python.

BLEU, ROUGE-L and CIDEr are pure Python. METEOR runs where `java` is found, SPICE where its language models are
installed besides; where a score cannot be computed it is None, and a note says what is missing.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import math
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from unimo.metrics.penn_treebank import penn_tokens

METRICS = ("bleu", "rouge_l", "cider", "meteor", "spice")

# what pycocoevalcap's tokenizer leaves out; its list names brackets in capitals, which lower-cased tokens never are
PUNCTUATION = frozenset(["''", "'", "``", "`", '"', ".", "?", "!", ",", ":", "-", "--", "...", ";"])
SPICE_MODELS = ("stanford-corenlp-3.6.0.jar", "stanford-corenlp-3.6.0-models.jar")

Scores = dict[str, float | None]
Tokens = Mapping[str, list[str]]
"""Image id -> texts, the tokens of each joined by single spaces."""


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
        bleu_1 to bleu_4, rouge_l, meteor and spice in [0, 1], cider (1.0 is what papers write as 100); None where not
        computed.

    Raises:
        ValueError: an unknown name, or ids that do not agree.
    """
    ids = sorted(predictions)
    if ids != sorted(references):
        raise ValueError("predictions and references are of different images")
    found = {key: [tokenize_caption(predictions[key])] for key in ids}
    expected = {key: [tokenize_caption(caption) for caption in references[key]] for key in ids}
    return token_metrics(expected, found, names)


def token_metrics(expected: Tokens, found: Tokens, names: Iterable[str]) -> tuple[Scores, list[str]]:
    """As :func:`caption_metrics`, of texts that are tokens already: exactly what pycocoevalcap's scorers say of them.

    Raises:
        ValueError: an unknown name.
    """
    wanted = list(names)
    check_caption_metrics(wanted)
    scores: Scores = {}
    notes: list[str] = []
    for name in wanted:
        scores |= _SCORERS[name](expected, found, notes)
    return scores, notes


def check_caption_metrics(names: Sequence[str]) -> None:
    """Refuse unknown names, before anything is trained for them.

    Raises:
        ValueError: naming them.
    """
    if unknown := [name for name in names if name not in METRICS]:
        raise ValueError(f"metrics: unknown {', '.join(unknown)}; there are {', '.join(METRICS)}")


def _bleu(expected: Tokens, found: Tokens, notes: list[str]) -> Scores:
    from pycocoevalcap.bleu.bleu import Bleu

    values = _quietly(Bleu(4), expected, found)
    return {f"bleu_{order}": float(value) for order, value in enumerate(values, start=1)}


def _rouge(expected: Tokens, found: Tokens, notes: list[str]) -> Scores:
    from pycocoevalcap.rouge.rouge import Rouge

    return {"rouge_l": float(_quietly(Rouge(), expected, found))}


def _cider(expected: Tokens, found: Tokens, notes: list[str]) -> Scores:
    from pycocoevalcap.cider.cider import Cider

    if len(found) < 2:
        notes.append("CIDEr: needs at least two images, for its document frequencies")
        return {"cider": None}
    return {"cider": float(_quietly(Cider(), expected, found))}


def _meteor(expected: Tokens, found: Tokens, notes: list[str]) -> Scores:
    if shutil.which("java") is None:
        notes.append("METEOR: not computed, java was not found")
        return {"meteor": None}
    from pycocoevalcap.meteor.meteor import Meteor

    scorer = Meteor()
    try:
        return {"meteor": float(_quietly(scorer, expected, found))}
    except (OSError, ValueError) as error:  # a pipe that closed, or an answer that is no number
        notes.append(f"METEOR: not computed, its Java program failed ({type(error).__name__})")
        return {"meteor": None}
    finally:
        if scorer.lock.locked():  # or the scorer waits for itself when it is deleted
            scorer.lock.release()
        with contextlib.suppress(OSError):
            scorer.meteor_p.stdin.close()
        scorer.meteor_p.kill()
        scorer.meteor_p.wait()


def _spice(expected: Tokens, found: Tokens, notes: list[str]) -> Scores:
    missing = "java was not found" if shutil.which("java") is None else _missing_models()
    if missing:
        notes.append(f"SPICE: not computed, {missing}")
        return {"spice": None}
    from pycocoevalcap.spice.spice import Spice

    try:
        value = float(_quietly(Spice(), expected, found))
    except (OSError, subprocess.CalledProcessError) as error:
        notes.append(f"SPICE: not computed, its Java program failed ({type(error).__name__})")
        return {"spice": None}
    return {"spice": value if math.isfinite(value) else None}


def _missing_models() -> str:
    """What SPICE lacks, or nothing; its own scorer would begin to download it."""
    package = importlib.util.find_spec("pycocoevalcap.spice")
    folders = [] if package is None else package.submodule_search_locations or []
    absent = [name for name in SPICE_MODELS if not any((Path(each) / "lib" / name).is_file() for each in folders)]
    return f"{', '.join(absent)} not in pycocoevalcap/spice/lib" if absent else ""


_SCORERS = {"bleu": _bleu, "rouge_l": _rouge, "cider": _cider, "meteor": _meteor, "spice": _spice}


def _quietly(scorer: Any, expected: Tokens, found: Tokens) -> Any:
    """The corpus score, without what the scorer prints."""
    with contextlib.redirect_stdout(io.StringIO()):
        return scorer.compute_score(expected, found)[0]
