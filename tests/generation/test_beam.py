"""Decoding with a cache gives what the whole sequence in one forward gives."""

from __future__ import annotations

import numpy as np
import paddle
import pytest

from unimo.generation import BeamSettings, beam_search
from unimo.modeling import DecodingState, ModelInputs, UnimoConfig, UnimoModel, decoding_state, gather_rows
from unimo.objectives import token_log_probabilities

CONFIG = UnimoConfig(
    vocab_size=50,
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=2,
    initializer_range=0.3,
    image_embedding_size=8,
    image_class_size=4,
)


def tiny_model(seed: int = 3) -> UnimoModel:
    paddle.seed(seed)
    model = UnimoModel(CONFIG, {"masked_language": 0})
    model.eval()
    return model


def image_prefix(num_images: int, num_regions: int, lengths: list[int]) -> ModelInputs:
    rng = np.random.default_rng(0)
    valid = (np.arange(num_regions) < np.asarray(lengths)[:, None]).astype("int64")
    return ModelInputs(
        segment_ids=paddle.to_tensor(valid),
        order_ids=paddle.zeros([num_images, num_regions], "int64"),
        region_features=paddle.to_tensor(rng.standard_normal((num_images, num_regions, 8)).astype("float32")),
        region_locations=paddle.to_tensor(rng.random((num_images, num_regions, 5)).astype("float32")),
    )


def test_scores_equal_those_of_one_forward_over_the_whole_sequence() -> None:
    model, prefix = tiny_model(), image_prefix(2, 5, [5, 3])
    settings = BeamSettings(beam_size=3, min_length=0, max_length=7, length_penalty=0.0)
    for row, hypotheses in enumerate(beam_search(model, prefix, settings, start_id=0, end_id=2)):
        for hypothesis in hypotheses:
            ids = np.asarray(hypothesis.token_ids)[None]
            length = ids.shape[1]
            inputs = ModelInputs(
                segment_ids=paddle.concat([prefix.segment_ids[row : row + 1], paddle.ones([1, length], "int64")], 1),
                order_ids=paddle.concat(
                    [paddle.zeros([1, 5], "int64"), paddle.arange(1, length + 1).unsqueeze(0).astype("int64")], 1
                ),
                input_ids=paddle.to_tensor(ids),
                position_ids=paddle.arange(2, 2 + length).unsqueeze(0),
                region_features=prefix.region_features[row : row + 1],
                region_locations=prefix.region_locations[row : row + 1],
            )
            states = gather_rows(model(inputs), paddle.arange(5, 5 + length - 1))
            logs = token_log_probabilities(model.language_logits(states), paddle.to_tensor(ids[0, 1:])).numpy()
            assert abs(logs.sum() - hypothesis.score) < 1e-3


def test_an_example_decodes_the_same_alone_and_in_a_batch() -> None:
    model, settings = tiny_model(), BeamSettings(beam_size=3, max_length=9)
    together = beam_search(model, image_prefix(3, 6, [6, 4, 2]), settings, start_id=0, end_id=2)
    whole = image_prefix(3, 6, [6, 4, 2])
    for row, count in enumerate([6, 4, 2]):
        fields = {name: None if value is None else value[row : row + 1, :count] for name, value in vars(whole).items()}
        alone = beam_search(model, ModelInputs(**fields), settings, start_id=0, end_id=2)[0]
        assert [h.token_ids for h in alone] == [h.token_ids for h in together[row]]


def test_minimum_and_maximum_length() -> None:
    model, prefix = tiny_model(), image_prefix(2, 4, [4, 4])
    settings = BeamSettings(beam_size=4, min_length=6, max_length=8)
    for hypotheses in beam_search(model, prefix, settings, start_id=0, end_id=2):
        for hypothesis in hypotheses:
            assert 2 not in hypothesis.token_ids[1:7]
            assert len(hypothesis.token_ids) <= 9


def test_dropping_dead_slots_changes_no_hypothesis(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over 120 steps, in which three of four examples end early, each with its own number of living slots."""
    model, prefix = tiny_model(2), image_prefix(4, 5, [5, 3, 4, 2])
    settings = BeamSettings(beam_size=5, min_length=0, max_length=120)
    steps: list[tuple[int, int]] = []  # examples, slots
    open_slots = DecodingState.open_slots

    def spied(state: DecodingState, num_hypotheses: int, num_heads: int) -> paddle.Tensor:
        bias = open_slots(state, num_hypotheses, num_heads)
        steps.append((bias.shape[0], bias.shape[3] - 5))
        return bias

    monkeypatch.setattr(DecodingState, "open_slots", spied)
    dropping = beam_search(model, prefix, settings, start_id=0, end_id=11)
    dropped, steps = steps, []
    monkeypatch.setattr(decoding_state, "FEWEST_SLOTS", 10**9)
    keeping = beam_search(model, prefix, settings, start_id=0, end_id=11)
    assert [count for count, _ in dropped] == [count for count, _ in steps]
    assert [count for count, _ in steps][::119] == [4, 1]
    assert steps[-1][1] == 1 + 5 * 119 and max(slots for _, slots in dropped) < 300
    for ours, theirs in zip(dropping, keeping, strict=True):
        assert [each.token_ids for each in ours] == [each.token_ids for each in theirs]
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(one.scores, other.scores, rtol=1e-5, atol=1e-5)
