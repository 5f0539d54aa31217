"""What decoding keeps of the past: keys and values, and which generated tokens each hypothesis descends from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import paddle
from paddle import Tensor

from unimo.modeling.layers import LayerCache
from unimo.modeling.tensors import as_tensor

Array = np.ndarray


class DecodingState:
    """B examples in the making: the prefix first, then a slot for every token that was generated."""

    def __init__(self, caches: Sequence[LayerCache], valid: Array) -> None:
        """After a prefix, with one hypothesis an example. ``valid`` [B, P] bool: what is not padding."""
        self.caches = list(caches)
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

    def keep(self, examples: Array) -> None:
        """Go on with some of the examples only."""
        index = as_tensor(examples)
        self.visible = self.visible[examples]
        self.caches = [
            LayerCache(*(None if each is None else paddle.gather(each, index) for each in vars(cache).values()))  # type: ignore[arg-type]
            for cache in self.caches
        ]
