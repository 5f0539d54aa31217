"""What tasks that write text share: the loss over target tokens, and decoding of many examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import paddle

from unimo.data.batch import Batch, collate
from unimo.data.examples import Example
from unimo.data.sampling import sequential_batches
from unimo.generation import DecodingSettings, Hypothesis, TargetStart, generate, prediction_text
from unimo.modeling import ModelInputs, Perturbations, UnimoModel, gather_rows
from unimo.modeling.tensors import as_tensor
from unimo.objectives import language_loss
from unimo.objectives.adversarial import View
from unimo.tasks.downstream import DownstreamTask, causal_positions
from unimo.training.task import StepBatch, model_inputs


class GeneratingTask(DownstreamTask):
    """A causal target after what is given. Its options have ``label_smoothing`` and ``decoding``."""

    def heads(self) -> dict[str, int]:
        """The masked-language head generates."""
        return {"masked_language": 0}

    def view(self, model: UnimoModel, inputs: ModelInputs, batch: Batch, perturbations: Perturbations) -> View:
        """Cross-entropy of the target's tokens, smoothed; every token of the batch weighs the same."""
        rows = gather_rows(model(inputs, perturbations), as_tensor(batch.token_rows))
        logits = model.language_logits(rows)
        return View(language_loss(logits, as_tensor(batch.token_labels), self.options.label_smoothing), logits)

    def loss_counts(self, batches: StepBatch) -> Mapping[str, float]:
        """Every loss is a mean over target tokens."""
        return {"": sum(0 if batch.token_rows is None else len(batch.token_rows) for batch in batches.values())}

    def perturbed_text(self, inputs: ModelInputs) -> paddle.Tensor:
        """The target; object tags and sources stay as they are (original release)."""
        return causal_positions(inputs)

    def decode(self, model: UnimoModel, given: Sequence[Example], target: TargetStart) -> list[list[Hypothesis]]:
        """The hypotheses of every example, best first; examples of similar length share a batch.

        ``target.first_positions``, where given, has one position an example.
        """
        settings: DecodingSettings = self.options.decoding
        found: list[list[Hypothesis]] = [[] for _ in given]
        lengths = [example.num_regions + example.num_tokens for example in given]
        # a hypothesis costs about as much as the prefix it reads, so their number counts in the budget
        budget = max(1, self.context.data.tokens_per_batch // settings.num_hypotheses)
        first = target.first_positions
        opens_word = self.context.tokenizer.word_starts if settings.block_trigrams else None

        def search(indices: list[int]) -> list[list[Hypothesis]]:
            batch = collate([given[index] for index in indices], self.context.vocabulary.pad_id)
            begins = replace(target, first_positions=first[indices]) if first is not None else target
            return generate(model, model_inputs(batch), settings, begins, opens_word, indices)

        batches = sequential_batches(lengths, budget)
        with model.decoding_weights():
            for indices, results in zip(batches, self.context.processes.map(search, batches), strict=True):
                for index, hypotheses in zip(indices, results, strict=True):
                    found[index] = hypotheses
        return found

    def written(self, hypotheses: Sequence[Hypothesis], name: str) -> dict[str, Any]:
        """An example's best text under ``name``, and its other candidates with scores where they are asked for."""
        texts = [prediction_text(hypothesis, self.context.tokenizer) for hypothesis in hypotheses]
        prediction: dict[str, Any] = {name: texts[0]}
        if self.options.decoding.num_best > 1:
            pairs = list(zip(texts, hypotheses, strict=True))[: self.options.decoding.num_best]
            prediction["candidates"] = [{name: text, "score": each.score} for text, each in pairs]
        return prediction

    def target_losses(self, model: UnimoModel, examples: Sequence[Example]) -> tuple[float, int]:
        """Sum of the targets' negative log-likelihoods in nats, and how many tokens they are."""

        def measure(indices: list[int]) -> tuple[float, int]:
            batch = collate([examples[index] for index in indices], self.context.vocabulary.pad_id)
            rows = gather_rows(model(model_inputs(batch)), as_tensor(batch.token_rows))
            labels = as_tensor(batch.token_labels)
            tokens = int(np.asarray(batch.token_labels).size)
            return float(language_loss(model.language_logits(rows), labels)) * tokens, tokens

        lengths = [example.num_regions + example.num_tokens for example in examples]
        batches = sequential_batches(lengths, self.context.data.tokens_per_batch)
        measured = self.context.processes.map(measure, batches)
        return sum(total for total, _ in measured), sum(count for _, count in measured)
