"""Data for the suites that need some: made up, seeded, with the frequencies of natural words and detectors' sizes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from unimo.regions import Regions

SYLLABLES = [first + second + third for first in "bdfgklmnprst" for second in "aeiou" for third in ("", "n", "r", "s")]
WORDS = 20_000
CAPTION_WORDS = 11  # words of a caption in Flickr30k, on average


def captions(count: int, seed: int = 7) -> list[str]:
    """Sentences of 4 to 30 words, whose frequencies fall with their rank (Zipf)."""
    rng = np.random.default_rng(seed)
    words = ["".join(rng.choice(SYLLABLES, size)) for size in rng.integers(1, 4, WORDS)]
    shares = 1 / np.arange(1, WORDS + 1)
    lengths = np.clip(rng.poisson(CAPTION_WORDS, count), 4, 30)
    drawn = rng.choice(WORDS, int(lengths.sum()), p=shares / shares.sum())
    ends = np.cumsum(lengths)
    return [" ".join(words[i] for i in drawn[end - size : end]) + "." for end, size in zip(ends, lengths, strict=True)]


def images(
    count: int, num_regions: int, feature_size: int, num_classes: int, num_attributes: int = 0, seed: int = 7
) -> Iterator[tuple[str, Regions]]:
    """Image ids and random regions."""
    rng = np.random.default_rng(seed)

    def numbers(size: int) -> np.ndarray:
        return rng.random((num_regions, size), np.float32)

    for number in range(count):
        corners = np.sort(rng.random((num_regions, 2, 2)), axis=1) * 600
        yield (
            f"image{number}",
            Regions(
                features=numbers(feature_size),
                boxes=np.concatenate([corners[:, 0], corners[:, 1]], axis=1).astype(np.float32),
                image_width=600,
                image_height=600,
                class_probabilities=numbers(num_classes),
                attribute_probabilities=numbers(num_attributes) if num_attributes else None,
            ),
        )
