"""Scores of all pairs."""

from __future__ import annotations

import numpy as np
import paddle
import pytest

from unimo.config.architecture import UnimoConfig
from unimo.data.examples import RegionInput, Vocabulary
from unimo.modeling import UnimoModel
from unimo.tasks.pair_scoring import Scorer, score_matrix


@pytest.mark.parametrize("scorer", ["match", "likelihood"])
def test_long_texts_are_cut(scorer: Scorer) -> None:
    paddle.seed(0)
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "image_embedding_size": 4}
    heads = dict.fromkeys(("text_pooler", "image_pooler", "match", "masked_language"), 0)
    model = UnimoModel(UnimoConfig(vocab_size=20, initializer_range=0.5, **sizes), heads)
    model.eval()
    rng = np.random.default_rng(0)
    images = [
        RegionInput(rng.random((3, 4), np.float32), rng.random((3, 5), np.float32), np.zeros((2, 4))) for _ in range(2)
    ]
    texts = [rng.integers(4, 19, size=length).tolist() for length in (9, 3, 5)]

    def scores(texts: list[list[int]], limit: int) -> np.ndarray:
        vocabulary = Vocabulary(20, 0, 1, 2, 19)
        return score_matrix(model, images, texts, scorer, vocabulary, tokens_per_batch=64, max_text_length=limit)

    cut = scores(texts, 6)
    np.testing.assert_allclose(cut, scores([ids[:4] for ids in texts], 512), atol=1e-6)
    assert np.abs(cut - scores(texts, 512))[:, [0, 2]].min() > 1e-4
