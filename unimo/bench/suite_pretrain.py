"""A step of cross-modal contrastive learning: 8 images with 8 captions each read jointly, backward, update."""

from __future__ import annotations

from collections.abc import Callable

import paddle

from unimo.bench.figures import Figure
from unimo.bench.flops import TRAINING_FACTOR, encoder_forward
from unimo.bench.suites import Bench
from unimo.bench.workloads import SIZES, Shape, build_model, random_inputs
from unimo.config.job import OptimizerConfig
from unimo.modeling import UnimoConfig
from unimo.objectives import contrastive_loss
from unimo.training.optimizer import AdamW

# a model of minutes (model_configs/arch/tiny.yaml with its usual stores), and the released one
TINY = UnimoConfig(
    vocab_size=500,
    hidden_size=128,
    num_hidden_layers=3,
    num_attention_heads=4,
    hidden_dropout_prob=0.0,
    attention_probs_dropout_prob=0.0,
    image_embedding_size=64,
    image_class_size=32,
)


def measure(bench: Bench) -> list[Figure]:
    """Pairs a second."""
    figures = [_step(bench, "tiny", TINY, num_images=8, regions=13, tokens=16)]
    if bench.size != "tiny":
        figures.append(_step(bench, bench.size, SIZES[bench.size], num_images=8, regions=37, tokens=16))
    return figures


def _step(bench: Bench, name: str, config: UnimoConfig, num_images: int, regions: int, tokens: int) -> Figure:
    pairs = num_images**2
    operations = TRAINING_FACTOR * encoder_forward(config, pairs, tokens, regions)
    work = contrastive_step(config, num_images, Shape(pairs, tokens, regions))
    return bench.compare(f"pretrain.{name}.contrastive_step", work, "pairs/s", pairs, operations)


def contrastive_step(config: UnimoConfig, num_images: int, shape: Shape) -> Callable[[], None]:
    """The step over ``num_images`` images and as many captions."""
    model = build_model(config, {"text_pooler": 0, "image_pooler": 0, "match": 0})
    model.train()
    inputs, optimizer = random_inputs(config, shape), AdamW(model, OptimizerConfig())
    positives = paddle.eye(num_images) > 0

    def step() -> None:
        scores = model.match(model(inputs), inputs).reshape([num_images, num_images])
        contrastive_loss(scores, positives).backward()
        optimizer.step(1e-5)

    return step
