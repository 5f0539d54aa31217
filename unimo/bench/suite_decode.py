"""Decoding: beam 5, batch 4, 32 new tokens, after a source of 64 tokens or after 101 regions and 50 tags."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from functools import partial
from typing import Any

from unimo.bench import peers
from unimo.bench.figures import Figure
from unimo.bench.flops import decoding
from unimo.bench.suites import Bench
from unimo.bench.timing import Run, in_turns
from unimo.bench.workloads import SIZES, Decoder, Shape

BEAM_SIZE = 5


def measure(bench: Bench) -> list[Figure]:
    """Tokens of the best hypotheses a second, prefix encoding included; and how a long source slows a step."""
    tiny = bench.size == "tiny"
    batch, steps = (2, 4) if tiny else (4, 32)
    shapes = {"text": Shape(batch, 8 if tiny else 64), "captioning": Shape(batch, *((4, 6) if tiny else (50, 101)))}
    figures = []
    for name, shape in shapes.items():
        config = SIZES[bench.size] if shape.num_regions else replace(SIZES[bench.size], image_embedding_size=0)
        decoder = Decoder(config, shape, steps, BEAM_SIZE)
        length = shape.num_tokens + shape.num_regions
        operations = decoding(config, batch, length, BEAM_SIZE, steps, shape.num_regions)
        sizes = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads")
        same: dict[str, Any] = {key: getattr(config, key) for key in sizes}
        same |= {"batch": batch, "prefix": length, "num_steps": steps, "beam_size": BEAM_SIZE}
        transformers = {"transformers": partial(peers.pytorch, "decode", bench.threads, same)}
        with decoder.model.decoding_weights():  # once an evaluation, whatever it decodes
            figures.append(
                bench.compare(f"decode.{name}", decoder.search, "tokens/s", batch * steps, operations, transformers)
            )
    return [*figures, _growth(bench, batch, steps, shapes["text"].num_tokens)]


def _growth(bench: Bench, batch: int, steps: int, source: int) -> Figure:
    """Time a token after a source eight times as long, over that after the usual one, source encoding excluded."""
    config = replace(SIZES[bench.size], image_embedding_size=0)
    runs: dict[str, Run] = {}
    with contextlib.ExitStack() as stack:
        for name, length in (("short", source), ("long", 8 * source)):
            decoder = Decoder(config, Shape(batch, length), steps, BEAM_SIZE)
            stack.enter_context(decoder.model.decoding_weights())
            runs |= {name: bench.clock.timed(decoder.search), f"{name} source": bench.clock.timed(decoder.encode)}
        seconds = in_turns(runs, bench.repeats)
    long, short = (seconds[name] - seconds[f"{name} source"] for name in ("long", "short"))
    return Figure(f"decode.growth_{source}_to_{8 * source}", long / short, "times a token")
