"""Scores of generated texts: BLEU, ROUGE, METEOR, CoQA's F1, and those of question generation."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from unimo.metrics.captioning import caption_metrics, token_metrics

Scores = dict[str, float | None]
Scorer = Callable[[Mapping[str, str], Mapping[str, Sequence[str]]], tuple[Scores, list[str]]]

_SENTENCE_TOKEN = re.compile(r"(\s[.!?])\s+")
_SENTENCE_END = re.compile(r"([.!?][\"')]*)\s+(?=[\"'(]?[A-Z])")
_SENTENCE_MARKS = re.compile(r"\s*(?:\n|\[X_SEP\]|<S_SEP>|<q>)\s*", re.IGNORECASE)


def generation_metrics(
    predictions: Mapping[str, str], references: Mapping[str, Sequence[str]], names: Sequence[str]
) -> tuple[Scores, list[str]]:
    """Corpus scores of one text a record against its references, and notes on what could not be computed.

    Args:
        predictions: record id -> text.
        references: record id -> texts; the same ids.
        names: of ``GENERATION_METRICS``.

    Raises:
        ValueError: names that :func:`check_generation_metrics` refuses, or ids that do not agree.
    """
    check_generation_metrics(names)
    if set(predictions) != set(references):
        raise ValueError("predictions and references are of different records")
    scores: Scores = {}
    notes: list[str] = []
    for name in names:
        found, said = GENERATION_METRICS[name](predictions, references)
        scores |= found
        notes += said
    return scores, notes


def check_generation_metrics(names: Sequence[str]) -> None:
    """Refuse what cannot be computed together, before anything is trained for it.

    Raises:
        ValueError: an unknown name, or question_generation beside metrics whose scores have the same names.
    """
    if unknown := [name for name in names if name not in GENERATION_METRICS]:
        raise ValueError(f"metrics: unknown {', '.join(unknown)}; there are {', '.join(GENERATION_METRICS)}")
    if "question_generation" in names and (others := sorted({"bleu", "rouge", "meteor"} & set(names))):
        raise ValueError(f"metrics: question_generation gives scores of the same names as {', '.join(others)}")


def rouge(predictions: Mapping[str, str], references: Mapping[str, Sequence[str]]) -> tuple[Scores, list[str]]:
    """Mean F of ROUGE-1, ROUGE-2, ROUGE-L and ROUGE-Lsum, stemmed; the best reference counts.

    Lsum is over :func:`sentence_lines`: it is what is called ROUGE-L of summaries of several sentences (CNN/DailyMail).
    """
    from rouge_score.rouge_scorer import RougeScorer

    names = ("rouge1", "rouge2", "rougeL", "rougeLsum")
    scorer = RougeScorer(list(names), use_stemmer=True)
    totals = dict.fromkeys(names, 0.0)
    for key, text in predictions.items():
        best = scorer.score_multi([sentence_lines(each) for each in references[key]], sentence_lines(text))
        for name in names:
            totals[name] += best[name].fmeasure
    keys = ("rouge_1", "rouge_2", "rouge_l", "rouge_lsum")
    return {key: totals[name] / len(predictions) for key, name in zip(keys, names, strict=True)}, []


def sentence_lines(text: str) -> str:
    """The sentences of a text, one a line.

    Where it has line ends or one of the marks that summaries are published with (`[X_SEP]`, `<S_SEP>`, `<q>`), they
    part the sentences. Otherwise tokenised text is parted after a `.`, `!` or `?` that is a token of its own, and other
    text after one that a capital follows. Abbreviations are not known: other text is parted within "Dr. Smith" too, in
    predictions and references alike.
    """
    if _SENTENCE_MARKS.search(text.strip()):
        return _SENTENCE_MARKS.sub("\n", text.strip())
    tokenised = re.search(r"\s[.!?](\s|$)", text)
    return (_SENTENCE_TOKEN if tokenised else _SENTENCE_END).sub(r"\1\n", text.strip())


def question_generation(
    predictions: Mapping[str, str], references: Mapping[str, Sequence[str]]
) -> tuple[Scores, list[str]]:
    """BLEU-1 to 4, METEOR and ROUGE-L of SQuAD question generation: pycocoevalcap's, over the words as they stand.

    The data is tokenised and in lower case (Du et al., 2017), and questions keep their mark, so that nothing is split
    or left out here; "bleu" and "rouge" are over other tokens and give other numbers.
    """
    found = {key: [_spaced(text)] for key, text in predictions.items()}
    expected = {key: [_spaced(text) for text in references[key]] for key in predictions}
    return token_metrics(expected, found, ("bleu", "meteor", "rouge_l"))


def _spaced(text: str) -> str:
    """Words joined by single spaces; ||| would end a text for METEOR's program."""
    return " ".join(text.replace("|||", "|").split())


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


def _of_captions(name: str) -> Scorer:
    return lambda predictions, references: caption_metrics(predictions, references, (name,))


GENERATION_METRICS: Mapping[str, Scorer] = {
    "bleu": _of_captions("bleu"),
    "rouge": rouge,
    "meteor": _of_captions("meteor"),
    "coqa_f1": coqa_f1,
    "question_generation": question_generation,
}
"""Metric name -> function of predictions and references."""
