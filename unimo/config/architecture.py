"""The network's sizes and choices, as they stand in a checkpoint's config.json and in model_configs/arch/."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class UnimoConfig:
    """Sizes of the Transformer and of what goes in and comes out. Defaults are the released base model."""

    vocab_size: int = 50265
    """Entries of the dictionary; 0 takes the tokenizer's."""

    hidden_size: int = 768
    """Width D of the Transformer."""

    num_hidden_layers: int = 12
    """Transformer layers."""

    num_attention_heads: int = 12
    """Attention heads H; they divide hidden_size."""

    intermediate_size: int = 0
    """Width of the feed-forward layer; 0 means four times hidden_size, as in every released model."""

    hidden_dropout_prob: float = 0.1
    """Dropout after embeddings, attention output and feed-forward output."""

    attention_probs_dropout_prob: float = 0.1
    """Dropout on attention weights and, as in the original, before the matching head."""

    max_position_embeddings: int = 514
    """Rows of the position table; positions of a text start at 2 (from RoBERTa)."""

    layer_norm_epsilon: float = 1e-5
    """Added to the variance in every layer normalisation."""

    initializer_range: float = 0.02
    """Standard deviation of the truncated normal that fills fresh matrices."""

    image_embedding_size: int = 2048
    """Numbers in the feature of one region; 0 takes the region store's."""

    image_class_size: int = 1601
    """Classes of the detector, background included, for masked region classification; 0 takes the store's."""

    region_norm: Literal["joint", "separate"] = "joint"
    """How a region's feature and location are joined: `joint` is the release (one layer normalisation over the sum
    of both projections); `separate` normalises each projection before the sum, so that neither drowns the other
    (our own, for models trained from scratch)."""

    location_frequencies: int = 0
    """Sines and cosines of a region's centre and sides, at this many doubling frequencies, beside the 5 numbers of its
    location; 0 is the release (ours, for models trained from scratch: places and sizes become linearly readable)."""

    num_roles: int = 0
    """Speaker roles with an embedding of their own (dialogue tasks only)."""

    num_turns: int = 0
    """Dialogue turns with an embedding of their own (dialogue tasks only)."""

    region_feature_name: str = ""
    """Name of the detector whose features the model was trained on; empty for a model that never saw an image."""

    region_feature_version: str = ""
    """Version of those features; another version is refused."""

    tokenizer_fingerprint: str = ""
    """Fingerprint of the dictionary the model was trained with; another one is refused."""

    def __post_init__(self) -> None:
        """Refuse sizes that cannot work."""
        if self.num_attention_heads < 1:
            raise ValueError(f"num_attention_heads: {self.num_attention_heads}, expected at least 1")
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"hidden_size: {self.hidden_size} is not a multiple of num_attention_heads {self.num_attention_heads}"
            )
        for name in ("hidden_dropout_prob", "attention_probs_dropout_prob"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name}: {getattr(self, name)} is not in [0, 1)")

    @property
    def location_size(self) -> int:
        """Numbers that say where a region is: 5, and with each frequency a sine and a cosine of centre and sides."""
        return 5 + 8 * self.location_frequencies

    @property
    def feed_forward_size(self) -> int:
        """Width of the feed-forward layer."""
        return self.intermediate_size or 4 * self.hidden_size

    @property
    def head_size(self) -> int:
        """Width of one attention head."""
        return self.hidden_size // self.num_attention_heads
