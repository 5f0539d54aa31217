"""Scores of all images with all captions, each pair read by the whole encoder."""

from __future__ import annotations

import numpy as np

from unimo.bench.figures import Figure
from unimo.bench.suites import Bench
from unimo.bench.workloads import SIZES, Shape, build_model, shape_flops
from unimo.data.examples import RegionInput, Vocabulary
from unimo.tasks.pair_scoring import score_matrix

NUM_REGIONS, NUM_TOKENS = 37, 16  # the whole image and 36 regions; a caption


def measure(bench: Bench) -> list[Figure]:
    """Pairs a second."""
    config = SIZES[bench.size]
    num_images, num_texts = (2, 4) if bench.size == "tiny" else (4, 16)
    model = build_model(config, {"text_pooler": 0, "image_pooler": 0, "match": 0})
    model.eval()
    rng = np.random.default_rng(7)
    images = [
        RegionInput(
            rng.random((NUM_REGIONS, config.image_embedding_size), np.float32),
            rng.random((NUM_REGIONS, 5), np.float32),
            np.zeros((NUM_REGIONS - 1, 4), np.float32),
        )
        for _ in range(num_images)
    ]
    texts = [rng.integers(3, config.vocab_size, NUM_TOKENS - 2).tolist() for _ in range(num_texts)]
    vocabulary = Vocabulary(config.vocab_size, 0, 1, 2, config.vocab_size - 1)
    pairs = num_images * num_texts

    def score() -> None:
        score_matrix(model, images, texts, "match", vocabulary, tokens_per_batch=1024)

    operations = shape_flops(config, Shape(pairs, NUM_TOKENS, NUM_REGIONS))
    return [bench.compare("retrieval.pairs", score, "pairs/s", pairs, operations)]
