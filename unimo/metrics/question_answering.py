"""Accuracy of answers to visual questions (VQA v2's official evaluation)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from unimo.data.answers import normalize_answer


def vqa_accuracy(predictions: Mapping[str, str], answers: Mapping[str, Sequence[str]]) -> float:
    """Mean over questions of the agreement with people, in [0, 1].

    For each of a question's answers, the prediction is compared with the others: min(1, matches / 3); the mean of
    these counts. A question with a single answer is right or wrong.

    Args:
        predictions: question id -> answer.
        answers: question id -> the answers that people gave, at least one; the same ids.
    """
    if set(predictions) != set(answers) or not answers:
        raise ValueError("predictions and answers are of different questions, or there are none")
    return sum(_agreement(predictions[name], given) for name, given in answers.items()) / len(answers)


def _agreement(prediction: str, given: Sequence[str]) -> float:
    wanted = normalize_answer(prediction)
    matches = [normalize_answer(answer) == wanted for answer in given]
    if len(given) == 1:
        return float(matches[0])
    return sum(min(1.0, (sum(matches) - match) / 3) for match in matches) / len(given)
