"""Sampling draws from the cut distribution, repeatably."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.generation.test_beam import image_prefix, tiny_model
from unimo.generation import DecodingSettings, SamplingSettings, TargetStart, beam_search, generate
from unimo.generation.sampling import nucleus
from unimo.modeling import ModelInputs

TARGET = TargetStart(start_id=0, end_id=2)


@given(
    st.lists(st.floats(0.01, 1.0), min_size=2, max_size=12),
    st.integers(0, 12),
    st.floats(0.05, 1.0),
)
def test_nucleus_keeps_the_fewest_likeliest(weights: list[float], top_k: int, top_p: float) -> None:
    probabilities = np.asarray([weights]) / np.sum(weights)
    kept = nucleus(probabilities, top_k, top_p)[0]
    chosen = kept > 0
    assert chosen.any() and kept.sum() == pytest.approx(1.0)
    assert not top_k or chosen.sum() <= top_k
    assert probabilities[0][chosen].min() >= probabilities[0][~chosen].max(initial=0.0)
    among = np.sort(probabilities[0])[::-1][: top_k or None]
    held = np.cumsum(among / among.sum())
    assert chosen.sum() == np.searchsorted(held, top_p - 1e-12) + 1 or chosen.sum() == len(among)


def simple_nucleus(probabilities: np.ndarray, top_k: int, top_p: float) -> np.ndarray:
    """The whole row sorted, then cut."""
    kept = np.zeros_like(probabilities)
    for row, values in enumerate(probabilities):
        order = np.argsort(-values, kind="stable")[: top_k or None]
        held = np.cumsum(values[order]) / values[order].sum()
        order = order[: 1 + (held[:-1] < top_p).sum()]
        kept[row, order] = values[order] / values[order].sum()
    return kept


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 400),
    st.one_of(st.just(0), st.integers(0, 500)),
    st.one_of(st.just(1.0), st.floats(0.05, 1.0)),
    st.booleans(),
)
def test_nucleus_as_by_sorting_everything(seed: int, width: int, top_k: int, top_p: float, ties: bool) -> None:
    rng = np.random.default_rng(seed)
    # ties in weights of one half and one, whose sums are exact
    weights = rng.integers(1, 3, (3, width)) / 2 if ties else rng.random((3, width)) + 1e-3
    held = np.cumsum(-np.sort(-weights, axis=-1)[:, : top_k or None], axis=-1)
    # a sum that is top_p but for rounding may fall to either side
    assume(np.abs(held[:, :-1] / held[:, -1:] - top_p).min(initial=1.0) > 1e-9)
    before = weights.copy()
    np.testing.assert_allclose(nucleus(weights, top_k, top_p), simple_nucleus(weights, top_k, top_p), atol=1e-12)
    assert (weights == before).all()


def test_draws_belong_to_the_number_of_the_example() -> None:
    model, prefix = tiny_model(), image_prefix(3, 4, [4, 2, 3])
    settings = DecodingSettings(method="sampling", max_length=6, sampling=SamplingSettings(num_samples=3))
    together = generate(model, prefix, settings, TARGET, numbers=[4, 7, 9])
    for row, number in enumerate([4, 7, 9]):
        fields = {name: None if value is None else value[row : row + 1] for name, value in vars(prefix).items()}
        alone = generate(model, ModelInputs(**fields), settings, TARGET, numbers=[number])[0]
        assert [each.token_ids for each in alone] == [each.token_ids for each in together[row]]
    assert generate(model, prefix, settings, TARGET) == generate(model, prefix, settings, TARGET, numbers=[0, 1, 2])
    assert generate(model, prefix, settings, TARGET) != together


def test_same_seed_same_texts_and_a_long_nucleus_of_one_is_greedy_search() -> None:
    model, prefix = tiny_model(), image_prefix(3, 4, [4, 2, 3])
    settings = DecodingSettings(method="sampling", max_length=6, sampling=SamplingSettings(num_samples=3, seed=5))
    first, second = (generate(model, prefix, settings, TARGET) for _ in range(2))
    assert first == second
    assert len(first) == 3 and all(len(each) == 3 for each in first)
    other = DecodingSettings(method="sampling", max_length=6, sampling=SamplingSettings(num_samples=3, seed=6))
    assert generate(model, prefix, other, TARGET) != first

    sharp = DecodingSettings(method="sampling", max_length=6, sampling=SamplingSettings(top_k=1))
    greedy = DecodingSettings(method="greedy", max_length=6)
    drawn = [each[0] for each in generate(model, prefix, sharp, TARGET)]
    searched = [each[0] for each in generate(model, prefix, greedy, TARGET)]
    assert [each.token_ids for each in drawn] == [each.token_ids for each in searched]
    np.testing.assert_allclose([each.score for each in drawn], [each.score for each in searched], rtol=1e-5)


def test_frequencies_follow_the_model() -> None:
    model, prefix = tiny_model(), image_prefix(1, 3, [3])
    count = 2000
    settings = DecodingSettings(method="sampling", max_length=1, min_length=0, sampling=SamplingSettings(count))
    drawn = [hypothesis.token_ids[1] for hypothesis in generate(model, prefix, settings, TARGET)[0]]
    wide = DecodingSettings(beam_size=50, max_length=1, min_length=0, length_penalty=0.0)
    found = beam_search(model, prefix, wide, 0, 2)[0]
    expected = {hypothesis.token_ids[1]: np.exp(hypothesis.score) for hypothesis in found}
    for token, probability in expected.items():
        error = 5 * np.sqrt(probability * (1 - probability) / count) + 1e-3
        assert abs(drawn.count(token) / count - probability) < error


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="top_p"):
        SamplingSettings(top_p=0.0)
    with pytest.raises(ValueError, match="seed: -1"):
        SamplingSettings(seed=-1)
