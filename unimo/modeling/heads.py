"""What stands on top of the Transformer: poolers and heads, each built only when a task asks for it by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

from unimo.config.architecture import UnimoConfig
from unimo.modeling.layers import gelu_of, layer_norm, linear
from unimo.modeling.linear import WeightCopy, reads_copies


class Pooler(nn.Layer):
    """relu(fc(first position)): one vector for a text ([CLS]) or an image ([IMG])."""

    def __init__(self, config: UnimoConfig, size: int) -> None:
        super().__init__()
        self.dense = linear(config, config.hidden_size, config.hidden_size)

    def forward(self, first: Tensor) -> Tensor:
        """[B, D] -> [B, D]."""
        return F.relu(self.dense(first))


class MaskedLanguageHead(nn.Layer):
    """fc, gelu, normalisation, then the word embeddings as output weights (tied) and a bias."""

    def __init__(self, config: UnimoConfig, size: int) -> None:
        super().__init__()
        self.transform = linear(config, config.hidden_size, config.hidden_size)
        self.norm = layer_norm(config)
        self.bias = self.create_parameter([config.vocab_size], is_bias=True)
        self.copies: list[WeightCopy] = []

    def forward(self, rows: Tensor, word_embeddings: Tensor) -> Tensor:
        """[N, D] gathered states and [V, D] -> [N, V] logits."""
        transformed = self.norm(gelu_of(self.transform, rows))
        if self.copies and reads_copies(transformed):
            return self.copies[0](transformed) + self.bias
        return paddle.matmul(transformed, word_embeddings, transpose_y=True) + self.bias


class MatchHead(nn.Layer):
    """Score of an image-text pair: fc of the elementwise product of both pooled vectors (`fusion_method` mul)."""

    def __init__(self, config: UnimoConfig, size: int) -> None:
        super().__init__()
        self.dropout = nn.Dropout(config.attention_probs_dropout_prob)
        self.dense = nn.Linear(config.hidden_size, 1)

    def forward(self, pooled_text: Tensor, pooled_image: Tensor) -> Tensor:
        """[B, D], [B, D] -> [B]."""
        return self.dense(self.dropout(pooled_text * pooled_image)).squeeze(-1)


class CosineHead(nn.Layer):
    """Score of an image and a text: cosine of their pooled vectors over a learned temperature.

    The temperature starts at 0.07 and stays within [0.001, 0.5] (from UNIMO-2; UNIMO's own is not known).
    """

    def __init__(self, config: UnimoConfig, size: int) -> None:
        super().__init__()
        start = nn.initializer.Constant(math.log(0.07))
        self.log_temperature = self.create_parameter([1], default_initializer=start)

    def forward(self, pooled_text: Tensor, pooled_image: Tensor) -> Tensor:
        """[..., D], [..., D] -> [...]."""
        cosine = F.cosine_similarity(pooled_text, pooled_image, axis=-1)
        return cosine / paddle.exp(paddle.clip(self.log_temperature, math.log(0.001), math.log(0.5)))


class RegionHead(nn.Layer):
    """Predicts the feature (regression) and the class (soft labels) of masked regions (PAPER 3.2)."""

    def __init__(self, config: UnimoConfig, size: int) -> None:
        super().__init__()
        self.features = linear(config, config.hidden_size, config.image_embedding_size)
        self.classes = linear(config, config.hidden_size, config.image_class_size)

    def forward(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """[N, D] -> features [N, F] and class logits [N, C]."""
        return self.features(rows), self.classes(rows)


class ClassificationHead(nn.Layer):
    """Dropout 0.1 (fixed in the original) and one fc; with one output it is the regression head."""

    def __init__(self, config: UnimoConfig, size: int) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.1)
        self.dense = linear(config, config.hidden_size, size)

    def forward(self, pooled: Tensor) -> Tensor:
        """[B, D] -> [B, num_labels] logits."""
        return self.dense(self.dropout(pooled))


class EntailmentHead(nn.Layer):
    """Visual entailment: fc to 2,048 without activation, dropout 0.1, fc (original release)."""

    def __init__(self, config: UnimoConfig, size: int) -> None:
        super().__init__()
        self.hidden = linear(config, config.hidden_size, 2048)
        self.dropout = nn.Dropout(0.1)
        self.dense = linear(config, 2048, size)

    def forward(self, pooled: Tensor) -> Tensor:
        """[B, D] (sum of both pooled vectors) -> [B, num_labels] logits."""
        return self.dense(self.dropout(self.hidden(pooled)))


class AnswerHead(nn.Layer):
    """Visual question answering: fc to 2,048, relu, dropout 0.5, fc (PAPER section 5, after ERNIE-ViL's recipe)."""

    def __init__(self, config: UnimoConfig, size: int) -> None:
        super().__init__()
        self.hidden = linear(config, config.hidden_size, 2048)
        self.dropout = nn.Dropout(0.5)
        self.dense = linear(config, 2048, size)

    def forward(self, fused: Tensor) -> Tensor:
        """[B, D] (product of both pooled vectors) -> [B, num_answers] logits."""
        return self.dense(self.dropout(F.relu(self.hidden(fused))))


HEADS: Mapping[str, Callable[[UnimoConfig, int], nn.Layer]] = {
    "text_pooler": Pooler,
    "image_pooler": Pooler,
    "masked_language": MaskedLanguageHead,
    "match": MatchHead,
    "cosine": CosineHead,
    "dual": CosineHead,
    "regions": RegionHead,
    "classifier": ClassificationHead,
    "entailment": EntailmentHead,
    "answers": AnswerHead,
}
"""Head name -> its class, called with the config and the head's number of outputs (0 where it has none to choose)."""
