"""Predictions as the servers of GLUE, COCO captions and VQA take them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unimo.errors import InputError
from unimo.files import atomic_write, write_json
from unimo.regions.names import image_key

Predictions = Sequence[Mapping[str, Any]]
ENTAILMENT = ("contradiction", "entailment", "neutral")
HIGHEST_SIMILARITY = 5.0  # of STS-B; the lowest is 0


@dataclass(frozen=True)
class GlueFile:
    """One file of a GLUE submission."""

    num_rows: int
    """Records of the test set."""

    labels: tuple[str, ...] = ()
    """What a prediction may be; none: a number."""


GLUE: Mapping[str, GlueFile] = {
    "CoLA": GlueFile(1063, ("0", "1")),
    "SST-2": GlueFile(1821, ("0", "1")),
    "MRPC": GlueFile(1725, ("0", "1")),
    "STS-B": GlueFile(1379),
    "QQP": GlueFile(390965, ("0", "1")),
    "MNLI-m": GlueFile(9796, ENTAILMENT),
    "MNLI-mm": GlueFile(9847, ENTAILMENT),
    "QNLI": GlueFile(5463, ("entailment", "not_entailment")),
    "RTE": GlueFile(3000, ("entailment", "not_entailment")),
    "WNLI": GlueFile(146, ("0", "1")),
    "AX": GlueFile(1104, ENTAILMENT),
}
"""File name without suffix -> what stands in it."""

COCO, VQA = "coco", "vqa"


def check_submission(kind: str, task: str) -> None:
    """Refuse a format that the task's predictions do not fit, before they are made.

    Args:
        kind: a name of GLUE, `coco` or `vqa`.
        task: name of the task.

    Raises:
        InputError: there is no such format, or it is another task's.
    """
    if kind not in (*GLUE, COCO, VQA):
        raise InputError(f"submission: there is no format {kind!r}; there are {', '.join((*GLUE, COCO, VQA))}")
    expected = {COCO: "captioning", VQA: "question_answering"}.get(kind)
    if expected is None:
        expected = "text_classification" if GLUE[kind].labels else "text_regression"
    if task != expected:
        raise InputError(f"submission: {kind} takes predictions of {expected}, not of {task}")


def write_submission(folder: Path, split: str, kind: str, predictions: Predictions) -> tuple[Path, list[str]]:
    """Write a split's predictions as a server takes them.

    Args:
        folder: where to.
        split: name of the split; COCO's and VQA's files carry it.
        kind: as :func:`check_submission` has it.
        predictions: of the whole split, in the order of its records.

    Returns:
        the file, and notes on what a server may refuse.

    Raises:
        InputError: a prediction or an id that the format has no place for.
    """
    if kind == COCO:
        path = folder / f"captions_{split}_results.json"
        write_json(path, list(_coco_rows(predictions, split)))
        return path, []
    if kind == VQA:
        path = folder / f"vqa_{split}_results.json"
        write_json(path, list(_vqa_rows(predictions, split)))
        return path, []
    path, (values, notes) = folder / f"{kind}.tsv", _glue_values(kind, predictions, split)
    with atomic_write(path) as stream:
        stream.write("index\tprediction\n")
        stream.writelines(f"{index}\t{value}\n" for index, value in enumerate(values))
    return path, notes


def _glue_values(kind: str, predictions: Predictions, split: str) -> tuple[list[str], list[str]]:
    """Labels or numbers as GLUE writes them, by record order, and notes."""
    file = GLUE[kind]
    notes = []
    if len(predictions) != file.num_rows:
        notes.append(f"{kind}.tsv: {len(predictions)} rows, but GLUE's test set has {file.num_rows}")
    if file.labels:
        labels = [str(prediction["label"]) for prediction in predictions]
        if strangers := sorted(set(labels) - set(file.labels)):
            raise InputError(f"{split}: {kind} takes {', '.join(file.labels)}, but {strangers[0]!r} was predicted")
        return labels, notes
    values = [float(prediction["value"]) for prediction in predictions]
    if outside := sum(not 0 <= value <= HIGHEST_SIMILARITY for value in values):
        notes.append(f"{kind}.tsv: {outside} values were set to the nearest of 0 and {HIGHEST_SIMILARITY:g}")
    return [f"{min(HIGHEST_SIMILARITY, max(0.0, value)):.4f}" for value in values], notes


def _coco_rows(predictions: Predictions, split: str) -> Iterator[dict[str, Any]]:
    seen: set[int] = set()
    for prediction in predictions:
        number = _number(image_key(str(prediction["image_id"])), f"{split}: image {prediction['image_id']!r}")
        if number in seen:
            raise InputError(f"{split}: image {number} is captioned twice, COCO takes one caption an image")
        seen.add(number)
        yield {"image_id": number, "caption": str(prediction["caption"]).strip()}


def _vqa_rows(predictions: Predictions, split: str) -> Iterator[dict[str, Any]]:
    for prediction in predictions:
        number = _number(str(prediction["question_id"]), f"{split}: question {prediction['question_id']!r}")
        yield {"question_id": number, "answer": str(prediction["answer"])}


def _number(text: str, what: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise InputError(f"{what} has no number, which the server knows it by")
    return int(text)
