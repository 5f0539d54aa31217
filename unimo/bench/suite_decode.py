"""Decoding: beam 5, batch 4, 32 new tokens, after a source of 64 tokens or after 101 regions and 50 tags.

128 new tokens after the source show what past tokens cost that no hypothesis descends from any more.
"""

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
COPIES = "copies"
LONG_REPEATS = 3  # of the 128 tokens, which take minutes


def measure(bench: Bench) -> list[Figure]:
    """Tokens of the best hypotheses a second, prefix encoding included; and how a long source slows a step."""
    tiny = bench.size == "tiny"
    batch, steps = (2, 4) if tiny else (4, 32)
    text, captioning = Shape(batch, 8 if tiny else 64), Shape(batch, *((4, 6) if tiny else (50, 101)))
    bench.note(
        "decode: copies of the weights, made once an evaluation, are counted in as if it decoded one batch; "
        "their share of the time is a figure"
    )
    long, long_name = replace(bench, repeats=min(bench.repeats, LONG_REPEATS)), f"text_{4 * steps}"
    if long.repeats != bench.repeats:
        bench.note(f"decode.{long_name}: median of {long.repeats}")
    return [
        *_search(bench, "text", text, steps),
        *_search(bench, "captioning", captioning, steps),
        *_search(long, long_name, text, 4 * steps),
        _growth(bench, batch, steps, text.num_tokens),
    ]


def _search(bench: Bench, name: str, shape: Shape, steps: int) -> list[Figure]:
    """Tokens a second of an evaluation of one batch, and how much of its time goes into copying weights."""
    config = SIZES[bench.size] if shape.num_regions else replace(SIZES[bench.size], image_embedding_size=0)
    decoder = Decoder(config, shape, steps, BEAM_SIZE)
    length = shape.num_tokens + shape.num_regions
    operations = decoding(config, shape.batch, length, BEAM_SIZE, steps, shape.num_regions)
    sizes = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads")
    same: dict[str, Any] = {key: getattr(config, key) for key in sizes}
    same |= {"batch": shape.batch, "prefix": length, "num_steps": steps, "beam_size": BEAM_SIZE}
    figure = bench.compare(
        f"decode.{name}",
        decoder.evaluate,
        "tokens/s",
        shape.batch * steps,
        operations,
        {"transformers": partial(peers.pytorch, "decode", bench.threads, same)},
        {COPIES: bench.clock.timed(decoder.copy_weights)},
    )
    ratios = dict(figure.peers)
    share = ratios.pop(COPIES)
    return [replace(figure, peers=ratios), Figure(f"decode.{name}.{COPIES}", 100 * share, "% of the time")]


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
