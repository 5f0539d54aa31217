"""Settings of decoding that cannot be met are refused by the key's name, with the way out."""

from __future__ import annotations

from typing import Any

import pytest

from unimo.config.build import load_config
from unimo.errors import InputError
from unimo.generation import DecodingSettings, SamplingSettings

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "more than the beam": ({"beam_size": 4, "num_best": 5}, "num_best: 5 is more .* raise beam_size, which is 4"),
    "more than greedy": ({"method": "greedy", "num_best": 2}, "num_best: 2 .* set `method: beam`"),
    "more than drawn": (
        {"method": "sampling", "beam_size": 9, "num_best": 4, "sampling": SamplingSettings(3)},
        "num_best: 4 .* raise sampling.num_samples, which is 3",
    ),
    "none": ({"num_best": 0}, "num_best: 0, expected at least 1"),
    "trigrams": ({"method": "sampling", "block_trigrams": True}, "block_trigrams: not together .* set it to false"),
    "length": ({"max_length": 0}, "max_length"),  # what beam search refuses is refused here too
}


@pytest.mark.parametrize("case", list(REFUSED))
def test_refused(case: str) -> None:
    values, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        DecodingSettings(**values)


def test_a_refusal_names_the_key() -> None:
    with pytest.raises(InputError, match=r"decoding\.num_best: num_best: 6 is more"):
        load_config({"decoding": DecodingSettings}, overrides=["--decoding.num_best", "6"])


@pytest.mark.parametrize(("method", "count"), [("beam", 4), ("greedy", 1), ("sampling", 3)])
def test_as_many_as_are_decoded(method: Any, count: int) -> None:
    settings = DecodingSettings(beam_size=4, method=method, sampling=SamplingSettings(3), num_best=count)
    assert settings.num_hypotheses == count
