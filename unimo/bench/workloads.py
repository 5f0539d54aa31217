"""The network's work that is timed, on random inputs; in this process, or prepared by name in a worker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import paddle

from unimo.config.job import OptimizerConfig
from unimo.generation import BeamSettings, beam_search
from unimo.modeling import ModelInputs, UnimoConfig, UnimoModel, gather_rows
from unimo.modeling.cost import encoder_flops, language_head_flops, training_flops
from unimo.objectives import language_loss
from unimo.training.optimizer import AdamW

SEED = 7
START_ID, END_ID, FIRST_POSITION = 0, 2, 2
MASKED_SHARE = 0.15  # positions of a text whose token a training step predicts

SIZES: Mapping[str, UnimoConfig] = {
    "base": UnimoConfig(),
    "small": UnimoConfig(num_hidden_layers=3),  # base's widths, a quarter of its layers
    "tiny": UnimoConfig(
        vocab_size=500,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        image_embedding_size=32,
        image_class_size=8,
    ),
}
"""Size name -> the network that is timed."""


@dataclass(frozen=True)
class Shape:
    """Sequences of R regions and T tokens."""

    batch: int
    num_tokens: int
    num_regions: int = 0


def shape_flops(config: UnimoConfig, shape: Shape) -> int:
    """Floating-point operations of one forward."""
    return encoder_flops(config, shape.batch, shape.num_tokens + shape.num_regions, shape.num_regions)


def random_inputs(config: UnimoConfig, shape: Shape) -> ModelInputs:
    """Full rows of random tokens and regions."""
    rng = np.random.default_rng(SEED)
    length = shape.num_regions + shape.num_tokens
    positions = np.tile(np.arange(FIRST_POSITION, FIRST_POSITION + shape.num_tokens), (shape.batch, 1))
    ids = rng.integers(3, config.vocab_size, (shape.batch, shape.num_tokens))
    features = rng.standard_normal((shape.batch, shape.num_regions, config.image_embedding_size)).astype(np.float32)
    locations = rng.random((shape.batch, shape.num_regions, 5)).astype(np.float32)
    return ModelInputs(
        segment_ids=paddle.ones([shape.batch, length], "int64"),
        order_ids=paddle.zeros([shape.batch, length], "int64"),
        input_ids=paddle.to_tensor(ids) if shape.num_tokens else None,
        position_ids=paddle.to_tensor(positions) if shape.num_tokens else None,
        region_features=paddle.to_tensor(features) if shape.num_regions else None,
        region_locations=paddle.to_tensor(locations) if shape.num_regions else None,
    )


def build_model(config: UnimoConfig, heads: Mapping[str, int]) -> UnimoModel:
    """Random weights, the same in every process."""
    paddle.seed(SEED)
    return UnimoModel(config, heads)


class Encoder:
    """Forward, and the training step of masked language modelling: dropout 0.1, AdamW, clipping by global norm."""

    def __init__(self, config: UnimoConfig, shape: Shape) -> None:
        self.config, self.shape = config, shape
        self.model = build_model(config, {"masked_language": 0})
        self.inputs = random_inputs(config, shape)
        self.optimizer = AdamW(self.model, OptimizerConfig())
        rng, length = np.random.default_rng(SEED), shape.num_regions + shape.num_tokens
        self.num_masked = max(1, round(MASKED_SHARE * shape.batch * shape.num_tokens))
        text_rows = np.concatenate([row * length + np.arange(shape.num_regions, length) for row in range(shape.batch)])
        self.rows = paddle.to_tensor(np.sort(rng.choice(text_rows, self.num_masked, replace=False)))
        self.labels = paddle.to_tensor(rng.integers(3, config.vocab_size, self.num_masked))

    def forward(self) -> None:
        """Encode, in evaluation mode."""
        self.model.eval()
        with paddle.no_grad():
            self.model(self.inputs)

    def step(self) -> None:
        """One update of every parameter."""
        self.model.train()
        states = gather_rows(self.model(self.inputs), self.rows)
        language_loss(self.model.language_logits(states), self.labels).backward()
        self.optimizer.step(1e-5)

    @property
    def forward_operations(self) -> int:
        """By formula."""
        return shape_flops(self.config, self.shape)

    @property
    def step_operations(self) -> int:
        """By formula, the vocabulary's logits of masked positions included."""
        return training_flops(self.forward_operations + language_head_flops(self.config, self.num_masked))


class Decoder:
    """Beam search of exactly ``num_steps`` tokens after a prefix."""

    def __init__(self, config: UnimoConfig, shape: Shape, num_steps: int, beam_size: int) -> None:
        self.model = build_model(config, {"masked_language": 0})
        self.model.eval()
        self.prefix = random_inputs(config, shape)
        self.settings = BeamSettings(beam_size=beam_size, min_length=num_steps, max_length=num_steps)

    def search(self) -> None:
        """Encode the prefix and search; no hypothesis may end before the last step."""
        beam_search(self.model, self.prefix, self.settings, START_ID, END_ID)

    def evaluate(self) -> None:
        """An evaluation of one batch: the search, with the copies of weights that its steps read."""
        with self.model.decoding_weights():
            self.search()

    def copy_weights(self) -> None:
        """The copies alone."""
        with self.model.decoding_weights():
            pass

    def encode(self) -> None:
        """The prefix alone."""
        with paddle.no_grad():
            self.model.start_decoding(self.prefix)


def prepare(work: str, options: Mapping[str, Any]) -> Callable[[], None]:
    """Work of a worker by name: `forward` or `step` of the encoder.

    Args:
        work: the name.
        options: `size`, `batch`, `num_tokens`, `num_regions`.
    """
    config = SIZES[options["size"]]
    shape = Shape(options["batch"], options["num_tokens"], options.get("num_regions", 0))
    if not shape.num_regions:
        config = replace(config, image_embedding_size=0)
    encoder = Encoder(config, shape)
    return {"forward": encoder.forward, "step": encoder.step}[work]
