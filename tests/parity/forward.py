"""Forward outputs: every layer, logits, losses and what is derived from them, at most 1e-4 apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import paddle
import paddle.nn.functional as F

from tests.parity.batches import feed_noise, read_batch
from tests.parity.goldens import Goldens
from tests.parity.programs import Program, Variant, forward_variants
from tests.parity.release import Release
from tests.parity.results import Results, largest
from unimo.data.batch import Batch
from unimo.modeling import UnimoModel
from unimo.modeling.inputs import attention_bias, attention_mask
from unimo.objectives.adversarial import View
from unimo.tasks.downstream import DownstreamTask
from unimo.training.task import Report, model_inputs

Array = np.ndarray

TOLERANCE = 1e-4


def check_forward(results: Results, release: Release, program: Program, goldens: Goldens) -> None:
    """Every variant of a program, batch by batch."""
    with results.guard(f"{program.name} forward"):
        for variant in forward_variants(program, release, goldens):
            with results.guard(f"{program.name} {variant.name}fwd"):
                _check_variant(results, release, program, variant, goldens)


def record_views(task: DownstreamTask) -> list[View]:
    """A list that every forward of the task is added to."""
    views: list[View] = []
    compute = task.view

    def view(*arguments: object) -> View:
        views.append(compute(*arguments))  # type: ignore[arg-type]
        return views[-1]

    task.view = view  # type: ignore[method-assign]
    return views


def _check_variant(results: Results, release: Release, program: Program, variant: Variant, goldens: Goldens) -> None:
    task = release.task(program.task, variant.options)
    model = release.model(variant.parameters or program.parameters_name, task)
    last = "score" if program.name == "retrieval" else "loss"
    for number in goldens.numbers(f"{variant.name}fwd", last):
        key = f"{variant.name}fwd{number}"
        with results.guard(f"{program.name} {key}"), paddle.no_grad():
            inputs, outputs = goldens.under(f"{variant.batches}{number}."), goldens.under(f"{key}.")
            batch = read_batch(program, inputs, variant.dialogue)
            if variant.states:
                _check_states(results, f"{program.name} {key}", model, batch, outputs)
            if program.name == "retrieval":
                _check_scores(results, f"{program.name} {key}", model, batch, inputs, outputs)
            else:
                feed_noise(task, inputs)
                with paddle.enable_grad():
                    _check_losses(results, (program, variant, key), task, model, batch, outputs)


def _check_states(results: Results, label: str, model: UnimoModel, batch: Batch, outputs: Goldens) -> None:
    """Embeddings and every layer where there is no padding: the original's rows of padding are rounding alone."""
    inputs, valid = model_inputs(batch), batch.segment_ids > 0
    states = model.embed(inputs)
    results.within(f"{label} emb", largest(states, outputs["emb"], valid), TOLERANCE)
    bias = attention_bias(attention_mask(inputs.segment_ids, inputs.order_ids), model.config.num_attention_heads)
    for number, layer in enumerate(model.layers):
        states = layer(states, bias)
        results.within(f"{label} layer_{number}", largest(states, outputs[f"layer_{number}"], valid), TOLERANCE)
    results.within(f"{label} enc_out", largest(model(inputs), outputs["enc_out"], valid), TOLERANCE)


def _check_scores(
    results: Results, label: str, model: UnimoModel, batch: Batch, inputs: Goldens, outputs: Goldens
) -> None:
    """Retrieval at test: a score a row, and whose it is."""
    given = model_inputs(batch)
    scores = model.match(model(given), given)
    results.within(f"{label} score", largest(scores, outputs["score"]), TOLERANCE)
    results.equal(f"{label} ids", inputs["ids"].tolist(), outputs["ids"].tolist())


def _check_losses(
    results: Results,
    names: tuple[Program, Variant, str],
    task: DownstreamTask,
    model: UnimoModel,
    batch: Batch,
    outputs: Goldens,
) -> None:
    program, variant, label = names[0], names[1], f"{names[0].name} {names[2]}"
    views = record_views(task)
    losses, report = task.losses(model, {"main": batch})
    loss = sum(float(value) for value in losses.values())
    results.within(f"{label} loss", abs(loss - outputs.scalar("loss")), TOLERANCE)
    for key in variant.outputs:
        compare_output(results, f"{label} {key}", (program, key), views, report, outputs[key])


def compare_output(
    results: Results,
    label: str,
    names: tuple[Program, str],
    views: Sequence[View],
    report: Report,
    golden: Array,
) -> None:
    """One output of a graph by the original's name: of its first forward, or of the one that the name numbers."""
    name, _, number = names[1].partition("_")
    logits = views[int(number) if number.isdigit() else 0].logits
    if name in ("logits", "score"):
        results.within(label, largest(logits, golden), TOLERANCE)
    elif name == "probs":
        # a regression's is the value itself
        found = logits if names[0].name == "regression" else F.softmax(logits)
        results.within(label, largest(found, golden), TOLERANCE)
    elif name in ("accuracy", "acc"):
        found = report["accuracy" if name == "accuracy" else "group_accuracy"]
        results.within(label, abs(found - float(golden.reshape(()))), 1e-6)
    else:
        assert name == "num", name
        results.equal(label, len(logits), int(golden.reshape(())))
