"""A step of cross-modal contrastive learning as pre-training takes it: backward, clipping and update included.

6 pairs, each with 6 rewritten or similar captions read jointly with its image, and a retrieved image and a retrieved
text read alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from unimo.bench.figures import Figure
from unimo.bench.suites import Bench
from unimo.bench.workloads import SIZES, build_model
from unimo.config.job import OptimizerConfig
from unimo.data.batch import Batch
from unimo.data.candidates import PairCandidates, contrastive_batch
from unimo.data.examples import RegionInput, Vocabulary
from unimo.modeling import UnimoConfig
from unimo.modeling.cost import encoder_flops, training_flops
from unimo.tasks.contrastive_learning import ContrastiveOptions, candidates_loss
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
    region_norm="separate",
    location_frequencies=3,
    initializer_range=0.05,
)
NUM_PAIRS, NUM_NEGATIVES = 6, 6
MAX_LENGTH = 64


@dataclass(frozen=True)
class Lengths:
    """Fewest and most regions of an image, the image itself not counted, and tokens of a caption."""

    regions: tuple[int, int]
    tokens: tuple[int, int]


def measure(bench: Bench) -> list[Figure]:
    """Sequences a second; their products count once, whatever rows they share."""
    figures = [_step(bench, "tiny", TINY, Lengths((2, 8), (8, 20)))]
    if bench.size != "tiny":
        figures.append(_step(bench, bench.size, SIZES[bench.size], Lengths((10, 100), (6, 24))))
    return figures


def _step(bench: Bench, name: str, config: UnimoConfig, lengths: Lengths) -> Figure:
    pairs = random_pairs(config, lengths)
    vocabulary = Vocabulary(config.vocab_size, 0, 1, 2, config.vocab_size - 1)
    batch = contrastive_batch(pairs, vocabulary, MAX_LENGTH)
    sequences = sequence_sizes(pairs)
    bench.note(f"pretrain.{name}: {1 - batch.num_valid / batch.num_positions:.0%} padding")
    operations = training_flops(sum(encoder_flops(config, 1, sum(size), size[0]) for size in sequences))
    label = f"pretrain.{name}.contrastive_step"
    return bench.compare(label, contrastive_step(config, batch), "sequences/s", len(sequences), operations)


def random_pairs(config: UnimoConfig, lengths: Lengths) -> list[PairCandidates]:
    """Pairs with their candidates, of varying lengths."""
    rng = np.random.default_rng(7)

    def image() -> RegionInput:
        count = int(rng.integers(lengths.regions[0], lengths.regions[1] + 1)) + 1
        features = rng.random((count, config.image_embedding_size), np.float32)
        return RegionInput(features, rng.random((count, 5), np.float32), np.zeros((count - 1, 4), np.float32))

    def text(count: int) -> list[int]:
        found: list[int] = rng.integers(3, config.vocab_size - 1, count).tolist()
        return found

    pairs = []
    for _ in range(NUM_PAIRS):
        count = int(rng.integers(lengths.tokens[0], lengths.tokens[1] + 1))
        negatives = [text(count) for _ in range(NUM_NEGATIVES)]  # a rewritten caption is about as long
        pairs.append(PairCandidates(image(), text(count), (), negatives, [image()], [text(count)]))
    return pairs


def sequence_sizes(pairs: list[PairCandidates]) -> list[tuple[int, int]]:
    """(regions, tokens with special ones) of every sequence that a step encodes."""
    sizes = []
    for pair in pairs:
        sizes += [(len(pair.image.features), len(text) + 2) for text in (pair.text, *pair.positives, *pair.negatives)]
        sizes += [(len(image.features), 0) for image in pair.retrieved_images]
        sizes += [(0, len(text) + 2) for text in pair.retrieved_texts]
    return sizes


def contrastive_step(config: UnimoConfig, batch: Batch) -> Callable[[], None]:
    """Loss of all candidates, backward, update."""
    model = build_model(config, {"text_pooler": 0, "image_pooler": 0, "match": 0})
    model.train()
    optimizer, options = AdamW(model, OptimizerConfig()), replace(ContrastiveOptions(), needed="each")

    def step() -> None:
        loss, _ = candidates_loss(model, batch, options)
        loss.backward()
        optimizer.step(1e-5)

    return step
