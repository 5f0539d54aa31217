"""What a network costs, by formula: parameters, floating-point operations, memory."""

from __future__ import annotations

from unimo.config.architecture import UnimoConfig

BYTES = 4  # a float32 number


def encoder_flops(config: UnimoConfig, num_rows: int, length: int, num_regions: int = 0) -> int:
    """Floating-point operations of one forward over [num_rows, length] positions, of which num_regions are regions.

    A multiplication with its addition counts as two. Normalisations, softmax and activations are left out: they are
    under 1% at base size.
    """
    hidden, inner = config.hidden_size, config.feed_forward_size
    products = 4 * hidden * hidden + 2 * hidden * inner
    attention = 2 * length * hidden
    positions = num_rows * length
    regions = num_rows * num_regions * hidden * (config.image_embedding_size + config.location_size)
    return 2 * (positions * config.num_hidden_layers * (products + attention) + regions)


def language_head_flops(config: UnimoConfig, num_targets: int) -> int:
    """Floating-point operations of the masked-language head over ``num_targets`` gathered positions."""
    return 2 * num_targets * config.hidden_size * (config.hidden_size + config.vocab_size)


def training_flops(forward: int) -> int:
    """Forward and backward together: the backward pass has two products for each of the forward's."""
    return 3 * forward


def training_bytes(config: UnimoConfig, num_parameters: int, num_rows: int, length: int, num_targets: int) -> float:
    """Bytes that a training step in float32 holds at its peak, roughly.

    Weights, gradients and both moments; what every layer keeps for the backward pass (20 D numbers a position for the
    projections, the feed-forward layer and the normalisations, and 3 H L for attention); the language head's logits
    and their gradient.
    """
    states = 4 * num_parameters
    kept = 20 * config.hidden_size + 3 * config.num_attention_heads * length
    activations = config.num_hidden_layers * num_rows * length * kept
    logits = 2 * num_targets * config.vocab_size
    return float(BYTES * (states + activations + logits))
