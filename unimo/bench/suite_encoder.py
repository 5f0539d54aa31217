"""Encoder: forward and training step of 8 x 128 tokens, and of 8 x (101 regions + 50 tokens)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from unimo.bench import peers
from unimo.bench.figures import Figure
from unimo.bench.peers import Peer
from unimo.bench.suites import Bench
from unimo.bench.workloads import SIZES, Encoder, Shape

SHAPES = {"base": (Shape(8, 128), Shape(8, 50, 101)), "tiny": (Shape(2, 8), Shape(2, 4, 6))}


def measure(bench: Bench) -> list[Figure]:
    """Sequences a second. Peers, for texts: PyTorch, Paddle as installed and, with several threads, one thread."""
    text, pair = SHAPES.get(bench.size, SHAPES["base"])
    figures = []
    for name, shape in (("text", text), ("pair", pair)):
        config = SIZES[bench.size] if shape.num_regions else replace(SIZES[bench.size], image_embedding_size=0)
        encoder = Encoder(config, shape)
        for work in ("forward", "step"):
            figures.append(
                bench.compare(
                    f"encoder.{name}.{work}",
                    getattr(encoder, work),
                    "sequences/s",
                    shape.batch,
                    getattr(encoder, f"{work}_operations"),
                    _peers(bench, work, encoder),
                )
            )
    return figures


def _peers(bench: Bench, work: str, encoder: Encoder) -> dict[str, Callable[[], Peer]]:
    shape, config = encoder.shape, encoder.config
    own: dict[str, Any] = {"size": bench.size, **vars(shape)}
    found: dict[str, Callable[[], Peer]] = {}
    if bench.threads > 1:
        found["one thread"] = partial(peers.own, work, 1, bench.threads, own)
    if shape.num_regions:
        return found
    sizes = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads")
    same = {name: getattr(config, name) for name in sizes} | vars(shape) | {"num_masked": encoder.num_masked}
    found["pytorch"] = partial(peers.pytorch, work, bench.threads, same)
    found["as installed"] = partial(peers.own, work, bench.threads, bench.threads, own, settings="0")
    return found
