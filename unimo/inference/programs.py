"""The network cut into static programs: what each reads, what it gives, and how Paddle traces it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import paddle
from paddle import Tensor, nn
from paddle.static import InputSpec

from unimo.modeling import SCORING_HEADS, ModelInputs, UnimoConfig, UnimoModel, attention_bias, attention_mask
from unimo.modeling.layers import LayerCache, bias_heads

TEXT_INPUTS = ("input_ids", "position_ids")
IMAGE_INPUTS = ("region_features", "region_locations")


@dataclass(frozen=True)
class Port:
    """An input or output; None is a size that may differ from run to run."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str = "float32"

    def spec(self) -> InputSpec:
        """For Paddle."""
        return InputSpec([-1 if size is None else size for size in self.shape], self.dtype, self.name)


@dataclass(frozen=True)
class Program:
    """A part of the network: its layer, and its inputs and outputs in order."""

    layer: nn.Layer
    inputs: Sequence[Port]
    outputs: Sequence[Port]
    num_single: int = 1
    """Inputs that the layer takes one by one; the others as one list."""

    def save(self, path: Path) -> None:
        """Write ``<path>.json`` and ``<path>.pdiparams``."""
        self.layer.eval()
        specs = [port.spec() for port in self.inputs]
        listed = [*specs[: self.num_single], specs[self.num_single :]]
        traced = paddle.jit.to_static(self.layer, input_spec=listed, full_graph=True)
        try:
            with paddle.no_grad():
                paddle.jit.save(traced, str(path))
        finally:
            vars(self.layer).pop("forward", None)  # where Paddle put the traced one: the layer is the network again


def build_programs(model: UnimoModel) -> Mapping[str, Program]:
    """The programs that a model's heads and inputs allow, by name.

    `text`, `image` and `pair` encode; `match` scores pairs; `text_prefix`, `image_prefix` and `pair_prefix` encode what
    is given and keep keys and values, after which `step` writes one token further.
    """
    sides: dict[str, tuple[str, ...]] = {"text": TEXT_INPUTS}
    if model.region_embeddings is not None:
        sides |= {"image": IMAGE_INPUTS, "pair": (*TEXT_INPUTS, *IMAGE_INPUTS)}
    programs = {side: _encoder(model, side, names) for side, names in sides.items()}
    if set(SCORING_HEADS) & set(model.head_sizes) and "pair" in sides:
        layer = Match(model, sides["pair"])
        programs["match"] = Program(layer, _inputs(model.config, sides["pair"]), [Port("scores", (None,))])
    # a conversation's target has roles and turns, which these programs do not read
    if "masked_language" in model.head_sizes and not model.config.num_roles:
        caches = _caches(model.config, "keys") + _caches(model.config, "values")
        for side, names in sides.items():
            programs[f"{side}_prefix"] = Program(Prefix(model, names), _inputs(model.config, names), caches)
        programs["step"] = _step(model)
    return programs


class Part(nn.Layer):
    """A program's layer: it takes tensors in the order of ``names``, after the segment ids."""

    def __init__(self, model: UnimoModel, names: Sequence[str]) -> None:
        super().__init__()
        self.model, self.names = model, tuple(names)

    def read(self, segment_ids: Tensor, tensors: Sequence[Tensor]) -> ModelInputs:
        """What the network reads: everything given in both directions."""
        named = {name: tensors[place] for place, name in enumerate(self.names)}
        return ModelInputs(segment_ids, segment_ids * 0, **named)


class Encode(Part):
    """States of every position, and the pooled vectors of a text or an image that stands alone."""

    def forward(self, segment_ids: Tensor, tensors: Sequence[Tensor]) -> list[Tensor]:
        """-> [B, L, D], and [B, D] where there is a pooler."""
        inputs = self.read(segment_ids, tensors)
        hidden = self.model(inputs)
        if self.names == TEXT_INPUTS and "text_pooler" in self.model.head_sizes:
            return [hidden, self.model.pool_text(hidden, inputs)]
        if self.names == IMAGE_INPUTS and "image_pooler" in self.model.head_sizes:
            return [hidden, self.model.pool_image(hidden)]
        return [hidden]


class Match(Part):
    """Scores of the head that matches, whichever the model has."""

    def forward(self, segment_ids: Tensor, tensors: Sequence[Tensor]) -> Tensor:
        """-> [B]."""
        hidden = self.model(self.read(segment_ids, tensors))
        num_regions = tensors[2].shape[1]
        text = self.model.heads["text_pooler"](hidden[:, num_regions])
        return self.model.score(text, self.model.pool_image(hidden))


class Prefix(Part):
    """Keys and values of every layer."""

    def forward(self, segment_ids: Tensor, tensors: Sequence[Tensor]) -> list[Tensor]:
        """-> N keys, then N values, each [B, H, P, D/H]."""
        inputs = self.read(segment_ids, tensors)
        hidden = self.model.embed(inputs)
        mask = attention_mask(inputs.segment_ids, inputs.order_ids)
        bias = attention_bias(mask, bias_heads(hidden, self.model.config.num_attention_heads))
        keys, values = [], []
        for layer in self.model.layers:
            hidden, cache = layer.prefix(hidden, bias)
            keys.append(cache.keys)
            values.append(cache.values)
        return keys + values


class Step(nn.Layer):
    """One token further for K hypotheses of every example, from the caches of the prefix and of the tokens so far."""

    def __init__(self, model: UnimoModel) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, input_ids: Tensor, position_ids: Tensor, visible: Tensor, caches: Sequence[Tensor]
    ) -> list[Tensor]:
        """[B, K] ids and positions, [B, K, P + S + K] visible -> [B, K, V] logits and the grown slots."""
        model = self.model
        num_layers = model.config.num_hidden_layers
        hidden = model.text_embeddings(ModelInputs(input_ids, input_ids, input_ids, position_ids))
        bias = attention_bias(visible > 0, bias_heads(hidden, model.config.num_attention_heads))
        keys, values = [], []
        for number, layer in enumerate(model.layers):
            cache = LayerCache(*(caches[kind * num_layers + number] for kind in range(4)))
            hidden = layer.step(hidden, cache, bias)
            keys.append(cache.slot_keys)
            values.append(cache.slot_values)
        return [model.language_logits(hidden), *keys, *values]


def _encoder(model: UnimoModel, side: str, names: Sequence[str]) -> Program:
    outputs = [Port("states", (None, None, model.config.hidden_size))]
    if f"{side}_pooler" in model.head_sizes:
        outputs.append(Port("pooled", (None, model.config.hidden_size)))
    return Program(Encode(model, names), _inputs(model.config, names), outputs)


def _inputs(config: UnimoConfig, names: Sequence[str]) -> list[Port]:
    widths = {"region_features": config.image_embedding_size, "region_locations": 5}
    ports = [Port("segment_ids", (None, None), "int64")]
    for name in names:
        ports.append(Port(name, (None, None, widths[name])) if name in widths else Port(name, (None, None), "int64"))
    return ports


def _caches(config: UnimoConfig, kind: str) -> list[Port]:
    shape = (None, config.num_attention_heads, None, config.head_size)
    return [Port(f"{kind}_{layer}", shape) for layer in range(config.num_hidden_layers)]


def _step(model: UnimoModel) -> Program:
    config = model.config
    inputs = [
        Port("input_ids", (None, None), "int64"),
        Port("position_ids", (None, None), "int64"),
        Port("visible", (None, None, None), "int64"),
    ]
    slots = _caches(config, "slot_keys") + _caches(config, "slot_values")
    inputs += [*_caches(config, "keys"), *_caches(config, "values"), *slots]
    outputs = [Port("logits", (None, None, config.vocab_size)), *(Port(f"new_{p.name}", p.shape) for p in slots)]
    return Program(Step(model), inputs, outputs, num_single=3)
