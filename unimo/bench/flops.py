"""Floating-point operations of the network's matrix products, by formula: a multiplication and an addition each count.

Elementwise work (softmax, normalisation, gelu, dropout, the optimizer) counts nothing, so that a share of the machine's
matrix-product rate tells how much of the time is left to it.
"""

from __future__ import annotations

from unimo.config.architecture import UnimoConfig

TRAINING_FACTOR = 3
"""Forward, the gradient of every product's input and of its weight."""


def layer_products(config: UnimoConfig) -> int:
    """Operations a position in the matrices of one layer: query, key, value, output, and the feed-forward pair."""
    size = config.hidden_size
    return 2 * size * (4 * size + 2 * config.feed_forward_size)


def encoder_forward(config: UnimoConfig, batch: int, num_tokens: int, num_regions: int = 0) -> int:
    """Encoding B sequences of R regions and T tokens."""
    length = num_regions + num_tokens
    attention = 4 * length * config.hidden_size  # a position: logits and weighted values
    layers = config.num_hidden_layers * batch * length * (layer_products(config) + attention)
    places = 5 + 4 * config.location_frequencies
    regions = 2 * batch * num_regions * config.hidden_size * (config.image_embedding_size + places)
    return layers + (regions if num_regions else 0)


def language_head(config: UnimoConfig, rows: int) -> int:
    """Logits over the vocabulary of gathered positions."""
    return 2 * rows * config.hidden_size * (config.hidden_size + config.vocab_size)


def decoding(config: UnimoConfig, batch: int, prefix: int, num_beams: int, num_steps: int, num_regions: int = 0) -> int:
    """Encoding a prefix of P positions (R of them regions) once an example, then every step of every hypothesis."""
    total = encoder_forward(config, batch, prefix - num_regions, num_regions)
    for step in range(num_steps):
        rows = batch * (num_beams if step else 1)
        attention = 4 * (prefix + step + 1) * config.hidden_size
        total += rows * config.num_hidden_layers * (layer_products(config) + attention) + language_head(config, rows)
    return total
