"""What tasks on a text or a pair of texts share: records as examples, and outputs for all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from paddle import Tensor

from unimo.data.batch import collate
from unimo.data.compat.order import BatchRule
from unimo.data.compat.text import TextReader
from unimo.data.examples import Example, text_example
from unimo.data.records import LabelledTextRecord
from unimo.data.sampling import sequential_batches
from unimo.errors import InputError
from unimo.modeling import ModelInputs
from unimo.tasks.downstream import require_labels
from unimo.training.task import PredictionRequest, TaskContext, model_inputs

Forward = Callable[[ModelInputs], Tensor]


def text_examples(context: TaskContext, records: Sequence[LabelledTextRecord]) -> list[Example]:
    """``[CLS] a [SEP]`` or ``[CLS] a [SEP] b [SEP]`` of every record, without labels."""
    texts = [[record.text_a, *([] if record.text_b is None else [record.text_b])] for record in records]
    return _encoded(context, [record.record_id for record in records], texts)


def original_text_reader(
    context: TaskContext,
    records: Sequence[LabelledTextRecord],
    examples: Sequence[Example],
    path: str | Path,
    train: bool,
) -> TextReader:
    """The original's reader of the labelled texts of a file, whose examples are given."""
    require_labels([example.label for example in examples], path)
    query_ids: list[int | None] = []
    for record in records:
        if record.query_id is not None and not record.query_id.isdecimal():
            raise InputError(f"{path}: {record.record_id}: qid {record.query_id!r} is not a number")
        query_ids.append(None if record.query_id is None else int(record.query_id))
    return TextReader(examples, context.vocabulary, BatchRule.of(context.data), train, query_ids)


def requested_examples(context: TaskContext, request: PredictionRequest) -> list[Example]:
    """The texts that a user wants predictions for."""
    return _encoded(context, [""] * len(request.texts), [list(texts) for texts in request.texts])


def outputs_of(context: TaskContext, examples: Sequence[Example], forward: Forward) -> np.ndarray:
    """[N, C] outputs of ``forward`` for all examples, those of similar length in one batch."""
    rows: list[np.ndarray] = [np.zeros(0)] * len(examples)
    lengths = [example.num_regions + example.num_tokens for example in examples]

    def compute(indices: list[int]) -> np.ndarray:
        batch = collate([examples[index] for index in indices], context.vocabulary.pad_id)
        return forward(model_inputs(batch)).numpy()

    batches = sequential_batches(lengths, context.data.tokens_per_batch)
    for indices, outputs in zip(batches, context.processes.map(compute, batches), strict=True):
        for index, row in zip(indices, outputs, strict=True):
            rows[index] = row
    return np.stack(rows)


def _encoded(context: TaskContext, names: Sequence[str], texts: Sequence[Sequence[str]]) -> list[Example]:
    flat = iter(context.tokenizer.encode_batch([text for each in texts for text in each]))
    limit = context.data.max_text_length
    return [
        text_example(name, [next(flat) for _ in each], context.vocabulary, limit)
        for name, each in zip(names, texts, strict=True)
    ]
