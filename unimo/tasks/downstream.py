"""What fine-tuning tasks share: one forward and loss, with or without adversarial perturbations around it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import paddle
from paddle import Tensor

from unimo.data.batch import Batch, collate
from unimo.data.compat.reader import OriginalReader
from unimo.data.records import EntailmentRecord, LabelledTextRecord
from unimo.errors import InputError
from unimo.modeling import ModelInputs, Perturbations, UnimoModel
from unimo.modeling.tensors import as_tensor
from unimo.objectives.adversarial import AdversarialOptions, Noise, View, adversarial_loss, start_noise
from unimo.training.task import Losses, Report, StepBatch, Task, TaskContext, TrainingStream, model_inputs


class DownstreamTask(Task):
    """A task with one loss over one batch. Subclasses write ``view``; adversarial training wraps it.

    Their options have a field ``adversarial``.
    """

    loss_name: ClassVar[str]
    """Name of the loss in the log."""

    reads_images: ClassVar[bool] = True
    """Whether its inputs have regions, which ``villa`` and ``freelb_image`` perturb."""

    def __init__(self, context: TaskContext, options: Any) -> None:
        """Refuse adversarial training of what the task does not read.

        Raises:
            InputError: naming ``options.adversarial.kind``.
        """
        super().__init__(context, options)
        kind = options.adversarial.kind
        if kind in ("villa", "freelb_image") and not self.reads_images:
            raise InputError(f"options.adversarial.kind: {kind}, but {self.name} reads no images; use freelb_text")

    @abstractmethod
    def view(self, model: UnimoModel, inputs: ModelInputs, batch: Batch, perturbations: Perturbations) -> View:
        """One forward: the loss, and the logits it is about."""

    def report(self, logits: Tensor, batch: Batch) -> Report:
        """Further numbers to log of a training batch."""
        return {}

    def losses(self, model: UnimoModel, batches: StepBatch) -> tuple[Losses, Report]:
        """The task's loss, or the parts of its adversarial form."""
        batch = batches["main"]
        inputs = model_inputs(batch)
        options: AdversarialOptions = self.options.adversarial
        if options.kind == "none":
            view = self.view(model, inputs, batch, Perturbations())
            return {self.loss_name: view.loss}, self.report(view.logits, batch)
        parts, logits = adversarial_loss(
            lambda perturbations: self.view(model, inputs, batch, perturbations),
            self.noise(model, inputs),
            options,
            model.parameters(),
        )
        return {f"{self.loss_name}.{name}": value for name, value in parts.items()}, self.report(logits, batch)

    def labels_of(
        self, records: Sequence[LabelledTextRecord] | Sequence[EntailmentRecord], path: str | Path
    ) -> list[Any]:
        """The value of every record's label, None where it has none.

        Raises:
            InputError: a label cannot be used; names its record.
        """
        values: list[Any] = []
        for record in records:
            try:
                values.append(self.label_value(record.label) if record.label else None)
            except ValueError as error:
                raise InputError(f"{path}: {record.record_id}: {error}") from error
        return values

    def original_streams(self, reader: OriginalReader, **neutral: object) -> list[TrainingStream]:
        """Training on the batches of the original release.

        ``neutral``: options that it has not -> the value that leaves its batches as they are.

        Raises:
            InputError: such an option has another value.
        """
        for name, value in neutral.items():
            if getattr(self.options, name) != value:
                raise InputError(f"options.{name}: not together with data.compat, which changes nothing of the batches")

        def make_batch(indices: Sequence[int], epoch: int, step: int) -> StepBatch:
            return {"main": collate(reader.examples(indices, epoch), self.context.vocabulary.pad_id)}

        # the readers know the lengths themselves
        return [TrainingStream("original", [1] * len(reader), make_batch, batches_of=reader.batches_of)]

    def noise(self, model: UnimoModel, inputs: ModelInputs) -> Noise:
        """Fresh starts of the perturbations: texts of [B, T, D], regions of [B, R, F]."""
        options: AdversarialOptions = self.options.adversarial
        text, regions = None, None
        if inputs.input_ids is not None:
            text = start_noise(self.perturbed_text(inputs), model.config.hidden_size, options)
        if inputs.region_features is not None:
            valid = inputs.segment_ids[:, : inputs.num_region_positions] > 0
            regions = start_noise(valid, int(inputs.region_features.shape[2]), options)
        return Noise(text, regions)

    def perturbed_text(self, inputs: ModelInputs) -> Tensor:
        """[B, T] bool: the text positions that may be perturbed; padding never is."""
        return inputs.segment_ids[:, inputs.num_region_positions :] > 0


def causal_positions(inputs: ModelInputs) -> Tensor:
    """[B, T] bool: the text positions that belong to a causal target (not object tags, not a source)."""
    first = inputs.num_region_positions
    return paddle.logical_and(inputs.segment_ids[:, first:] > 0, inputs.order_ids[:, first:] > 0)


def batch_accuracy(logits: Tensor, batch: Batch) -> float:
    """Share of [B, C] logits whose largest is the label."""
    return float(paddle.mean((paddle.argmax(logits, axis=-1) == as_tensor(batch.labels)).astype("float32")))


def softmax(logits: np.ndarray) -> np.ndarray:
    """[N, C] logits -> [N, C] probabilities."""
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def require_labels(labels: Sequence[Any], path: str | Path) -> None:
    """Refuse training records without a label.

    Raises:
        InputError: naming the file.
    """
    if absent := sum(label is None for label in labels):
        raise InputError(f"{path}: {absent} of {len(labels)} records have no label; is options.columns.label right?")


def label_index(label: str, labels: Sequence[str]) -> int:
    """The class number of a label; where labels are words, a file of the release writes the number itself.

    Raises:
        ValueError: it is none of them.
    """
    if label.isdecimal() and int(label) < len(labels) and not any(map(str.isdecimal, labels)):
        return int(label)
    if label not in labels:
        raise ValueError(f"label {label!r} is none of {list(labels)}")
    return labels.index(label)


def unlabelled_notes(num_labelled: int, num_records: int) -> list[str]:
    """What is said of an evaluated file whose records do not all have labels (or references)."""
    if num_labelled == num_records:
        return []
    return [f"{num_records - num_labelled} of {num_records} records have no label: predicted, not scored"]
