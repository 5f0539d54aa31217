"""Accuracy of answers to visual questions (VQA v2's official evaluation)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from unimo.data.answers import normalize_answer, trim_answer


def vqa_accuracy(predictions: Mapping[str, str], answers: Mapping[str, Sequence[str]]) -> float:
    """Mean over questions of the agreement with people, in [0, 1].

    For each of a question's answers, the prediction is compared with the others: min(1, matches / 3); the mean of
    these counts. Answers are normalised only where people's are not all the same; where they are, the prediction must
    be written as they wrote it (official evaluation). A question with a single answer, of which the official data has
    none, is right or wrong, normalised.

    Args:
        predictions: question id -> answer.
        answers: question id -> the answers that people gave, at least one; the same ids.
    """
    if set(predictions) != set(answers) or not answers:
        raise ValueError("predictions and answers are of different questions, or there are none")
    return sum(_agreement(predictions[name], given) for name, given in answers.items()) / len(answers)


def _agreement(prediction: str, given: Sequence[str]) -> float:
    if len(given) == 1:
        return float(normalize_answer(prediction) == normalize_answer(given[0]))
    differ = len({trim_answer(answer) for answer in given}) > 1
    compared = normalize_answer if differ else trim_answer
    wanted = compared(prediction)
    matches = [compared(answer) == wanted for answer in given]
    return sum(min(1.0, (sum(matches) - match) / 3) for match in matches) / len(given)
