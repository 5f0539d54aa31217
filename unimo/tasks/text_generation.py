"""Text from text: summaries, questions, headlines, and answers in a conversation."""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from unimo.data.compat.generation import GenerationReader, Limits, cut_sources, cut_target
from unimo.data.compat.order import BatchRule
from unimo.data.compat.reader import OriginalReader
from unimo.data.encoding import generation_token_ids
from unimo.data.examples import Example
from unimo.data.formats.generation import GenerationColumns, read_generation
from unimo.data.formats.release import tokenized
from unimo.data.generation_examples import FIRST_POSITION, dialogue_example, generation_example, hide_history
from unimo.data.records import DialogueRecord, GenerationRecord, Outline, Record
from unimo.data.sampling import record_rng
from unimo.errors import InputError
from unimo.generation import DecodingSettings, TargetStart
from unimo.metrics.generation import check_generation_metrics, generation_metrics
from unimo.modeling import UnimoModel
from unimo.objectives.adversarial import AdversarialOptions
from unimo.tasks.downstream import unlabelled_notes
from unimo.tasks.generating import GeneratingTask
from unimo.tasks.generation_baselines import GenerationBaselines
from unimo.training.task import Evaluation, PredictionRequest, StepBatch, TrainingStream


@dataclass(frozen=True)
class TextGenerationOptions:
    """Settings of text generation. Defaults are the original's, without adversarial training."""

    columns: GenerationColumns = field(default_factory=GenerationColumns)
    """Where the files hold sources and target."""

    tokenized_input: bool = False
    """Whether the files hold GPT-2's numbers of tokens, separated by spaces, in place of words (original release)."""

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
    """Metrics to compute: bleu, rouge, meteor, coqa_f1, question_generation (BLEU, METEOR and ROUGE-L as SQuAD question
    generation counts them)."""

    baselines: bool = False
    """Report what a unigram model (`unigram_perplexity`), copying the source (`copied_bleu_4`) and one constant text
    (`constant_bleu_4`) reach, all fitted on the training file."""

    evaluate_texts: bool = True
    """Whether evaluation generates texts and scores them; perplexity is computed in any case."""

    adversarial: AdversarialOptions = field(default_factory=AdversarialOptions)
    """Adversarial training (FreeLB on the target)."""

    def __post_init__(self) -> None:
        """Refuse metrics that cannot be computed."""
        check_generation_metrics(self.metrics)


class TextGeneration(GeneratingTask):
    """`[CLS] source [SEP] [CLS] target [MASK]`: the original ends its targets with [MASK]."""

    name = "text_generation"
    options_class = TextGenerationOptions
    loss_name = "generation"
    reads_images = False
    best_metric = "perplexity"
    in_release = True
    options: TextGenerationOptions

    def config_changes(self) -> dict[str, int]:
        """Conversations need role and turn embeddings."""
        return {"num_roles": 3, "num_turns": self.options.num_turns} if self.options.num_turns else {}

    def read(self, path: str | Path) -> Sequence[GenerationRecord | DialogueRecord]:
        """Sources with targets, or conversations."""
        records = read_generation(path, self.options.columns, dialogue=self.options.num_turns > 0)
        if not self.options.tokenized_input:
            return records
        return [tokenized(record, self.context.tokenizer, path) for record in records]

    def text_limits(self) -> dict[str, int]:
        """Sources and targets have limits of their own."""
        return {"source": self.options.max_source_length, "target": self.options.max_target_length}

    def longest_texts(self) -> dict[str, int]:
        """Source, target and what is written; one after another where positions are counted through."""
        options = self.options
        lengths = {
            "options.max_target_length": options.max_target_length,
            "options.decoding.max_length": options.decoding.max_length,
        }
        if options.continuous_positions:
            source = options.max_source_length
            return {f"options.max_source_length + {key}": source + length for key, length in lengths.items()}
        return {"options.max_source_length": options.max_source_length, **lengths}

    def outline(self, record: Record) -> Outline:
        """Of a conversation the last turns."""
        if isinstance(record, DialogueRecord):
            return replace(record, turns=record.turns[-(self.options.num_turns - 1) :]).outline()
        return record.outline()

    def streams(self) -> list[TrainingStream]:
        """The training file."""
        if self.context.data.compat:
            return self.original_streams(self.original_reader(self.context.data.train), history_dropout=0.0)
        examples = self._examples(self._with_targets(self.context.data.train))
        sizes = [(0, example.num_tokens) for example in examples]
        collate = self.context.collator(sizes)

        def make_batch(indices: Sequence[int], epoch: int, step: int) -> StepBatch:
            chosen = [self._hide(examples[index], record_rng(self.context.seed, epoch, index)) for index in indices]
            return {"main": collate(chosen, indices)}

        return [TrainingStream("texts", [tokens for _, tokens in sizes], make_batch, sizes=sizes)]

    def original_reader(
        self, path: str | Path, train: bool = True, with_targets: bool = True, target_sentence_id: int = 1
    ) -> OriginalReader:
        """The original's reader of a file; without targets it reads for decoding."""
        records = self._with_targets(path) if with_targets else self.read(path)
        return GenerationReader(
            self._examples(records, with_targets),
            self.context.vocabulary,
            BatchRule.of(self.context.data),
            self.context.seed if train else None,
            self.options.continuous_positions,
            target_sentence_id,
        )

    def evaluate(self, model: UnimoModel, path: str | Path) -> Evaluation:
        """Perplexity of the targets, and scores of the generated texts."""
        records = self.read(path)
        known = [record for record in records if record.target is not None]
        metrics: dict[str, float | None] = {"perplexity": None}
        if known:
            total, count = self.target_losses(model, self._examples(known))
            metrics = {"perplexity": math.exp(total / count), "loss": total / count}
            if self.options.baselines:
                metrics |= self._baseline_scores(path, known)
        if not self.options.evaluate_texts:
            return Evaluation(metrics)
        predictions = self._write(model, records)
        notes = unlabelled_notes(len(known), len(records))
        if known:
            found = {each["record_id"]: each["text"] for each in predictions}
            expected = {record.record_id: _references(record) for record in known}
            scores, said = generation_metrics({name: found[name] for name in expected}, expected, self.options.metrics)
            metrics |= scores
            notes += said
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

    def _baseline_scores(
        self, path: str | Path, records: Sequence[GenerationRecord | DialogueRecord]
    ) -> dict[str, float | None]:
        """What the baselines reach on a file; they are fitted once, and every file scored once."""
        if str(path) not in self._scored_baselines:
            targets = self.context.tokenizer.encode_batch([record.target or "" for record in records])
            found: dict[str, float | None] = {"unigram_perplexity": self._baselines.perplexity(targets)}
            sources = [" ".join(_sources(record)) for record in records]
            references = [_references(record) for record in records]
            self._scored_baselines[str(path)] = found | self._baselines.scores(sources, references)
        return self._scored_baselines[str(path)]

    @functools.cached_property
    def _scored_baselines(self) -> dict[str, dict[str, float | None]]:
        return {}

    @functools.cached_property
    def _baselines(self) -> GenerationBaselines:
        targets = [record.target or "" for record in self._with_targets(self.context.data.train)]
        token_ids = self.context.tokenizer.encode_batch(targets)
        return GenerationBaselines(targets, token_ids, self.context.vocabulary.size)

    def _write(self, model: UnimoModel, records: Sequence[GenerationRecord | DialogueRecord]) -> list[dict[str, Any]]:
        given = self._examples(records, with_targets=False)
        found = self.decode(model, given, self._target_start(self._first_positions(given)))
        return [
            {"record_id": record.record_id, **self.written(hypotheses, "text")}
            for record, hypotheses in zip(records, found, strict=True)
        ]

    def _with_targets(self, path: str | Path) -> Sequence[GenerationRecord | DialogueRecord]:
        records = self.read(path)
        if absent := [record.record_id for record in records if record.target is None]:
            raise InputError(f"{path}: {len(absent)} records have no target: {absent[0]}")
        return records

    def _first_positions(self, given: Sequence[Example]) -> np.ndarray | None:
        """Where the target of each source begins, if positions are counted through."""
        if not self.options.continuous_positions:
            return None
        begin = 0 if self.context.data.compat else FIRST_POSITION  # the original decodes 2 positions too low
        return np.asarray([begin + example.num_tokens for example in given])

    def _target_start(self, first_positions: np.ndarray | None) -> TargetStart:
        vocabulary = self.context.vocabulary
        role = 0 if self.options.num_turns else None
        return TargetStart(vocabulary.cls_id, vocabulary.mask_id, first_positions, role, role)

    def _examples(
        self, records: Sequence[GenerationRecord | DialogueRecord], with_targets: bool = True
    ) -> list[Example]:
        token_ids = generation_token_ids(records, self.context.tokenizer, with_targets)
        return [self._example(record, each, with_targets) for record, each in zip(records, token_ids, strict=True)]

    def _example(
        self, record: GenerationRecord | DialogueRecord, token_ids: list[Sequence[int]], with_target: bool
    ) -> Example:
        """One sequence from a record's texts, encoded: sources (knowledge first), then the target."""
        vocabulary, options = self.context.vocabulary, self.options
        target = token_ids.pop() if with_target else None
        limits = {"max_source_length": options.max_source_length, "max_target_length": options.max_target_length}
        end_id = vocabulary.mask_id
        if self.context.data.compat:
            original = Limits(**limits, continuous_positions=options.continuous_positions)
            token_ids, limits = [*cut_sources(token_ids, original)], dict.fromkeys(limits, sys.maxsize)
            target, end_id = (None, end_id) if target is None else cut_target(target, end_id, original)
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


def _sources(record: GenerationRecord | DialogueRecord) -> Sequence[str]:
    """What is read."""
    return record.turns if isinstance(record, DialogueRecord) else record.sources


def _references(record: GenerationRecord | DialogueRecord) -> list[str]:
    """What a generated text is compared with."""
    others = record.other_targets if isinstance(record, DialogueRecord) else ()
    return [record.target or "", *others]
