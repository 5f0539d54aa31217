"""What decoding keeps of the past: keys and values, and which generated tokens each hypothesis descends from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import paddle
from paddle import Tensor

from unimo.modeling.layers import LayerCache
from unimo.modeling.tensors import as_tensor

Array = np.ndarray

# when dead slots are dropped. Of base with beam 5, dropping half of S slots takes a quarter of what a step's attention
# to them takes; for 130 living ones the two together are least when a sixth is dropped, and flat around it
FEWEST_SLOTS = 64
DEAD_SHARE = 0.2


class DecodingState:
    """B examples in the making: the prefix first, then a slot for every token that was generated."""

    def __init__(self, caches: Sequence[LayerCache], valid: Array) -> None:
        """After a prefix, with one hypothesis an example. ``valid`` [B, P] bool: what is not padding."""
        self.caches = list(caches)
        self.prefix_length = valid.shape[1]
        self.visible = valid[:, None, :]  # [B, K, P + S] bool: what each hypothesis attends to

    def open_slots(self, num_hypotheses: int, num_heads: int) -> Tensor:
        """A slot for the newest token of each of K hypotheses; the bias [B, H, K, P + S] of the step."""
        batch, _, used = self.visible.shape
        own = np.broadcast_to(np.eye(num_hypotheses, dtype=bool), (batch, num_hypotheses, num_hypotheses))
        self.visible = np.concatenate([self.visible, own], axis=2)
        bias = np.where(self.visible, np.float32(0.0), np.float32(-1e4))
        shape = [batch, num_heads, num_hypotheses, used + num_hypotheses]
        return as_tensor(np.ascontiguousarray(np.broadcast_to(bias[:, None], shape)))

    def follow(self, parents: Array) -> None:
        """The hypotheses that live on, by the number [B, K] of the one each extends."""
        self.visible = self.visible[np.arange(len(parents))[:, None], parents]
        self._drop_dead_slots()

    def _drop_dead_slots(self) -> None:
        prefix, slots = np.split(self.visible, [self.prefix_length], axis=2)
        kept = living_slots(slots)
        if kept is None:
            return
        self.visible = np.concatenate([prefix, np.take_along_axis(slots, kept[:, None], axis=2)], axis=2)
        batch, _, num_slots = slots.shape
        num_heads = self.caches[0].keys.shape[1]
        first = np.arange(batch * num_heads).reshape(batch, num_heads, 1) * num_slots
        rows = as_tensor((first + kept[:, None]).reshape(-1))
        for cache in self.caches:
            cache.keep_slots(rows)

    def keep(self, examples: Array) -> None:
        """Go on with some of the examples only."""
        index = as_tensor(examples)
        self.visible = self.visible[examples]
        self.caches = [
            LayerCache(*(None if each is None else paddle.gather(each, index) for each in vars(cache).values()))  # type: ignore[arg-type]
            for cache in self.caches
        ]


def living_slots(slots: Array) -> Array | None:
    """Numbers [B, N] of the slots that some hypothesis of their example descends from, once enough of all are dead.

    ``slots`` [B, K, S] bool: which each of K hypotheses descends from. Every example keeps as many as the one with the
    most; those beyond its own are dead ones, which nobody sees. None where all S are to be kept.
    """
    living = slots.any(axis=1)  # [B, S]
    num_slots, count = living.shape[1], int(living.sum(axis=1).max())
    if num_slots < FEWEST_SLOTS or num_slots - count < DEAD_SHARE * num_slots:
        return None
    return np.argsort(~living, axis=1, kind="stable")[:, :count]  # the living first, in their order
