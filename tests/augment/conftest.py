"""A small corpus of captions that every test of this room may use."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from unimo.augment.parsing import PatternParser

PEOPLE = ("man", "woman", "boy", "girl", "skier", "soldier")
PLACES = ("street", "field", "beach", "park")
THINGS = ("bench", "horse", "bicycle", "truck")
COLOURS = ("red", "blue", "green", "orange", "white")


def make_captions(number: int) -> list[str]:
    """Two captions of image ``number``: people, colours, things and places in turn."""
    person, other = PEOPLE[number % 6], PEOPLE[(number + 1) % 6]
    thing, place, colour = THINGS[number // 2 % 4], PLACES[number // 3 % 4], COLOURS[number // 5 % 5]
    verb = ("riding", "pushing", "watching", "painting")[number % 4]
    article = "an" if colour == "orange" else "a"
    return [
        f"A {person} in {article} {colour} shirt is {verb} {article} {colour} {thing} on the {place}.",
        f"Two {other if other != 'woman' and other != 'man' else {'man': 'men', 'woman': 'women'}[other]}"
        f"{'' if other in ('man', 'woman') else 's'} stand next to {article} {colour} {thing}",
    ]


@pytest.fixture(scope="session")
def parser() -> PatternParser:
    return PatternParser()


@pytest.fixture(scope="session")
def pairs_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 images with two captions each."""
    path = tmp_path_factory.mktemp("pairs") / "captions.jsonl"
    with path.open("w") as stream:
        for number in range(60):
            record = {"image_id": f"image{number:03d}", "captions": make_captions(number)}
            stream.write(json.dumps(record) + "\n")
    return path
