"""What the network reads, and the one rule of who may attend to whom.

Shapes, here and in the whole package: B batch, L sequence (L = R + T), T text, R regions, D hidden, H heads,
V vocabulary, F region feature, C region classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import paddle
from paddle import Tensor


@dataclass(frozen=True)
class ModelInputs:
    """One batch of sequences, each ``[regions, text]``; a batch of texts has R = 0, one of images T = 0.

    Visibility is carried by two small integers a position, from which the [B, L, L] mask is derived on the device:
    a position attends to those of its own segment whose order is not greater than its own.
    """

    segment_ids: Tensor
    """[B, L] int64: 0 is padding; positions with equal numbers belong to the same example."""

    order_ids: Tensor
    """[B, L] int64: 0 for what is read in both directions (image, source); 1, 2, ... along a causal target."""

    input_ids: Tensor | None = None
    """[B, T] int64 token ids."""

    position_ids: Tensor | None = None
    """[B, T] int64 rows of the position table, counted from 2."""

    region_features: Tensor | None = None
    """[B, R, F] float32; row 0 is the whole image (mean of its regions)."""

    region_locations: Tensor | None = None
    """[B, R, 5] float32: x1/W, y1/H, x2/W, y2/H, area/(W*H)."""

    role_ids: Tensor | None = None
    """[B, T] int64 speaker roles, dialogue only."""

    turn_ids: Tensor | None = None
    """[B, T] int64 dialogue turns, dialogue only."""

    text_starts: Tensor | None = None
    """[N] int64 rows, in the flattened [B * L], of each example's first text position, where several examples share
    a row; None: one example a row."""

    image_starts: Tensor | None = None
    """[N] int64, of each example's whole-image position."""

    @property
    def num_region_positions(self) -> int:
        """R, the positions that regions take in every row; the text begins there."""
        return 0 if self.region_features is None else int(self.region_features.shape[1])


def attention_mask(segment_ids: Tensor, order_ids: Tensor) -> Tensor:
    """Who may attend to whom: [B, L], [B, L] -> [B, L, L] bool, True = attend (rows are queries)."""
    queries, keys = segment_ids.unsqueeze(2), segment_ids.unsqueeze(1)
    same_segment = (queries == keys) & (keys > 0)
    return same_segment & (order_ids.unsqueeze(1) <= order_ids.unsqueeze(2))


def attention_bias(mask: Tensor, num_heads: int) -> Tensor:
    """[B, L, L] bool -> [B, H, L, L] float32 added to the logits: 0 to attend, -1e4 not to (original release).

    It is expanded over the heads once a batch: on CPU the broadcast addition costs 9 to 12 ms a layer, the
    full-shape one 0.34 ms.
    """
    bias = (mask.astype("float32") - 1.0) * 1e4
    batch, queries, keys = bias.shape
    expanded = paddle.expand(bias.unsqueeze(1), [batch, num_heads, queries, keys])
    return expanded.contiguous() if paddle.in_dynamic_mode() else expanded  # a static graph has no strides
