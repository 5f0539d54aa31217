"""Embeddings and Transformer layers, with the original release's maths.

Post-layer-normalisation, exact gelu, no token types, queries scaled after their bias. Query, key and value come from
one matrix product.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

from unimo import kernels
from unimo.config.architecture import UnimoConfig
from unimo.modeling.dropout import Dropout, dropout
from unimo.modeling.inputs import ModelInputs
from unimo.modeling.linear import Linear


def matrix_init(config: UnimoConfig) -> paddle.ParamAttr:
    """Truncated normal, as the release initialises every embedding and matrix."""
    return paddle.ParamAttr(initializer=nn.initializer.TruncatedNormal(std=config.initializer_range))


def linear(config: UnimoConfig, in_size: int, out_size: int) -> Linear:
    """A fully connected layer; the weight is [in, out] as in the release."""
    return Linear(in_size, out_size, matrix_init(config))


def gelu_of(projection: Linear, inputs: Tensor) -> Tensor:
    """gelu(projection(inputs)), exact."""
    if kernels.can_work_on(inputs):
        return kernels.functions.gelu(projection.product(inputs), projection.bias)
    return F.gelu(projection(inputs))


def layer_norm(config: UnimoConfig) -> nn.LayerNorm:
    """Layer normalisation over the hidden width."""
    return nn.LayerNorm(config.hidden_size, epsilon=config.layer_norm_epsilon)


class TextEmbeddings(nn.Layer):
    """Word + position (+ role + turn) embeddings, normalised, with dropout."""

    def __init__(self, config: UnimoConfig) -> None:
        super().__init__()
        size, init = config.hidden_size, matrix_init(config)
        self.words = nn.Embedding(config.vocab_size, size, weight_attr=init)
        self.positions = nn.Embedding(config.max_position_embeddings, size, weight_attr=init)
        self.roles = nn.Embedding(config.num_roles, size, weight_attr=init) if config.num_roles else None
        self.turns = nn.Embedding(config.num_turns, size, weight_attr=init) if config.num_turns else None
        self.norm = layer_norm(config)
        self.dropout = Dropout(config.hidden_dropout_prob)

    def forward(self, inputs: ModelInputs, perturbation: Tensor | None = None) -> Tensor:
        """[B, T] ids -> [B, T, D]. ``perturbation`` [B, T, D] is added before the normalisation (VILLA)."""
        assert inputs.input_ids is not None and inputs.position_ids is not None
        summed = self.words(inputs.input_ids) + self.positions(inputs.position_ids)
        if self.roles is not None and inputs.role_ids is not None:
            summed = summed + self.roles(inputs.role_ids)
        if self.turns is not None and inputs.turn_ids is not None:
            summed = summed + self.turns(inputs.turn_ids)
        if perturbation is not None:
            summed = summed + perturbation
        return self.dropout(self.norm(summed))


def place_features(locations: Tensor, num_frequencies: int) -> Tensor:
    """[B, R, 5] locations -> [B, R, 5 + 8 N]: with sines and cosines of centre and sides at N doubling frequencies.

    The lowest frequency takes the picture's width (height) as half a turn.
    """
    if num_frequencies == 0:
        return locations
    first, second = locations[:, :, 0:2], locations[:, :, 2:4]
    lengths = paddle.concat([(first + second) / 2, second - first], axis=-1)  # [B, R, 4]
    angles = [lengths * (math.pi * 2**power) for power in range(num_frequencies)]
    waves = [wave for angle in angles for wave in (paddle.sin(angle), paddle.cos(angle))]
    return paddle.concat([locations, *waves], axis=-1)


class RegionEmbeddings(nn.Layer):
    """Projected feature + projected location of each region, normalised, with dropout. No position embedding."""

    def __init__(self, config: UnimoConfig) -> None:
        super().__init__()
        self.features = linear(config, config.image_embedding_size, config.hidden_size)
        self.num_frequencies = config.location_frequencies
        self.locations = linear(config, config.location_size, config.hidden_size)
        self.norm = layer_norm(config)
        self.location_norm = layer_norm(config) if config.region_norm == "separate" else None
        self.dropout = Dropout(config.hidden_dropout_prob)

    def forward(self, inputs: ModelInputs, perturbation: Tensor | None = None) -> Tensor:
        """[B, R, F] and [B, R, 5] -> [B, R, D]. ``perturbation`` [B, R, F] is added to the features (VILLA)."""
        assert inputs.region_features is not None
        features = inputs.region_features if perturbation is None else inputs.region_features + perturbation
        places = place_features(inputs.region_locations, self.num_frequencies)
        projected, located = self.features(features), self.locations(places)
        if self.location_norm is None:
            return self.dropout(self.norm(projected + located))
        return self.dropout(self.norm(projected) + self.location_norm(located))


@dataclass
class LayerCache:
    """Keys and values that a decoding step of one layer attends to: the prefix's, and every generated token's.

    The prefix is kept once an example and never copied. A slot holds one generated token of one hypothesis: which of
    them a hypothesis descends from is told by the bias of the step. Slots move only when dead ones are dropped.
    """

    keys: Tensor  # [B, H, P, D/H]
    values: Tensor  # [B, H, P, D/H]
    slot_keys: Tensor | None = None  # [B, H, S, D/H]
    slot_values: Tensor | None = None  # [B, H, S, D/H]

    def add(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Open slots for [B, H, K, D/H] keys and values; all slots' keys and values."""
        if self.slot_keys is not None and self.slot_values is not None:
            keys = paddle.concat([self.slot_keys, keys], axis=2)
            values = paddle.concat([self.slot_values, values], axis=2)
        self.slot_keys, self.slot_values = keys, values
        return keys, values

    def keep_slots(self, rows: Tensor) -> None:
        """Keep N slots of each example: ``rows`` [B * H * N] among the B * H * S of all heads."""
        assert self.slot_keys is not None and self.slot_values is not None
        batch, heads, _, size = self.slot_keys.shape
        shape = [batch, heads, rows.shape[0] // (batch * heads), size]
        self.slot_keys = paddle.gather(self.slot_keys.reshape([-1, size]), rows).reshape(shape)
        self.slot_values = paddle.gather(self.slot_values.reshape([-1, size]), rows).reshape(shape)


def on_gpu(tensor: Tensor) -> bool:
    """Whether an operation on the tensor runs on a GPU; not in a static program, which is exported for CPU."""
    return paddle.in_dynamic_mode() and tensor.place.is_gpu_place()


def bias_heads(hidden: Tensor, num_heads: int) -> int:
    """For how many heads the attention bias is written out: 1 where it is spread over them without much loss."""
    return 1 if on_gpu(hidden) or kernels.can_work_on(hidden) else num_heads


def fused_attention(queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor, dropout_prob: float) -> Tensor:
    """Softmax attention as one operation, which never writes the weights to memory where the device has such a kernel.

    On CPU it is slower than its parts (tests/benchmarks/RESULTS.md). Never run on a GPU; its numbers are tested on CPU.

    Args:
        queries: [B, H, L, D/H], scaled already.
        keys: [B, H, L, D/H].
        values: [B, H, L, D/H].
        bias: [B, H or 1, L, L], added to the logits.
        dropout_prob: of the weights.
    """
    unscaled = queries * queries.shape[-1] ** 0.5  # it scales by itself
    swapped = [each.transpose([0, 2, 1, 3]) for each in (unscaled, keys, values)]
    mask = bias.astype(queries.dtype)
    attended = F.scaled_dot_product_attention(
        *swapped, attn_mask=mask, dropout_p=dropout_prob, training=dropout_prob > 0
    )
    return attended.transpose([0, 2, 1, 3])


class SelfAttention(nn.Layer):
    """Multi-head self-attention."""

    def __init__(self, config: UnimoConfig) -> None:
        super().__init__()
        self.num_heads, self.head_size = config.num_attention_heads, config.head_size
        self.qkv = linear(config, config.hidden_size, 3 * config.hidden_size)
        self.output = linear(config, config.hidden_size, config.hidden_size)
        self.dropout_prob = config.attention_probs_dropout_prob

    def project(self, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """[B, L, D] -> queries (scaled), keys, values, each [B, H, L, D/H]."""
        if kernels.can_work_on(hidden):
            return kernels.functions.split_heads(self.qkv.product(hidden), self.qkv.bias, self.num_heads)
        split = self.qkv(hidden).reshape([*hidden.shape[:-1], 3, self.num_heads, self.head_size])
        queries, keys, values = paddle.unbind(split.transpose([2, 0, 3, 1, 4]), axis=0)
        return queries * self.head_size**-0.5, keys, values

    def forward(self, hidden: Tensor, bias: Tensor) -> Tensor:
        """[B, L, D] and an additive bias [B, 1 or H, L, L] -> [B, L, D], before the output projection."""
        return self.merge(self.attend(*self.project(hidden), bias))

    def attend(self, queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor) -> Tensor:
        """Softmax attention: [B, H, L, D/H] three times -> [B, H, L, D/H]; on a GPU by one fused kernel."""
        if on_gpu(queries):
            dropout_prob = self.dropout_prob if self.training else 0.0
            return fused_attention(queries, keys, values, bias, dropout_prob)
        logits = paddle.matmul(queries, keys, transpose_y=True)
        if kernels.can_work_on(logits):
            dropout_prob = self.dropout_prob if self.training else 0.0
            weights = kernels.functions.attention_weights(logits, bias, dropout_prob)
        else:
            weights = dropout(F.softmax(logits + bias), self.dropout_prob, self.training)
        return paddle.matmul(weights, values)

    def merge(self, attended: Tensor) -> Tensor:
        """[B, H, L, D/H] -> [B, L, D]."""
        swapped = attended.transpose([0, 2, 1, 3])
        return swapped.reshape([*swapped.shape[:2], self.num_heads * self.head_size])

    def step(self, hidden: Tensor, cache: LayerCache, bias: Tensor) -> Tensor:
        """One decoding step: [B, K, D] states of the newest tokens -> [B, K, D]; their slots are added to the cache.

        Before the output projection. ``bias`` [B, 1 or H, K, P + S] hides padding and what is not a hypothesis' past.
        """
        queries, keys, values = self.project(hidden)  # [B, H, K, D/H]
        slot_keys, slot_values = cache.add(keys, values)
        if kernels.can_work_on(hidden) and not paddle.is_grad_enabled() and bias.shape[1] == 1:
            return kernels.functions.attend_step(queries, cache.keys, cache.values, slot_keys, slot_values, bias)
        prefix_logits = paddle.matmul(queries, cache.keys, transpose_y=True)
        slot_logits = paddle.matmul(queries, slot_keys, transpose_y=True)
        weights = F.softmax(paddle.concat([prefix_logits, slot_logits], axis=-1) + bias)
        prefix_weights, slot_weights = paddle.split(weights, [cache.keys.shape[2], slot_keys.shape[2]], axis=-1)
        return self.merge(paddle.matmul(prefix_weights, cache.values) + paddle.matmul(slot_weights, slot_values))


class TransformerLayer(nn.Layer):
    """Attention and feed-forward, each followed by dropout, residual addition and normalisation ("dan")."""

    def __init__(self, config: UnimoConfig) -> None:
        super().__init__()
        self.attention = SelfAttention(config)
        self.attention_norm = layer_norm(config)
        self.expand = linear(config, config.hidden_size, config.feed_forward_size)
        self.contract = linear(config, config.feed_forward_size, config.hidden_size)
        self.output_norm = layer_norm(config)
        self.dropout = Dropout(config.hidden_dropout_prob)

    def forward(self, hidden: Tensor, bias: Tensor) -> Tensor:
        """[B, L, D] -> [B, L, D]."""
        return self._finish(hidden, self.attention(hidden, bias))

    def step(self, hidden: Tensor, cache: LayerCache, bias: Tensor) -> Tensor:
        """One decoding step: [B, K, D] -> [B, K, D]; see :meth:`SelfAttention.step`."""
        return self._finish(hidden, self.attention.step(hidden, cache, bias))

    def prefix(self, hidden: Tensor, bias: Tensor) -> tuple[Tensor, LayerCache]:
        """Encode a prefix [B, P, D] and keep its keys and values."""
        queries, keys, values = self.attention.project(hidden)
        attended = self.attention.merge(self.attention.attend(queries, keys, values, bias))
        return self._finish(hidden, attended), LayerCache(keys, values)

    def _finish(self, hidden: Tensor, attended: Tensor) -> Tensor:
        hidden = self._add(hidden, attended, self.attention.output, self.attention_norm)
        return self._add(hidden, gelu_of(self.expand, hidden), self.contract, self.output_norm)

    def _add(self, hidden: Tensor, inputs: Tensor, projection: Linear, norm: nn.LayerNorm) -> Tensor:
        """The projection of what a sublayer found, added to what went into it."""
        if not kernels.can_work_on(hidden):
            return norm(hidden + self.dropout(projection(inputs)))
        dropout_prob = self.dropout.probability if self.training else 0.0
        product = projection.product(inputs)
        return kernels.functions.add_norm(
            product, projection.bias, hidden, norm.weight, norm.bias, norm._epsilon, dropout_prob
        )
