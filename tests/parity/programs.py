"""The original's six programs and their variants, as our tasks with options (ORIGINAL section 0)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.parity.goldens import Goldens
from tests.parity.release import Release
from unimo.objectives.adversarial import AdversarialOptions

LABEL_SMOOTHING = 0.1

# the arguments of visual entailment are in no file; the bound by the gradient's norm is the original's bug Q2
VE_ADVERSARIAL = AdversarialOptions(
    kind="villa",
    num_steps=2,
    learning_rate=0.05,
    init_magnitude=0.4,
    max_norm=0.4,
    norm="l2",
    kl_weight=1.0,
    clean_branch=True,
    bound_by_gradient=True,
)
VE_VARIANTS: Mapping[str, AdversarialOptions] = {
    # perturbations are absent from the test graph, which leaves three equal branches
    "": replace(VE_ADVERSARIAL, num_steps=1, init_magnitude=0.0),
    "adv4.": replace(VE_ADVERSARIAL, num_steps=4),
    "adv_nomax.": replace(VE_ADVERSARIAL, max_norm=0.0),
    "adv_smallmax.": replace(VE_ADVERSARIAL, max_norm=0.002),
}
CAPTIONING_VARIANTS = (
    "villa",
    "villa_nomax",
    "villa_inf",
    "villa_nopure",
    "villa_smallmax",
    "freelb_text",
    "freelb_image",
)


@dataclass(frozen=True)
class Variant:
    """One of the original's graphs: where its numbers lie, and the options of ours that compute them."""

    name: str
    """Prefix of the keys of its outputs."""

    options: Mapping[str, Any] = field(default_factory=dict)
    """Of our task."""

    batches: str = "b"
    """Prefix of the keys of its inputs, before their number."""

    parameters: str = ""
    """Program of program_params.json whose parameters it has; empty is the program itself."""

    outputs: tuple[str, ...] = ()
    """What the goldens have beside the loss."""

    states: bool = False
    """Whether they have the output of every layer."""

    @property
    def values(self) -> bool:
        """Whether the goldens of a trace have more than sums of its weights: those of the names that end so."""
        return self.name.endswith("train.")

    @property
    def dialogue(self) -> bool:
        """Whether its texts have roles and turns."""
        return "num_turns" in self.options


@dataclass(frozen=True)
class Program:
    """One of the original's programs."""

    name: str
    """Name of its files."""

    task: str
    """Our task."""

    parameters: str = ""
    """Its name in program_params.json, where that is another."""

    @property
    def parameters_name(self) -> str:
        """Its name in program_params.json."""
        return self.parameters or self.name


PROGRAMS = {
    program.name: program
    for program in (
        Program("classification", "text_classification"),
        Program("regression", "text_regression"),
        Program("seq2seq", "text_generation"),
        Program("img2txt", "captioning"),
        Program("retrieval", "retrieval"),
        Program("ve", "visual_entailment", "visual_entailment"),
    )
}


def forward_variants(program: Program, release: Release, goldens: Goldens) -> Iterator[Variant]:
    """The graphs whose forward outputs the goldens have."""
    if program.name == "classification":
        yield Variant("", {"labels": _labels(release, program)}, outputs=("probs", "accuracy", "num_seqs"), states=True)
    elif program.name == "regression":
        yield Variant("", outputs=("probs",), states=True)
    elif program.name == "seq2seq":
        yield from _generation_variants(release)
    elif program.name == "img2txt":
        yield Variant("plain.", {"label_smoothing": LABEL_SMOOTHING}, outputs=("logits",), states=True)
        for key in (*CAPTIONING_VARIANTS, *sorted(_further_variants(goldens))):
            yield _captioning_variant(key, goldens)
    elif program.name == "retrieval":
        yield Variant("", batches="t", states=True)
    else:
        for name, adversarial in VE_VARIANTS.items():
            options = {"labels": _labels(release, program), "adversarial": adversarial}
            yield Variant(name, options, outputs=() if name else ("probs",), states=not name)


def training_variants(program: Program, release: Release, goldens: Goldens) -> Iterator[Variant]:
    """The graphs that the goldens have training traces of, named by the traces' prefix."""
    if program.name == "classification":
        yield Variant("train.", {"labels": _labels(release, program)}, outputs=("probs",))
        yield Variant("train_nowarm_nowd.", {"labels": _labels(release, program)})
    elif program.name == "regression":
        yield Variant("train.", outputs=("probs",))
    elif program.name == "seq2seq":
        yield Variant("train.", {"label_smoothing": LABEL_SMOOTHING})
    elif program.name == "img2txt":
        yield replace(_captioning_variant("villa", goldens), name="train.", outputs=())
        yield Variant("plain.train.", {"label_smoothing": LABEL_SMOOTHING})
    elif program.name == "retrieval":
        rows = goldens["b0.src_ids"].shape[0] // goldens["b0.labels"].shape[0]
        wrong = {"num_negative_images": (rows - 1) // 2, "num_negative_captions": (rows - 1) // 2}
        yield Variant("train.", wrong, outputs=("score", "acc"))
        sigmoid = {"sigmoid": True, "scale": 4.0, "margin": 0.25}
        yield Variant("sigmoid.train.", wrong | sigmoid, outputs=("score", "acc"))
    else:
        options = {"labels": _labels(release, program), "adversarial": VE_ADVERSARIAL}
        yield Variant("train.", options, outputs=("probs", "accuracy"))


def dialogue_options(release: Release) -> dict[str, Any]:
    """Options of text generation in a conversation."""
    return {"num_turns": release.shapes("seq2seq_dialog")["turn_embedding"][0]}


def _generation_variants(release: Release) -> Iterator[Variant]:
    smoothed = {"label_smoothing": LABEL_SMOOTHING}
    logits = ("logits",)
    yield Variant("ls.", smoothed, "ls.b", outputs=logits, states=True)
    yield Variant("nols.", {"label_smoothing": 0.0}, "nols.b", outputs=logits)
    yield Variant("cont.", smoothed, "cont.b", outputs=logits)
    yield Variant("dialog.", smoothed | dialogue_options(release), "dialog.b", "seq2seq_dialog", logits)


def _further_variants(goldens: Goldens) -> set[str]:
    """Variants that a file has beyond the named ones."""
    end = ".args_json"
    return {key.removesuffix(end) for key in goldens if key.endswith(end)} - set(CAPTIONING_VARIANTS)


def _captioning_variant(name: str, goldens: Goldens) -> Variant:
    """A variant of captioning by its file's arguments; the bound by the gradient's norm is the original's bug Q2."""
    values = goldens.json(f"{name}.args_json")
    kinds = [kind for kind in ("freelb_text", "freelb_image") if name.startswith(kind)]
    adversarial = AdversarialOptions(
        kind=kinds[0] if kinds else "villa",  # type: ignore[arg-type]
        num_steps=values["adv_step"],
        learning_rate=values["adv_lr"],
        init_magnitude=values["adv_init_mag"],
        max_norm=values["adv_max_norm"],
        norm=values["norm_type"],
        kl_weight=values["adv_kl_weight"],
        clean_branch=values["with_pure_model"],
        bound_by_gradient=True,
    )
    options = {"label_smoothing": values["label_smooth"], "adversarial": adversarial}
    # three forwards a step, of one variant
    outputs = tuple(f"logits_{number}" for number in range(3 * adversarial.num_steps)) if name == "villa" else ()
    return Variant(f"{name}.", options, outputs=outputs)


def _labels(release: Release, program: Program) -> tuple[str, ...]:
    """Names for the classes, which the goldens only number."""
    shapes = release.shapes(program.parameters_name)
    last = next(name for name in shapes if name.startswith("cls_out_") and name.endswith(("_b", "_b_1")))
    return tuple(str(number) for number in range(shapes[last][0]))
