from __future__ import annotations

import re
from random import Random

from unimo.worlds.shapes import ShapesOptions, parse_caption
from unimo.worlds.shapes.language import RELATION_PHRASES
from unimo.worlds.shapes.sampling import split_pairs
from unimo.worlds.shapes.scene import INVERSE, Pair
from unimo.worlds.shapes.statements import statement_pairs, text_line


def pairs_in(text: str) -> set[Pair]:
    claims = parse_caption(text)
    assert claims is not None
    return {(claim.color or "", claim.shape) for claim in claims.objects}


def test_labels_are_what_the_sentences_say() -> None:
    options = ShapesOptions()
    seen, held_out = split_pairs(options)
    phrases = {phrase: relation for relation, several in RELATION_PHRASES.items() for phrase in several}
    for split in ("train", "dev", "test"):
        rows = statement_pairs(split, 200, options, seen, held_out)
        assert sum(label for _, _, label in rows) == 100 and len({row[:2] for row in rows}) == 200
        with_held_out = 0
        for text, statement, label in rows:
            claims = parse_caption(text)
            assert claims is not None and claims.relation is not None
            names = [f"{claim.color} {claim.shape}" for claim in claims.objects]
            relation = claims.relation if text.index(names[0]) < text.index(names[1]) else INVERSE[claims.relation]
            subject, phrase = re.fullmatch(
                r"the (first|second) one is (.+) the (?:first|second) one", statement
            ).groups()
            said = phrases[phrase] if subject == "first" else INVERSE[phrases[phrase]]
            assert (said == relation) == bool(label)
            with_held_out += bool(pairs_in(text) & set(held_out))
        assert (with_held_out == 0) if split != "test" else (90 <= with_held_out <= 150)


def test_texts_are_sentences_without_held_out_pairs() -> None:
    options = ShapesOptions()
    seen, held_out = split_pairs(options)
    rng = Random(1)
    known = 0
    for _ in range(200):
        line = text_line(rng, options, seen)
        assert line.endswith(".") and 2 <= line.count(".") <= 4
        known += sum(parse_caption(sentence) is not None for sentence in line.split("."))
        assert not any(f"{color} {shape}" in line for color, shape in held_out)
    assert known >= 400
