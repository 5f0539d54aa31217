"""Visual question answering as classification over frequent answers: VQA v2 (PAPER section 5)."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import paddle.nn.functional as F

from unimo.data.answers import normalize_answer, read_answers, soft_scores
from unimo.data.batch import Batch
from unimo.data.examples import Example
from unimo.data.formats.questions import read_questions
from unimo.data.records import QuestionRecord
from unimo.errors import InputError
from unimo.metrics.question_answering import vqa_accuracy
from unimo.modeling import ModelInputs, Perturbations, UnimoModel
from unimo.modeling.tensors import as_tensor
from unimo.objectives.adversarial import AdversarialOptions, View
from unimo.tasks.downstream import unlabelled_notes
from unimo.tasks.image_text import ImageTexts, ImageTextTask, image_texts
from unimo.tasks.text_baseline import TfidfBaseline
from unimo.tasks.text_inputs import outputs_of
from unimo.training.task import Evaluation, PredictionRequest, TaskContext, TrainingStream


@dataclass(frozen=True)
class QuestionAnsweringOptions:
    """Settings of visual question answering."""

    answers: str = ""
    """JSON list of the answers to choose from (`unimo build-answers` makes it); empty takes every answer of the
    training file."""

    baseline: bool = False
    """Report the accuracy of TF-IDF and logistic regression, which read the questions alone, as
    `text_only_accuracy`."""

    adversarial: AdversarialOptions = field(default_factory=AdversarialOptions)
    """Adversarial training (VILLA or FreeLB)."""


class QuestionAnswering(ImageTextTask):
    """A sigmoid for every answer, on two layers over the product of both pooled vectors (PAPER section 5)."""

    name = "question_answering"
    options_class = QuestionAnsweringOptions
    loss_name = "answers"
    best_metric = "accuracy"
    options: QuestionAnsweringOptions

    def __init__(self, context: TaskContext, options: QuestionAnsweringOptions) -> None:
        super().__init__(context, options)
        self.answers = read_answers(options.answers) if options.answers else self._training_answers()
        self._numbers = {answer: number for number, answer in enumerate(self.answers)}

    def heads(self) -> dict[str, int]:
        """Both poolers and a two-layer head with one output an answer."""
        return {"text_pooler": 0, "image_pooler": 0, "answers": len(self.answers)}

    def read(self, path: str | Path) -> list[QuestionRecord]:
        """Questions about images."""
        return read_questions(path)

    def streams(self) -> list[TrainingStream]:
        """The training file; questions none of whose answers can be chosen are left out and counted."""
        records = self.read(self.context.data.train)
        targets = [self._targets(record) for record in records]
        kept = [index for index, scores in enumerate(targets) if scores.any()]
        if not kept:
            raise InputError(f"{self.context.data.train}: none of {len(records)} questions has an answer of the list")
        if len(kept) < len(records) and self.context.processes.is_first:
            print(f"{len(records) - len(kept)} of {len(records)} questions have no answer in the list and are left out")
        texts = self._texts([records[index] for index in kept], self.context.data.train)
        return [self.image_text_stream(texts, [targets[index] for index in kept])]

    def view(self, model: UnimoModel, inputs: ModelInputs, batch: Batch, perturbations: Perturbations) -> View:
        """Binary cross-entropy summed over answers, averaged over questions (PAPER section 5)."""
        logits = self._logits(model, inputs, perturbations)
        targets = as_tensor(batch.labels)
        summed = F.binary_cross_entropy_with_logits(logits, targets, reduction="sum")
        return View(summed / logits.shape[0], logits)

    def evaluate(self, model: UnimoModel, path: str | Path) -> Evaluation:
        """Official accuracy where answers are given; predictions in any case."""
        records = self.read(path)
        texts = self._texts(records, path)
        chosen = self._outputs(model, [texts.example(index) for index in range(len(records))]).argmax(axis=-1)
        found = {record.record_id: self.answers[int(each)] for record, each in zip(records, chosen, strict=True)}
        expected = {record.record_id: record.answers for record in records if record.answers}
        metrics: dict[str, float | None] = {"accuracy": None}
        if expected:
            metrics["accuracy"] = vqa_accuracy({name: found[name] for name in expected}, expected)
            best = {name: self._constant_answer(expected) for name in expected}
            metrics["constant_accuracy"] = vqa_accuracy(best, expected)
            if self.options.baseline:
                texts_of = [record.question for record in records if record.answers]
                guesses = dict(zip(expected, self._text_only.predict(texts_of), strict=True))
                metrics["text_only_accuracy"] = vqa_accuracy(guesses, expected)
        predictions = [{"question_id": name, "answer": answer} for name, answer in found.items()]
        return Evaluation(metrics, predictions, unlabelled_notes(len(expected), len(records)))

    def predict(self, model: UnimoModel, request: PredictionRequest) -> list[dict[str, Any]]:
        """The answer to every question about every image, with its probability."""
        pairs, examples = self.requested_pairs(request)
        logits = self._outputs(model, examples)
        return [
            {
                "image": image,
                "question": text,
                "answer": self.answers[int(row.argmax())],
                "probability": float(1 / (1 + np.exp(-row.max()))),
            }
            for (image, text), row in zip(pairs, logits, strict=True)
        ]

    @functools.cached_property
    def _text_only(self) -> TfidfBaseline:
        """Fitted on every training question with the answer that it was given most often."""
        records = [record for record in self.read(self.context.data.train) if record.answers]
        answers = [Counter(map(normalize_answer, record.answers)).most_common(1)[0][0] for record in records]
        return TfidfBaseline([record.question for record in records], answers)

    def _constant_answer(self, expected: dict[str, tuple[str, ...]]) -> str:
        """The most frequent of the given answers."""
        names, counts = np.unique(
            [normalize_answer(a) for given in expected.values() for a in given], return_counts=True
        )
        return str(names[counts.argmax()])

    def _training_answers(self) -> list[str]:
        records = self.read(self.context.data.train)
        return sorted({normalize_answer(answer) for record in records for answer in record.answers})

    def _targets(self, record: QuestionRecord) -> np.ndarray:
        """[C] score of every answer that can be chosen."""
        scores = np.zeros(len(self.answers), np.float32)
        for answer, score in soft_scores(record.answers).items():
            if answer in self._numbers:
                scores[self._numbers[answer]] = score
        return scores

    def _texts(self, records: Sequence[QuestionRecord], path: str | Path) -> ImageTexts:
        return image_texts(self.context, [(r.record_id, r.image_id, r.question) for r in records], path)

    def _outputs(self, model: UnimoModel, examples: Sequence[Example]) -> np.ndarray:
        return outputs_of(self.context, examples, lambda inputs: self._logits(model, inputs, Perturbations()))

    def _logits(self, model: UnimoModel, inputs: ModelInputs, perturbations: Perturbations) -> paddle.Tensor:
        hidden = model(inputs, perturbations)
        return model.heads["answers"](model.pool_text(hidden, inputs) * model.pool_image(hidden, inputs))
