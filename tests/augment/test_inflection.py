"""Numbers, verb forms, articles."""

from __future__ import annotations

import pytest

from unimo.augment.inflection import article, plural, singular, verb_forms
from unimo.augment.lexicon import load_lexicon


@pytest.mark.parametrize(
    ("one", "many"),
    [("dog", "dogs"), ("man", "men"), ("tennis racket", "tennis rackets"), ("shelf", "shelves"), ("bus", "buses"),
     ("sheep", "sheep"), ("child", "children"), ("berry", "berries"), ("glass", "glasses"), ("horse", "horses")],
)  # fmt: skip
def test_numbers(one: str, many: str) -> None:
    assert (plural(one), singular(many), singular(one)) == (many, one, one)


@pytest.mark.parametrize(
    ("base", "forms"),
    [
        ("ride", "ride rides riding rode ridden"),
        ("sit", "sit sits sitting sat sat"),
        ("carry", "carry carries carrying carried carried"),
        ("lie", "lie lies lying lay lain"),
        ("watch", "watch watches watching watched watched"),
        ("jump", "jump jumps jumping jumped jumped"),
        ("ski", "ski skis skiing skied skied"),
        ("row", "row rows rowing rowed rowed"),
        ("grin", "grin grins grinning grinned grinned"),
        ("eat", "eat eats eating ate eaten"),
        ("open", "open opens opening opened opened"),
        ("tee", "tee tees teeing teed teed"),
        ("have", "have has having had had"),
    ],
)
def test_verbs(base: str, forms: str) -> None:
    found = verb_forms(base)
    assert " ".join(found[tag] for tag in ("VB", "VBZ", "VBG", "VBD", "VBN")) == forms


@pytest.mark.parametrize(
    ("word", "expected"),
    [("apple", "an"), ("Dog", "a"), ("hour", "an"), ("unicycle", "a"), ("umbrella", "an"), ("one-way", "a"),
     ("uniform", "a"), ("X-ray", "an"), ("European", "a"), ("usher", "an"), ("house", "a"), ("unidentified", "an")],
)  # fmt: skip
def test_articles(word: str, expected: str) -> None:
    assert article(word) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [("couch", "sofa"), ("man", "person"), ("woman", "girl"), ("dog", "animal"), ("shirt", "tank top"),
     ("skier", "man"), ("golfer", "man"), ("blue", "dark blue"), ("two", "couple of"), ("hold", "play"),
     ("tennis player", "player")],
)  # fmt: skip
def test_what_may_both_be_true(one: str, other: str) -> None:
    assert load_lexicon().may_both_be_true(one, other)
    assert load_lexicon().may_both_be_true(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [("man", "woman"), ("dog", "cat"), ("red", "blue"), ("skier", "surfer"), ("sit", "run"), ("two", "three")],
)
def test_what_cannot(one: str, other: str) -> None:
    assert not load_lexicon().may_both_be_true(one, other)
