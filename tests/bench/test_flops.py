"""Operations by formula equal those counted matrix by matrix."""

from __future__ import annotations

from dataclasses import replace

from unimo.bench.flops import decoding
from unimo.bench.workloads import SIZES, build_model
from unimo.modeling.cost import encoder_flops, language_head_flops

CONFIG = SIZES["tiny"]


def test_a_position_meets_every_matrix_once() -> None:
    model = build_model(CONFIG, {})
    matrices = sum(p.size for name, p in model.layers.named_parameters() if p.ndim == 2)
    batch, tokens = 3, 5
    attention = CONFIG.num_hidden_layers * batch * 2 * (2 * tokens * tokens * CONFIG.hidden_size)
    assert encoder_flops(CONFIG, batch, tokens) == 2 * batch * tokens * matrices + attention


def test_regions_are_projected_besides() -> None:
    for config in (CONFIG, replace(CONFIG, location_frequencies=3)):
        projections = sum(p.size for p in build_model(config, {}).region_embeddings.parameters() if p.ndim == 2)
        assert encoder_flops(config, 2, 7, 4) - encoder_flops(config, 2, 7) == 2 * 2 * 4 * projections


def test_a_step_of_decoding_costs_what_its_rows_cost() -> None:
    text = replace(CONFIG, image_embedding_size=0)
    first = decoding(text, 2, 6, 5, 1) - encoder_flops(text, 2, 6)
    layers = 2 * CONFIG.num_hidden_layers * (encoder_flops(replace(text, num_hidden_layers=1), 1, 1) - 4 * 64)
    assert first == layers + 2 * CONFIG.num_hidden_layers * 4 * 7 * 64 + language_head_flops(text, 2)
    second = decoding(text, 2, 6, 5, 2) - encoder_flops(text, 2, 6) - first
    assert second > 4.9 * first
