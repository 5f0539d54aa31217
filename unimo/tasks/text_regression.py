"""A number for a text or a pair of texts: STS-B."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import paddle

from unimo.data.batch import Batch, collate
from unimo.data.examples import Example
from unimo.data.records import TextColumns, read_labelled_texts
from unimo.errors import InputError
from unimo.metrics.regression import pearson, spearman
from unimo.modeling import ModelInputs, Perturbations, UnimoModel
from unimo.objectives import regression_loss
from unimo.objectives.adversarial import AdversarialOptions, View
from unimo.tasks.downstream import DownstreamTask
from unimo.tasks.text_inputs import outputs_of, requested_examples, text_examples
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
    best_metric = "pearson"
    options: TextRegressionOptions

    def heads(self) -> dict[str, int]:
        """Text pooler and a head with one output."""
        return {"text_pooler": 0, "classifier": 1}

    def streams(self) -> list[TrainingStream]:
        """The training file."""
        examples = self._examples(self.context.data.train)

        def make_batch(indices: Sequence[int], epoch: int, step: int) -> StepBatch:
            return {"main": collate([examples[index] for index in indices], self.context.vocabulary.pad_id)}

        return [TrainingStream("texts", [example.num_tokens for example in examples], make_batch)]

    def view(self, model: UnimoModel, inputs: ModelInputs, batch: Batch, perturbations: Perturbations) -> View:
        """Squared error; the divergence of adversarial training has nothing to measure on one number."""
        values = model.heads["classifier"](model.pool_text(model(inputs, perturbations), inputs))
        return View(regression_loss(values, paddle.to_tensor(batch.labels)), values)

    def evaluate(self, model: UnimoModel, path: str | Path) -> Evaluation:
        """Pearson and Spearman correlation, and mean squared error, over a file."""
        examples = self._examples(path)
        values = self._values(model, examples)
        labels = np.asarray([example.label for example in examples])
        metrics = {
            "pearson": pearson(values, labels),
            "spearman": spearman(values, labels),
            "loss": float(np.mean((values - labels) ** 2)),
        }
        predictions = [
            {"record_id": example.record_id, "value": float(value)}
            for example, value in zip(examples, values, strict=True)
        ]
        return Evaluation(metrics, predictions)

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
        records = read_labelled_texts(path, self.options.columns)
        examples = []
        for record, example in zip(records, text_examples(self.context, records), strict=True):
            try:
                value = np.float32(record.label)
            except ValueError as error:
                line = int(record.record_id.rpartition(":")[2])
                raise InputError.at(path, f"label {record.label!r} is not a number", line) from error
            examples.append(replace(example, label=float(value)))
        return examples
