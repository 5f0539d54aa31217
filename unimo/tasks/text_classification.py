"""Classification of a text or a pair of texts: SST-2, CoLA, MNLI and their like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import paddle.nn.functional as F

from unimo.data.batch import Batch
from unimo.data.compat.reader import OriginalReader
from unimo.data.examples import Example, TokenTargets
from unimo.data.formats.tables import TextColumns, read_labelled_texts
from unimo.data.records import LabelledTextRecord
from unimo.data.sampling import record_rng
from unimo.errors import InputError
from unimo.metrics.classification import accuracy, f1, matthews
from unimo.modeling import ModelInputs, Perturbations, UnimoModel, gather_rows
from unimo.modeling.tensors import as_tensor
from unimo.objectives import classification_loss, language_loss
from unimo.objectives.adversarial import AdversarialOptions, View
from unimo.tasks.downstream import (
    DownstreamTask,
    batch_accuracy,
    label_index,
    require_labels,
    softmax,
    unlabelled_notes,
)
from unimo.tasks.text_baseline import TfidfBaseline
from unimo.tasks.text_inputs import original_text_reader, outputs_of, requested_examples, text_examples
from unimo.training.task import (
    Evaluation,
    Losses,
    PredictionRequest,
    Report,
    StepBatch,
    TaskContext,
    TrainingStream,
    model_inputs,
)


@dataclass(frozen=True)
class TextClassificationOptions:
    """Settings of a text classification task."""

    labels: tuple[str, ...] = ("0", "1")
    """Labels as the file writes them; their order gives the class numbers."""

    token_dropout: float = 0.0
    """Share of a training text's tokens hidden behind [MASK] (ours; helps small models trained from scratch)."""

    masked_language_weight: float = 0.0
    """Weight of predicting those hidden tokens beside the label (ours)."""

    label_smoothing: float = 0.0
    """Weight of the uniform distribution in the targets."""

    baseline: bool = False
    """Report the accuracy of TF-IDF and logistic regression, fitted on the same records, as `baseline_accuracy`."""

    columns: TextColumns = field(default_factory=TextColumns)
    """Columns of the files."""

    adversarial: AdversarialOptions = field(default_factory=AdversarialOptions)
    """Adversarial training (FreeLB on the text)."""


class TextClassification(DownstreamTask):
    """Softmax over the pooled [CLS] state."""

    name = "text_classification"
    options_class = TextClassificationOptions
    loss_name = "classification"
    reads_images = False
    best_metric = "accuracy"
    in_release = True
    options: TextClassificationOptions

    def __init__(self, context: TaskContext, options: TextClassificationOptions) -> None:
        super().__init__(context, options)
        if options.masked_language_weight and options.adversarial.kind != "none":
            raise InputError("options.masked_language_weight: not together with adversarial training")
        self._baseline: TfidfBaseline | None = None
        self._baseline_scores: dict[str, float] = {}

    def heads(self) -> dict[str, int]:
        """Text pooler and a classifier with one output a label."""
        heads = {"text_pooler": 0, "classifier": len(self.options.labels)}
        return heads | {"masked_language": 0} if self.options.masked_language_weight else heads

    def read(self, path: str | Path) -> list[LabelledTextRecord]:
        """Texts with labels."""
        return read_labelled_texts(path, self.options.columns)

    def label_value(self, label: str) -> int:
        """The class number."""
        return label_index(label, self.options.labels)

    def streams(self) -> list[TrainingStream]:
        """The training file."""
        if self.context.data.compat:
            return self.original_streams(self.original_reader(self.context.data.train), token_dropout=0.0)
        examples = self._examples(self.context.data.train)
        require_labels([example.label for example in examples], self.context.data.train)

        sizes = [(0, example.num_tokens) for example in examples]
        collate = self.context.collator(sizes)

        def make_batch(indices: Sequence[int], epoch: int, step: int) -> StepBatch:
            return {
                "main": collate(
                    [self._hide(examples[i], record_rng(self.context.seed, epoch, i)) for i in indices], indices
                )
            }

        return [TrainingStream("texts", [tokens for _, tokens in sizes], make_batch, sizes=sizes)]

    def original_reader(self, path: str | Path, train: bool = True) -> OriginalReader:
        """The original's reader of a file."""
        records = self.read(path)
        return original_text_reader(self.context, records, self._labelled(records, path), path, train)

    def losses(self, model: UnimoModel, batches: StepBatch) -> tuple[Losses, Report]:
        """Cross-entropy of the label and, where asked for, of the hidden tokens."""
        batch = batches["main"]
        if not self.options.masked_language_weight or batch.token_rows is None:
            return super().losses(model, batches)
        inputs = model_inputs(batch)
        hidden = model(inputs)
        view = self._classify(model, hidden, inputs, batch)
        rows = gather_rows(hidden, as_tensor(batch.token_rows))
        predicted = language_loss(model.language_logits(rows), as_tensor(batch.token_labels))
        losses = {self.loss_name: view.loss, "masked_language": self.options.masked_language_weight * predicted}
        return losses, self.report(view.logits, batch)

    def loss_counts(self, batches: StepBatch) -> Mapping[str, float]:
        """Rows, but hidden tokens for their prediction."""
        hidden = sum(0 if batch.token_rows is None else len(batch.token_rows) for batch in batches.values())
        return {**super().loss_counts(batches), "masked_language": hidden}

    def view(self, model: UnimoModel, inputs: ModelInputs, batch: Batch, perturbations: Perturbations) -> View:
        """Cross-entropy of the label."""
        return self._classify(model, model(inputs, perturbations), inputs, batch)

    def report(self, logits: paddle.Tensor, batch: Batch) -> Report:
        """The batch's accuracy."""
        return {"accuracy": batch_accuracy(logits, batch)}

    def _classify(self, model: UnimoModel, hidden: paddle.Tensor, inputs: ModelInputs, batch: Batch) -> View:
        logits = model.heads["classifier"](model.pool_text(hidden, inputs))
        return View(classification_loss(logits, as_tensor(batch.labels), self.options.label_smoothing), logits)

    def evaluate(self, model: UnimoModel, path: str | Path) -> Evaluation:
        """Accuracy and mean cross-entropy over the records of a file that have labels; predictions for all."""
        examples = self._examples(path)
        logits = self._logits(model, examples)
        predictions = [
            {"record_id": example.record_id, "label": self.options.labels[int(choice)]}
            for example, choice in zip(examples, logits.argmax(axis=-1), strict=True)
        ]
        known = [index for index, example in enumerate(examples) if example.label is not None]
        metrics: dict[str, float | None] = {"accuracy": None}
        if known:
            metrics = self._scores(logits[known], np.asarray([examples[index].label for index in known]))
            if self.options.baseline:
                metrics["baseline_accuracy"] = self._baseline_accuracy(path)
        return Evaluation(metrics, predictions, unlabelled_notes(len(known), len(examples)))

    def _scores(self, logits: np.ndarray, labels: np.ndarray) -> dict[str, float | None]:
        predicted = logits.argmax(axis=-1)
        loss = float(F.cross_entropy(as_tensor(logits), as_tensor(labels)))
        scores: dict[str, float | None] = {"accuracy": accuracy(predicted, labels), "loss": loss}
        if len(self.options.labels) == 2:
            scores["f1"] = f1(predicted, labels)
        return scores | {"matthews": matthews(predicted, labels)}

    def _baseline_accuracy(self, path: str | Path) -> float:
        """Accuracy of the baseline on a file; it is fitted once, and every file scored once."""
        if self._baseline is None:
            self._baseline = TfidfBaseline(*_texts_and_labels(self.read(self.context.data.train)))
        if str(path) not in self._baseline_scores:
            self._baseline_scores[str(path)] = self._baseline.accuracy(*_texts_and_labels(self.read(path)))
        return self._baseline_scores[str(path)]

    def predict(self, model: UnimoModel, request: PredictionRequest) -> list[dict[str, Any]]:
        """Label and probabilities of every text or pair of texts."""
        if not request.texts:
            raise InputError("texts: classification needs at least one")
        probabilities = softmax(self._logits(model, requested_examples(self.context, request)))
        return [
            {
                "text": list(text),
                "label": self.options.labels[int(row.argmax())],
                "probabilities": dict(zip(self.options.labels, map(float, row), strict=True)),
            }
            for text, row in zip(request.texts, probabilities, strict=True)
        ]

    def _hide(self, example: Example, rng: np.random.Generator) -> Example:
        """The example with some tokens hidden; special tokens stay."""
        if self.options.token_dropout == 0:
            return example
        assert example.token_ids is not None
        hidden = rng.random(example.num_tokens) < self.options.token_dropout
        hidden &= ~np.isin(example.token_ids, self.context.tokenizer.special_ids)
        targets = TokenTargets(np.flatnonzero(hidden), example.token_ids[hidden])
        token_ids = np.where(hidden, self.context.vocabulary.mask_id, example.token_ids)
        return replace(example, token_ids=token_ids, token_targets=targets)

    def _logits(self, model: UnimoModel, examples: Sequence[Example]) -> np.ndarray:
        def forward(inputs: ModelInputs) -> paddle.Tensor:
            return model.heads["classifier"](model.pool_text(model(inputs), inputs))

        return outputs_of(self.context, examples, forward)

    def _examples(self, path: str | Path) -> list[Example]:
        return self._labelled(self.read(path), path)

    def _labelled(self, records: Sequence[LabelledTextRecord], path: str | Path) -> list[Example]:
        labels = self.labels_of(records, path)
        examples = text_examples(self.context, records)
        return [replace(example, label=label) for example, label in zip(examples, labels, strict=True)]


def _texts_and_labels(records: Sequence[LabelledTextRecord]) -> tuple[list[str], list[str]]:
    """Of the records that have a label; a pair of texts is read as one."""
    labelled = [record for record in records if record.label]
    return [" ".join(filter(None, (r.text_a, r.text_b))) for r in labelled], [str(r.label) for r in labelled]
