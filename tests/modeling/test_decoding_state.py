"""What decoding keeps of the past: every hypothesis sees the tokens it descends from, and dead ones do not pile up."""

from __future__ import annotations

import numpy as np
import paddle

from unimo.modeling import DecodingState
from unimo.modeling.decoding_state import FEWEST_SLOTS
from unimo.modeling.layers import LayerCache

NUM_HEADS, PREFIX, NUM_HYPOTHESES = 2, 3, 4


def open_and_fill(state: DecodingState, names: np.ndarray) -> None:
    """A step whose keys are names [B, K] of the newest tokens in every head, and whose values are their negatives."""
    state.open_slots(names.shape[1], NUM_HEADS)
    keys = paddle.to_tensor(np.tile(names[:, None, :, None], (1, NUM_HEADS, 1, 1)).astype("float32"))
    for cache in state.caches:
        cache.add(keys, -keys)


def seen(state: DecodingState, example: int, hypothesis: int, head: int) -> list[float]:
    """Names of the tokens that a hypothesis attends to; the last layer's."""
    cache = state.caches[-1]
    assert cache.slot_keys is not None and cache.slot_values is not None
    keys, values = cache.slot_keys.numpy()[example, head, :, 0], cache.slot_values.numpy()[example, head, :, 0]
    assert (keys == -values).all()
    return keys[state.visible[example, hypothesis, PREFIX:]].tolist()


def test_hypotheses_see_their_ancestors_while_slots_are_dropped_and_examples_leave() -> None:
    rng = np.random.default_rng(0)
    valid = np.asarray([[True] * 3, [True, False, False], [True, True, False]])
    prefix = [paddle.zeros([3, NUM_HEADS, PREFIX, 1]) for _ in range(2)]
    state = DecodingState([LayerCache(*prefix), LayerCache(*prefix)], valid)
    histories: list[list[list[float]]] = [[[]] for _ in valid]
    most = 0
    for step in range(150):
        names = rng.permutation(1_000)[: len(histories) * len(histories[0])].reshape(len(histories), -1)
        open_and_fill(state, names)
        drawn = rng.integers(0, names.shape[1], (len(histories), NUM_HYPOTHESES))
        parents = drawn.min(axis=1, keepdims=True) if step % 3 else drawn  # often all from one, as beams do
        parents = np.broadcast_to(parents, drawn.shape)
        state.follow(parents)
        histories = [
            [past[parent] + [float(names[row, parent])] for parent in parents[row]]
            for row, past in enumerate(histories)
        ]
        if step == 90:
            state.keep(np.asarray([0, 2]))
            histories, valid = [histories[0], histories[2]], valid[[0, 2]]
        most = max(most, state.visible.shape[2] - PREFIX)
        for row, past in enumerate(histories):
            for number, history in enumerate(past):
                assert seen(state, row, number, head=step % NUM_HEADS) == history
        assert (state.visible[:, :, :PREFIX] == valid[:, None]).all()
    assert most > FEWEST_SLOTS
    assert state.visible.shape[2] - PREFIX < 1.3 * 150 < NUM_HYPOTHESES * 150
