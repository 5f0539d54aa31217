"""One entry to all ways of decoding: beam search, greedy search, sampling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from unimo.errors import InputError
from unimo.generation.beam import Decoder, TargetStart, beam_search
from unimo.generation.sampling import SamplingSettings, sample
from unimo.generation.search import BeamSettings, Hypothesis
from unimo.modeling import ModelInputs


@dataclass(frozen=True)
class DecodingSettings(BeamSettings):
    """How texts are generated."""

    method: Literal["beam", "greedy", "sampling"] = "beam"
    """`beam` keeps beam_size hypotheses; `greedy` is a beam of one; `sampling` draws."""

    sampling: SamplingSettings = field(default_factory=SamplingSettings)
    """Of `sampling`."""

    num_best: int = 1
    """Hypotheses written to the predictions, with their scores; more than 1 adds `candidates` to each. At most what
    decoding gives: beam_size of `beam`, 1 of `greedy`, sampling.num_samples of `sampling`."""

    def __post_init__(self) -> None:
        """Refuse what the method cannot do.

        Raises:
            InputError: naming the option and the way out.
        """
        super().__post_init__()
        if self.num_best < 1:
            raise InputError(f"num_best: {self.num_best}, expected at least 1")
        if self.num_best > self.num_hypotheses:
            way_out = {
                "beam": f"raise beam_size, which is {self.beam_size}",
                "greedy": "set `method: beam`",
                "sampling": f"raise sampling.num_samples, which is {self.sampling.num_samples}",
            }[self.method]
            raise InputError(f"num_best: {self.num_best} is more than `method: {self.method}` gives; {way_out}")
        if self.block_trigrams and self.method == "sampling":
            raise InputError("block_trigrams: not together with `method: sampling`; set it to false, or search by beam")

    @property
    def num_hypotheses(self) -> int:
        """Hypotheses that are decoded for each example."""
        return {"beam": self.beam_size, "greedy": 1, "sampling": self.sampling.num_samples}[self.method]


def generate(
    model: Decoder,
    prefix: ModelInputs,
    settings: DecodingSettings,
    target: TargetStart,
    opens_word: np.ndarray | None = None,
    numbers: Sequence[int] | None = None,
) -> list[list[Hypothesis]]:
    """Generate from what is given: for each of B examples its hypotheses, best first.

    Args:
        model: in evaluation mode, with the masked-language head.
        prefix: what is given: image, tags, source; read in both directions.
        settings: how.
        target: how a target begins and ends.
        opens_word: [V] bool, needed for trigram blocking.
        numbers: of the B examples among all that are decoded, which the draws of sampling depend on, so that texts
            are the same in batches of any size; None counts from 0.
    """
    if settings.method == "sampling":
        return sample(model, prefix, settings, settings.sampling, target, numbers)
    if settings.method == "greedy":
        settings = replace(settings, beam_size=1)
    return beam_search(model, prefix, settings, target.start_id, target.end_id, opens_word, target)
