"""One entry to all ways of decoding: beam search, greedy search, sampling."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

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
    """Hypotheses written to the predictions, with their scores; more than 1 adds `candidates` to each."""


def generate(
    model: Decoder,
    prefix: ModelInputs,
    settings: DecodingSettings,
    target: TargetStart,
    opens_word: np.ndarray | None = None,
) -> list[list[Hypothesis]]:
    """Generate from what is given: for each of B examples its hypotheses, best first.

    Args:
        model: in evaluation mode, with the masked-language head.
        prefix: what is given: image, tags, source; read in both directions.
        settings: how.
        target: how a target begins and ends.
        opens_word: [V] bool, needed for trigram blocking.
    """
    if settings.method == "sampling":
        return sample(model, prefix, settings, settings.sampling, target)
    if settings.method == "greedy":
        settings = replace(settings, beam_size=1)
    return beam_search(model, prefix, settings, target.start_id, target.end_id, opens_word, target)
