"""Training: the first step's gradients, five steps without dropout, and the weights after them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import paddle

from tests.parity.batches import feed_noise, read_batch
from tests.parity.forward import compare_output, record_views
from tests.parity.goldens import Goldens
from tests.parity.programs import Program, Variant, training_variants
from tests.parity.release import Release, original_value
from tests.parity.results import Results, largest, relative
from unimo.config.job import OptimizerConfig
from unimo.conversion.release_names import our_name
from unimo.modeling import UnimoModel
from unimo.training.optimizer import AdamW
from unimo.training.schedules import learning_rate
from unimo.training.task import Report

Array = np.ndarray

TRACE = 1e-5  # relative, of losses, rates and norms; absolute, of weights
GRADIENT, GRADIENT_FLOOR = 1e-4, 1e-7  # of the golden's largest number; of the global norm


class Run:
    """Our training of one of the original's variants, a step at a time."""

    def __init__(
        self,
        release: Release,
        program: Program,
        variant: Variant,
        goldens: Goldens,
        model: UnimoModel | None = None,
    ) -> None:
        """``model``: another start than the checkpoint's."""
        self.label = f"{program.name} {variant.name}"
        self.program, self.variant, self.goldens = program, variant, goldens
        self.task = release.task(program.task, variant.options)
        self.model = model or release.model(variant.parameters or program.parameters_name, self.task)
        self.views = record_views(self.task)
        self.config, self.num_steps = optimizer_config(goldens.json(f"{variant.name}opt_json"))
        self.optimizer = AdamW(self.model, self.config)

    def rate(self, step: int) -> float:
        """Learning rate of the step, counted from 0; the original gives boundaries in steps, not in epochs."""
        return learning_rate(self.config, step, self.num_steps, steps_per_epoch=1)

    def backward(self, step: int) -> tuple[float, Report]:
        """Loss of the step's batch, and what is logged; its forwards and gradients are kept."""
        golden = self.goldens.under(f"{self.variant.batches}{step}.")
        feed_noise(self.task, golden)
        self.views.clear()
        losses, report = self.task.losses(self.model, {"main": read_batch(self.program, golden, self.variant.dialogue)})
        total = sum(losses.values(), start=paddle.zeros([]))
        total.backward()
        return float(total), report

    def gradients(self) -> dict[str, Array]:
        """Gradients by parameter, of those that have one."""
        return {name: p.grad.numpy() for name, p in self.model.named_parameters() if p.grad is not None}


def optimizer_config(values: Mapping[str, Any]) -> tuple[OptimizerConfig, int]:
    """The original's optimizer arguments as ours, and the number of steps of its schedule."""
    decays = values.get("values") or (1.0, 0.1)
    config = OptimizerConfig(
        learning_rate=values["learning_rate"],
        beta1=values["beta1"],
        beta2=values["beta2"],
        epsilon=values["epsilon"],
        weight_decay=values["weight_decay"],
        schedule=values["scheduler"],
        warmup_steps=values["warmup_steps"],
        warmup_ratio=0.0,
        decay_epochs=tuple(values.get("boundaries", ())),
        decay_scale=decays[1] / decays[0],
    )
    return config, values["num_train_steps"]


def check_training(results: Results, release: Release, program: Program, goldens: Goldens) -> None:
    """Every trace of a program."""
    with results.guard(f"{program.name} training"):
        for variant in training_variants(program, release, goldens):
            with results.guard(f"{program.name} {variant.name}loss"):
                run = Run(release, program, variant, goldens)
                start = weights(run.model)
                for step in range(len(goldens[f"{variant.name}loss"])):
                    _check_step(results, run, step)
                _check_weights(results, run, start)


def weights(model: UnimoModel) -> dict[str, Array]:
    """A copy of all parameters."""
    return {name: value.numpy().copy() for name, value in model.state_dict().items()}


def _check_step(results: Results, run: Run, step: int) -> None:
    golden = run.goldens.under(run.variant.name)
    loss, report = run.backward(step)
    results.within(f"{run.label}loss {step}", relative(loss, float(golden["loss"][step])), TRACE)
    for key in run.variant.outputs:
        name, label = f"{key}.{step}", f"{run.label}{key} {step}"
        compare_output(results, label, (run.program, key), run.views, report, golden[name])
    gradients = run.gradients() if step == 0 else {}
    rate = run.rate(step)
    results.within(f"{run.label}lr {step}", relative(rate, float(golden["lr"][step])), TRACE)
    norm = run.optimizer.step(rate)
    results.within(f"{run.label}grad_norm {step}", relative(norm, float(golden["grad_norm"][step])), TRACE)
    if step == 0 and run.variant.values:
        without = sorted(set(dict(run.model.named_parameters())) - set(gradients))
        results.equal(f"{run.label}parameters without gradient", without, golden.json("no_grad_params_json"))
    if step == 0 and run.variant.name == "train.":
        _check_gradients(results, run, gradients, norm)


def _check_gradients(results: Results, run: Run, gradients: Mapping[str, Array], norm: float) -> None:
    golden = run.goldens.under("grad0.")
    results(f"{run.label}grad0", len(golden) > 0, f"{len(golden)} gradients")
    for original, expected in golden.items():
        bound = GRADIENT * float(np.abs(expected).max()) + GRADIENT_FLOOR * norm
        error = largest(original_value(original, gradients), expected)
        results.within(f"{run.program.name} grad0 {original}", error, bound)


def _check_weights(results: Results, run: Run, start: Mapping[str, Array]) -> None:
    """Some weights number by number, all of them by the length of the array, its sum, and how far it went."""
    end = weights(run.model)
    if run.variant.values:
        final = run.goldens.under(run.variant.name.removesuffix("train.") + "final.")
        results(f"{run.label}final", len(final) > 0, f"{len(final)} parameters")
        for original, value in final.items():
            results.within(f"{run.label}final {original}", largest(original_value(original, end), value), TRACE)
    stats = run.goldens.json(f"{run.variant.name}final_stats_json")
    results.equal(f"{run.label}final_stats names", {our_name(name)[0] for name in stats}, set(end))
    for original, expected in stats.items():
        value = original_value(original, end).astype(np.float64)
        moved = value - original_value(original, start)
        found = np.asarray([np.linalg.norm(value), value.sum(), np.linalg.norm(moved)])
        worst = np.max(np.abs(found - expected) / np.maximum(1.0, np.abs(expected)))
        results.within(f"{run.label}final_stats {original}", float(worst), TRACE)
