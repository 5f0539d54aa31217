"""A number for a text or a pair of texts: STS-B."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import paddle

from unimo.data.batch import Batch
from unimo.data.compat.reader import OriginalReader
from unimo.data.examples import Example
from unimo.data.formats.tables import TextColumns, read_labelled_texts
from unimo.data.records import LabelledTextRecord
from unimo.errors import InputError
from unimo.metrics.regression import pearson, spearman
from unimo.modeling import ModelInputs, Perturbations, UnimoModel
from unimo.modeling.tensors import as_tensor
from unimo.objectives import regression_loss
from unimo.objectives.adversarial import AdversarialOptions, View
from unimo.tasks.downstream import DownstreamTask, require_labels, unlabelled_notes
from unimo.tasks.text_inputs import original_text_reader, outputs_of, requested_examples, text_examples
from unimo.training.task import Evaluation, PredictionRequest, StepBatch, TrainingStream


@dataclass(frozen=True)
class TextRegressionOptions:
    """Settings of a text regression task."""

    columns: TextColumns = field(default_factory=TextColumns)
    """Columns of the files; the label is a number."""

    adversarial: AdversarialOptions = field(default_factory=AdversarialOptions)
    """Adversarial training (FreeLB on the text)."""


class TextRegression(DownstreamTask):
    """One output on the pooled [CLS] state, by squared error (original release)."""

    name = "text_regression"
    options_class = TextRegressionOptions
    loss_name = "squared_error"
    reads_images = False
    best_metric = "pearson"
    in_release = True
    options: TextRegressionOptions

    def heads(self) -> dict[str, int]:
        """Text pooler and a head with one output."""
        return {"text_pooler": 0, "classifier": 1}

    def read(self, path: str | Path) -> list[LabelledTextRecord]:
        """Texts with numbers."""
        return read_labelled_texts(path, self.options.columns)

    def label_value(self, label: str) -> float:
        """The number."""
        try:
            value = float(np.float32(label))
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise ValueError(f"label {label!r} is not a number")
        return value

    def streams(self) -> list[TrainingStream]:
        """The training file."""
        if self.context.data.compat:
            return self.original_streams(self.original_reader(self.context.data.train))
        examples = self._examples(self.context.data.train)
        require_labels([example.label for example in examples], self.context.data.train)

        sizes = [(0, example.num_tokens) for example in examples]
        collate = self.context.collator(sizes)

        def make_batch(indices: Sequence[int], epoch: int, step: int) -> StepBatch:
            return {"main": collate([examples[index] for index in indices], indices)}

        return [TrainingStream("texts", [tokens for _, tokens in sizes], make_batch, sizes=sizes)]

    def original_reader(self, path: str | Path, train: bool = True) -> OriginalReader:
        """The original's reader of a file."""
        records = self.read(path)
        return original_text_reader(self.context, records, self._labelled(records, path), path, train)

    def view(self, model: UnimoModel, inputs: ModelInputs, batch: Batch, perturbations: Perturbations) -> View:
        """Squared error; the divergence of adversarial training has nothing to measure on one number."""
        values = model.heads["classifier"](model.pool_text(model(inputs, perturbations), inputs))
        return View(regression_loss(values, as_tensor(batch.labels)), values)

    def evaluate(self, model: UnimoModel, path: str | Path) -> Evaluation:
        """Pearson and Spearman correlation, and mean squared error, where there are labels; predictions for all."""
        examples = self._examples(path)
        values = self._values(model, examples)
        known = [index for index, example in enumerate(examples) if example.label is not None]
        metrics: dict[str, float | None] = {"pearson": None}
        if known:
            found, labels = values[known], np.asarray([examples[index].label for index in known])
            metrics = {
                "pearson": pearson(found, labels),
                "spearman": spearman(found, labels),
                "loss": float(np.mean((found - labels) ** 2)),
            }
        predictions = [
            {"record_id": example.record_id, "value": float(value)}
            for example, value in zip(examples, values, strict=True)
        ]
        return Evaluation(metrics, predictions, unlabelled_notes(len(known), len(examples)))

    def predict(self, model: UnimoModel, request: PredictionRequest) -> list[dict[str, Any]]:
        """The value of every text or pair of texts."""
        if not request.texts:
            raise InputError("texts: regression needs at least one")
        values = self._values(model, requested_examples(self.context, request))
        return [{"text": list(text), "value": float(v)} for text, v in zip(request.texts, values, strict=True)]

    def _values(self, model: UnimoModel, examples: Sequence[Example]) -> np.ndarray:
        def forward(inputs: ModelInputs) -> paddle.Tensor:
            return model.heads["classifier"](model.pool_text(model(inputs), inputs))

        return outputs_of(self.context, examples, forward)[:, 0]

    def _examples(self, path: str | Path) -> list[Example]:
        return self._labelled(self.read(path), path)

    def _labelled(self, records: Sequence[LabelledTextRecord], path: str | Path) -> list[Example]:
        labels = self.labels_of(records, path)
        examples = text_examples(self.context, records)
        return [replace(example, label=label) for example, label in zip(examples, labels, strict=True)]
