"""Text from text: summaries, questions, headlines, and answers in a conversation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from unimo.data.batch import collate
from unimo.data.examples import Example
from unimo.data.formats.generation import GenerationColumns, read_generation
from unimo.data.generation_examples import dialogue_example, generation_example, hide_history
from unimo.data.records import DialogueRecord, GenerationRecord, Outline, Record
from unimo.data.sampling import record_rng
from unimo.errors import InputError
from unimo.generation import DecodingSettings, TargetStart
from unimo.metrics.generation import generation_metrics
from unimo.modeling import UnimoModel
from unimo.objectives.adversarial import AdversarialOptions
from unimo.tasks.generating import GeneratingTask
from unimo.training.task import Evaluation, PredictionRequest, StepBatch, TrainingStream


@dataclass(frozen=True)
class TextGenerationOptions:
    """Settings of text generation. Defaults are the original's, without adversarial training."""

    columns: GenerationColumns = field(default_factory=GenerationColumns)
    """Where the files hold sources and target."""

    max_source_length: int = 512
    """Longest sources in tokens, special tokens included."""

    max_target_length: int = 128
    """Longest target in tokens, special tokens included."""

    continuous_positions: bool = False
    """Count positions through sources and target in place of restarting them."""

    num_turns: int = 0
    """Above 0 the records are conversations, of which this many turns, the answer counted, are read with turn and role
    embeddings."""

    label_smoothing: float = 0.1
    """Weight of the uniform distribution in the targets."""

    history_dropout: float = 0.0
    """Share of a target's own past hidden while its next token is predicted (ours)."""

    decoding: DecodingSettings = field(default_factory=DecodingSettings)
    """How texts are generated."""

    metrics: tuple[str, ...] = ("bleu", "rouge")
    """Metrics to compute: bleu, rouge, meteor, coqa_f1."""

    evaluate_texts: bool = True
    """Whether evaluation generates texts and scores them; perplexity is computed in any case."""

    adversarial: AdversarialOptions = field(default_factory=AdversarialOptions)
    """Adversarial training (FreeLB on the target)."""


class TextGeneration(GeneratingTask):
    """`[CLS] source [SEP] [CLS] target [MASK]`: the original ends its targets with [MASK]."""

    name = "text_generation"
    options_class = TextGenerationOptions
    loss_name = "generation"
    best_metric = "perplexity"
    lower_is_better = True
    options: TextGenerationOptions

    def config_changes(self) -> dict[str, int]:
        """Conversations need role and turn embeddings."""
        return {"num_roles": 3, "num_turns": self.options.num_turns} if self.options.num_turns else {}

    def read(self, path: str | Path) -> list[GenerationRecord] | list[DialogueRecord]:
        """Sources with targets, or conversations."""
        return read_generation(path, self.options.columns, dialogue=self.options.num_turns > 0)

    def text_limits(self) -> dict[str, int]:
        """Sources and targets have limits of their own."""
        return {"source": self.options.max_source_length, "target": self.options.max_target_length}

    def outline(self, record: Record) -> Outline:
        """Of a conversation the last turns."""
        if isinstance(record, DialogueRecord):
            return replace(record, turns=record.turns[-(self.options.num_turns - 1) :]).outline()
        return record.outline()

    def streams(self) -> list[TrainingStream]:
        """The training file."""
        records = self.read(self.context.data.train)
        if absent := [record.record_id for record in records if record.target is None]:
            raise InputError(f"{self.context.data.train}: {len(absent)} records have no target: {absent[0]}")
        examples = self._examples(records)

        def make_batch(indices: Sequence[int], epoch: int, step: int) -> StepBatch:
            chosen = [self._hide(examples[index], record_rng(self.context.seed, epoch, index)) for index in indices]
            return {"main": collate(chosen, self.context.vocabulary.pad_id)}

        return [TrainingStream("texts", [example.num_tokens for example in examples], make_batch)]

    def evaluate(self, model: UnimoModel, path: str | Path) -> Evaluation:
        """Perplexity of the targets, and scores of the generated texts."""
        records = self.read(path)
        known = [record for record in records if record.target is not None]
        metrics: dict[str, float | None] = {"perplexity": None}
        if known:
            total, count = self.target_losses(model, self._examples(known))
            metrics = {"perplexity": math.exp(total / count), "loss": total / count}
        if not self.options.evaluate_texts:
            return Evaluation(metrics)
        predictions = self._write(model, records)
        notes: list[str] = []
        if known:
            found = {each["record_id"]: each["text"] for each in predictions}
            expected = {record.record_id: [record.target or ""] for record in known}
            scores, notes = generation_metrics({name: found[name] for name in expected}, expected, self.options.metrics)
            metrics |= scores
        return Evaluation(metrics, predictions, notes)

    def predict(self, model: UnimoModel, request: PredictionRequest) -> list[dict[str, Any]]:
        """A text for every source; of several sources the last is the newest turn of a conversation."""
        if not request.texts:
            raise InputError("texts: text generation needs at least one source")
        records: list[GenerationRecord | DialogueRecord] = [
            DialogueRecord("", "", tuple(texts), None) if self.options.num_turns else GenerationRecord("", texts, None)
            for texts in request.texts
        ]
        written = self._write(model, records)
        return [
            {"source": list(texts), **{k: v for k, v in each.items() if k != "record_id"}}
            for texts, each in zip(request.texts, written, strict=True)
        ]

    def _write(self, model: UnimoModel, records: Sequence[GenerationRecord | DialogueRecord]) -> list[dict[str, Any]]:
        given = self._examples(records, with_targets=False)
        first = np.asarray([2 + e.num_tokens for e in given]) if self.options.continuous_positions else None
        found = self.decode(model, given, self._target_start(first))
        return [
            {"record_id": record.record_id, **self.written(hypotheses, "text")}
            for record, hypotheses in zip(records, found, strict=True)
        ]

    def _target_start(self, first_positions: np.ndarray | None) -> TargetStart:
        vocabulary = self.context.vocabulary
        role = 0 if self.options.num_turns else None
        return TargetStart(vocabulary.cls_id, vocabulary.mask_id, first_positions, role, role)

    def _examples(
        self, records: Sequence[GenerationRecord | DialogueRecord], with_targets: bool = True
    ) -> list[Example]:
        texts = [_texts_of(record, with_targets) for record in records]
        encoded = iter(self.context.tokenizer.encode_batch([text for each in texts for text in each]))
        return [
            self._example(record, [next(encoded) for _ in each], with_targets)
            for record, each in zip(records, texts, strict=True)
        ]

    def _example(
        self, record: GenerationRecord | DialogueRecord, token_ids: list[list[int]], with_target: bool
    ) -> Example:
        """One sequence from a record's texts, encoded: sources (knowledge first), then the target."""
        vocabulary, options = self.context.vocabulary, self.options
        target = token_ids.pop() if with_target else None
        limits = {"max_source_length": options.max_source_length, "max_target_length": options.max_target_length}
        end_id = vocabulary.mask_id
        if isinstance(record, DialogueRecord):
            knowledge, *turns = token_ids
            return dialogue_example(
                record.record_id, knowledge, turns, target, vocabulary, end_id, options.num_turns, **limits
            )
        continuous = options.continuous_positions
        return generation_example(
            record.record_id, token_ids, target, vocabulary, end_id, continuous_positions=continuous, **limits
        )

    def _hide(self, example: Example, rng: np.random.Generator) -> Example:
        return hide_history(example, self.options.history_dropout, self.context.vocabulary, rng)


def _texts_of(record: GenerationRecord | DialogueRecord, with_target: bool) -> list[str]:
    """A record's texts in the order of ``_example``."""
    given = [record.knowledge, *record.turns] if isinstance(record, DialogueRecord) else list(record.sources)
    return [*given, record.target or ""] if with_target else given
