"""Scores of generated texts: BLEU, ROUGE, METEOR and CoQA's F1."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from unimo.metrics.captioning import caption_metrics

Scores = dict[str, float | None]


def generation_metrics(
    predictions: Mapping[str, str], references: Mapping[str, Sequence[str]], names: Sequence[str]
) -> tuple[Scores, list[str]]:
    """Corpus scores of one text a record against its references, and notes on what could not be computed.

    Args:
        predictions: record id -> text.
        references: record id -> texts; the same ids.
        names: of ``GENERATION_METRICS``.

    Raises:
        ValueError: an unknown name, or ids that do not agree.
    """
    if unknown := [name for name in names if name not in GENERATION_METRICS]:
        raise ValueError(f"metrics: unknown {', '.join(unknown)}; there are {', '.join(GENERATION_METRICS)}")
    if set(predictions) != set(references):
        raise ValueError("predictions and references are of different records")
    scores: Scores = {}
    notes: list[str] = []
    for name in names:
        found, said = GENERATION_METRICS[name](predictions, references)
        scores |= found
        notes += said
    return scores, notes


def rouge(predictions: Mapping[str, str], references: Mapping[str, Sequence[str]]) -> tuple[Scores, list[str]]:
    """Mean F of ROUGE-1, ROUGE-2, ROUGE-L and ROUGE-Lsum (sentences a line), stemmed; the best reference counts."""
    from rouge_score.rouge_scorer import RougeScorer

    names = ("rouge1", "rouge2", "rougeL", "rougeLsum")
    scorer = RougeScorer(list(names), use_stemmer=True)
    totals = dict.fromkeys(names, 0.0)
    for key, text in predictions.items():
        best = scorer.score_multi(list(references[key]), text)
        for name in names:
            totals[name] += best[name].fmeasure
    keys = ("rouge_1", "rouge_2", "rouge_l", "rouge_lsum")
    return {key: totals[name] / len(predictions) for key, name in zip(keys, names, strict=True)}, []


def coqa_f1(predictions: Mapping[str, str], references: Mapping[str, Sequence[str]]) -> tuple[Scores, list[str]]:
    """CoQA's word F1 and exact match; of several references each is left out once, and the best of the others taken."""
    f1, exact = 0.0, 0.0
    for key, text in predictions.items():
        given = list(references[key])
        rounds = [given[:n] + given[n + 1 :] for n in range(len(given))] if len(given) > 1 else [given]
        f1 += sum(max(word_f1(text, answer) for answer in others) for others in rounds) / len(rounds)
        exact += sum(
            max(float(normalize_text(text) == normalize_text(answer)) for answer in others) for others in rounds
        ) / len(rounds)
    return {"coqa_f1": f1 / len(predictions), "coqa_exact": exact / len(predictions)}, []


def word_f1(prediction: str, answer: str) -> float:
    """F1 of the words of two texts as SQuAD and CoQA count them; both empty is 1."""
    found, wanted = normalize_text(prediction).split(), normalize_text(answer).split()
    if not found or not wanted:
        return float(found == wanted)
    shared = sum((Counter(found) & Counter(wanted)).values())
    return 2 * shared / (len(found) + len(wanted))


def normalize_text(text: str) -> str:
    """Lower case, without punctuation, articles and double spaces (SQuAD's rule)."""
    kept = "".join(character for character in text.lower() if character not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", kept).split())


def _of_captions(name: str) -> Callable[[Mapping[str, str], Mapping[str, Sequence[str]]], tuple[Scores, list[str]]]:
    return lambda predictions, references: caption_metrics(predictions, references, (name,))


GENERATION_METRICS: Mapping[
    str, Callable[[Mapping[str, str], Mapping[str, Sequence[str]]], tuple[Scores, list[str]]]
] = {
    "bleu": _of_captions("bleu"),
    "rouge": rouge,
    "meteor": _of_captions("meteor"),
    "coqa_f1": coqa_f1,
}
"""Metric name -> function of predictions and references."""
