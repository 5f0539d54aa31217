"""What decoding keeps of the past: keys and values in slots, and which slots each hypothesis descends from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import paddle
from paddle import Tensor

from unimo.modeling.layers import LayerCache

Array = np.ndarray

# steps for which slots are made at a time: every growth copies all keys and values, every empty slot is computed
STEPS_AHEAD = 8


class DecodingState:
    """Slots of B examples, shared by their hypotheses: the prefix first, then every token that was generated."""

    def __init__(self, caches: Sequence[LayerCache], visible: Array, num_used: int) -> None:
        """``visible`` [B, K, N] bool: the slots that each hypothesis attends to; ``num_used`` slots are filled."""
        self.caches, self.visible, self.num_used = list(caches), visible, num_used

    @classmethod
    def of_prefix(cls, caches: Sequence[LayerCache], valid: Array) -> DecodingState:
        """The state after a prefix, with one hypothesis an example. ``valid`` [B, P] bool: what is not padding."""
        return cls(caches, valid[:, None, :], valid.shape[1])

    def open_slots(self, num_hypotheses: int, num_heads: int) -> tuple[int, Tensor]:
        """A slot for the newest token of each hypothesis: the first one's number, and the bias [B, H, K, N]."""
        first = self.num_used
        if first + num_hypotheses > self.visible.shape[2]:
            self._grow(num_hypotheses * STEPS_AHEAD)
        self.num_used += num_hypotheses
        own = np.arange(num_hypotheses)
        self.visible[:, own, first + own] = True
        bias = np.where(self.visible, np.float32(0.0), np.float32(-1e4))
        batch, _, num_slots = bias.shape
        shape = [batch, num_heads, num_hypotheses, num_slots]
        return first, paddle.to_tensor(np.ascontiguousarray(np.broadcast_to(bias[:, None], shape)))

    def follow(self, parents: Array) -> None:
        """The hypotheses that live on, by the number [B, K] of the one each extends."""
        self.visible = self.visible[np.arange(len(parents))[:, None], parents]

    def keep(self, examples: Array) -> None:
        """Go on with some of the examples only."""
        index = paddle.to_tensor(examples)
        self.visible = self.visible[examples]
        self.caches = [LayerCache(paddle.gather(c.keys, index), paddle.gather(c.values, index)) for c in self.caches]

    def _grow(self, count: int) -> None:
        batch, num_hypotheses, _ = self.visible.shape
        self.visible = np.concatenate([self.visible, np.zeros((batch, num_hypotheses, count), bool)], axis=2)
        _, heads, _, size = self.caches[0].keys.shape
        empty = paddle.zeros([batch, heads, count, size])
        self.caches = [
            LayerCache(paddle.concat([c.keys, empty], axis=2), paddle.concat([c.values, empty], axis=2))
            for c in self.caches
        ]
