"""Data for the suites that need some: made up, seeded, with the frequencies of natural words and detectors' sizes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from unimo.regions import Regions


def _syllables(first: str, second: str, third: Sequence[str]) -> list[str]:
    return [one + two + three for one in first for two in second for three in third]


SYLLABLES = _syllables("bdfgklmnprst", "aeiou", ("", *"nrs"))
SCRIPTS = (
    SYLLABLES,
    _syllables("bdfgklmnprstçñ", "aáâäeéèêiíoóöøuúü", ("", *"nrsß")),
    _syllables("бвгдзклмнпрстчш", "аеиоуыюя", ("", *"нрсй")),
    _syllables("βγδθκλμνπρστφχ", "αεηιουω", ("", *"νρς")),
    [chr(code) for code in range(0x4E00, 0x4E00 + 500)],  # Han
)
"""Syllables of ASCII, of accented Latin letters, and of scripts of two and three bytes a letter."""

WORDS = 20_000
CAPTION_WORDS = 11  # words of a caption in Flickr30k, on average


def captions(count: int, seed: int = 7, scripts: Sequence[Sequence[str]] = (SYLLABLES,)) -> list[str]:
    """Sentences of 4 to 30 words, whose frequencies fall with their rank (Zipf) and whose scripts take turns by it."""
    rng = np.random.default_rng(seed)
    sizes, syllables = rng.integers(1, 4, WORDS), [np.array(script) for script in scripts]
    words = ["".join(rng.choice(syllables[rank % len(scripts)], size)) for rank, size in enumerate(sizes)]
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
