"""Ways to damage the bytes of a file: at random, or where formats have their weak spots."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

Mutation = Callable[[bytearray, random.Random], bytes]

NASTY_NUMBERS = (b"0", b"-1", b"1e999", b"NaN", b"4294967295", b"99999999999999999999", b"1.5")
NASTY_VALUES = (
    b"null",
    b"[]",
    b"{}",
    b'""',
    b"true",
    b"[[[[]]]]",
    b'"\\ud800"',
    b"-",
    b"!!python/object:os.system",
    b"&a [*a]",
)
NASTY_BYTES = (
    b"\0",
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\0\0\0\x80",
    b"\xc3",
    b"\xef\xbb\xbf",
    b"\r",
    b"\t",
    b"\n\n",
)


def mutate(content: bytes, rng: random.Random) -> bytes:
    """One to three damages, one after another."""
    changed = content
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        changed = rng.choice(MUTATIONS)(bytearray(changed), rng)
    return changed


def _truncate(content: bytearray, rng: random.Random) -> bytes:
    return bytes(content[: rng.randrange(len(content) + 1)])


def _flip(content: bytearray, rng: random.Random) -> bytes:
    for _ in range(rng.choice((1, 1, 4, 32))):
        if content:
            content[_place(content, rng)] ^= 1 << rng.randrange(8)
    return bytes(content)


def _overwrite(content: bytearray, rng: random.Random) -> bytes:
    place, nasty = _place(content, rng), rng.choice(NASTY_BYTES)
    content[place : place + len(nasty)] = nasty
    return bytes(content)


def _insert(content: bytearray, rng: random.Random) -> bytes:
    place = _place(content, rng)
    content[place:place] = rng.choice((*NASTY_BYTES, *NASTY_VALUES, rng.randbytes(rng.choice((1, 7, 100)))))
    return bytes(content)


def _delete(content: bytearray, rng: random.Random) -> bytes:
    place = _place(content, rng)
    del content[place : place + rng.choice((1, 4, 64))]
    return bytes(content)


def _repeat(content: bytearray, rng: random.Random) -> bytes:
    place = _place(content, rng)
    piece = bytes(content[place : place + rng.choice((1, 16, 200))])
    content[place:place] = piece * rng.choice((1, 2, 500))
    return bytes(content)


def _nest(content: bytearray, rng: random.Random) -> bytes:
    place = _place(content, rng)
    content[place:place] = rng.choice((b"[", b"{", b'{"a":', b"(")) * 20_000
    return bytes(content)


def _swap_number(content: bytearray, rng: random.Random) -> bytes:
    return _swap(content, rng, rb"-?\d+(?:\.\d+)?", NASTY_NUMBERS + NASTY_VALUES)


def _swap_value(content: bytearray, rng: random.Random) -> bytes:
    return _swap(content, rng, rb'"[^"\n]{0,60}"|\b[a-z_]+\b', NASTY_NUMBERS + NASTY_VALUES)


def _swap_line(content: bytearray, rng: random.Random) -> bytes:
    lines = bytes(content).split(b"\n")
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[one], lines[other] = lines[other], rng.choice((lines[one], b"", rng.choice(NASTY_VALUES)))
    return b"\n".join(lines)


def _swap(content: bytearray, rng: random.Random, pattern: bytes, values: tuple[bytes, ...]) -> bytes:
    found = list(re.finditer(pattern, bytes(content[:20000])))
    if not found:
        return bytes(content)
    match = rng.choice(found)
    content[match.start() : match.end()] = rng.choice(values)
    return bytes(content)


def _place(content: bytearray, rng: random.Random) -> int:
    """Anywhere, but often near the start, where headers are."""
    end = len(content) if rng.random() < 0.6 else min(len(content), 200)
    return rng.randrange(end) if end else 0


MUTATIONS: tuple[Mutation, ...] = (
    _truncate,
    _flip,
    _flip,
    _overwrite,
    _insert,
    _delete,
    _repeat,
    _nest,
    _swap_number,
    _swap_number,
    _swap_value,
    _swap_value,
    _swap_line,
)
