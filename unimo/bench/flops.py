"""Floating-point operations of decoding, by formula: a multiplication and an addition each count.

Elementwise work (softmax, normalisation, gelu, dropout, the optimizer) counts nothing, so that a share of the machine's
matrix-product rate tells how much of the time is left to it.
"""

from __future__ import annotations

from unimo.config.architecture import UnimoConfig
from unimo.modeling.cost import encoder_flops, language_head_flops


def decoding(config: UnimoConfig, batch: int, prefix: int, num_beams: int, num_steps: int, num_regions: int = 0) -> int:
    """Encoding a prefix of P positions (R of them regions) once an example, then every step of every hypothesis."""
    total = encoder_flops(config, batch, prefix, num_regions)
    for step in range(num_steps):
        rows = batch * (num_beams if step else 1)
        # one position of a row each: its products, and attention over all before it
        total += encoder_flops(config, rows, 1) + language_head_flops(config, rows)
        total += 4 * config.hidden_size * (prefix + step) * rows * config.num_hidden_layers
    return total
