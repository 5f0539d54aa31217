"""Visual entailment: does a sentence follow from an image? SNLI-VE."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import paddle.nn.functional as F

from unimo.data.batch import Batch
from unimo.data.compat.entailment import EntailmentReader
from unimo.data.compat.order import BatchRule
from unimo.data.compat.reader import OriginalReader, Pairs
from unimo.data.encoding import hypothesis_token_ids
from unimo.data.examples import Example
from unimo.data.formats.release import entailment_lines, entailment_of
from unimo.data.records import EntailmentRecord
from unimo.errors import InputError
from unimo.files import input_files
from unimo.metrics.classification import accuracy
from unimo.modeling import ModelInputs, Perturbations, UnimoModel
from unimo.modeling.tensors import as_tensor
from unimo.objectives import classification_loss
from unimo.objectives.adversarial import AdversarialOptions, View
from unimo.tasks.downstream import batch_accuracy, label_index, require_labels, softmax, unlabelled_notes
from unimo.tasks.image_text import ImageTexts, ImageTextTask, image_texts
from unimo.tasks.text_baseline import TfidfBaseline
from unimo.tasks.text_inputs import outputs_of
from unimo.training.task import Evaluation, PredictionRequest, Report, TrainingStream


@dataclass(frozen=True)
class VisualEntailmentOptions:
    """Settings of visual entailment."""

    labels: tuple[str, ...] = ("contradiction", "entailment", "neutral")
    """Labels as the file writes them; their order gives the class numbers, which stand in the release's files."""

    baseline: bool = False
    """Report the accuracy of TF-IDF and logistic regression, which read the hypotheses alone, as
    `text_only_accuracy`."""

    adversarial: AdversarialOptions = field(default_factory=AdversarialOptions)
    """Adversarial training; the original's recipe is villa."""


class VisualEntailment(ImageTextTask):
    """Softmax over two layers on the sum of both pooled vectors (original release)."""

    name = "visual_entailment"
    options_class = VisualEntailmentOptions
    loss_name = "entailment"
    best_metric = "accuracy"
    in_release = True
    options: VisualEntailmentOptions

    def heads(self) -> dict[str, int]:
        """Both poolers and the two-layer classifier."""
        return {"text_pooler": 0, "image_pooler": 0, "entailment": len(self.options.labels)}

    def read(self, path: str | Path) -> list[EntailmentRecord]:
        """Hypotheses about images."""
        return entailment_of(path, self.context.tokenizer)

    def label_value(self, label: str) -> int:
        """The class number."""
        return label_index(label, self.options.labels)

    def streams(self) -> list[TrainingStream]:
        """The training file; records without a label (SNLI-VE: no agreement) are left out and counted."""
        path = self.context.data.train
        if self.context.data.compat:
            return self.original_streams(self.original_reader(path))
        records = self.read(path)
        labels = self.labels_of(records, path)
        known = [index for index, label in enumerate(labels) if label is not None]
        if not known:
            raise InputError(f"{path}: none of {len(records)} records has a label")
        if len(known) < len(records) and self.context.processes.is_first:
            print(f"{path}: {len(records) - len(known)} of {len(records)} records have no label and are left out")
        texts = self._texts([records[index] for index in known], path)
        return [self.image_text_stream(texts, [labels[index] for index in known])]

    def original_reader(self, path: str | Path, train: bool = True) -> OriginalReader:
        """The original's reader of a file or filelist; it shuffles in evaluation too, which changes no score."""
        files = entailment_lines(path, self.context.tokenizer)
        records = [record for lines in files for record in lines]
        labels, texts = self.labels_of(records, path), self._texts(records, path)
        require_labels(labels, path)
        images, rule = self.context.require_images(), BatchRule.of_records(self.context.data)
        image_ids = images.of_lines(input_files(path), [[record.image_id for record in lines] for lines in files])
        labelled = [replace(texts.text(index), label=label) for index, label in enumerate(labels)]
        pairs = Pairs(labelled, image_ids, images, self.context.vocabulary, rule)
        return EntailmentReader(pairs, [len(lines) for lines in files], self.context.seed if train else None)

    def view(self, model: UnimoModel, inputs: ModelInputs, batch: Batch, perturbations: Perturbations) -> View:
        """Cross-entropy of the label."""
        logits = self._logits(model, inputs, perturbations)
        return View(classification_loss(logits, as_tensor(batch.labels)), logits)

    def report(self, logits: paddle.Tensor, batch: Batch) -> Report:
        """The batch's accuracy."""
        return {"accuracy": batch_accuracy(logits, batch)}

    def evaluate(self, model: UnimoModel, path: str | Path) -> Evaluation:
        """Accuracy and mean cross-entropy, and the share of the most frequent label, where there are labels."""
        records = self.read(path)
        labels, texts = self.labels_of(records, path), self._texts(records, path)
        logits = self._outputs(model, [texts.example(index) for index in range(len(labels))])
        predictions = [
            {"record_id": name, "label": self.options.labels[int(choice)]}
            for name, choice in zip(texts.record_ids, logits.argmax(axis=-1), strict=True)
        ]
        known = [index for index, label in enumerate(labels) if label is not None]
        metrics: dict[str, float | None] = {"accuracy": None}
        if known:
            expected = np.asarray([labels[index] for index in known])
            loss = float(F.cross_entropy(as_tensor(logits[known]), as_tensor(expected)))
            majority = float(np.bincount(expected).max() / len(expected))
            found = accuracy(logits[known].argmax(axis=-1), expected)
            metrics = {"accuracy": found, "loss": loss, "majority_accuracy": majority}
            if self.options.baseline:
                texts_of = [records[index].hypothesis for index in known]
                names = [self.options.labels[label] for label in expected]
                metrics["text_only_accuracy"] = self._text_only.accuracy(texts_of, names)
        return Evaluation(metrics, predictions, unlabelled_notes(len(known), len(records)))

    @functools.cached_property
    def _text_only(self) -> TfidfBaseline:
        """Fitted on every training hypothesis that has a label."""
        path = self.context.data.train
        records = self.read(path)
        known = [
            (r, label) for r, label in zip(records, self.labels_of(records, path), strict=True) if label is not None
        ]
        return TfidfBaseline([r.hypothesis for r, _ in known], [self.options.labels[label] for _, label in known])

    def predict(self, model: UnimoModel, request: PredictionRequest) -> list[dict[str, Any]]:
        """Label and probabilities of every image with every text."""
        pairs, examples = self.requested_pairs(request)
        return [
            {
                "image": image,
                "text": text,
                "label": self.options.labels[int(row.argmax())],
                "probabilities": dict(zip(self.options.labels, map(float, row), strict=True)),
            }
            for (image, text), row in zip(pairs, softmax(self._outputs(model, examples)), strict=True)
        ]

    def _outputs(self, model: UnimoModel, examples: Sequence[Example]) -> np.ndarray:
        return outputs_of(self.context, examples, lambda inputs: self._logits(model, inputs, Perturbations()))

    def _logits(self, model: UnimoModel, inputs: ModelInputs, perturbations: Perturbations) -> paddle.Tensor:
        hidden = model(inputs, perturbations)
        return model.heads["entailment"](model.pool_text(hidden, inputs) + model.pool_image(hidden, inputs))

    def _texts(self, records: Sequence[EntailmentRecord], path: str | Path) -> ImageTexts:
        rows = [(record.record_id, record.image_id, record.hypothesis) for record in records]
        return image_texts(self.context, rows, path, hypothesis_token_ids(records, self.context.tokenizer))
