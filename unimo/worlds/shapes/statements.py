"""Text without images: plain sentences about imagined scenes, and statements that are true of a sentence or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from unimo.worlds.shapes.language import (
    CAPTION_KINDS,
    RELATION_PHRASES,
    Claims,
    ObjectClaim,
    caption_set,
    claims_about,
    noun_phrase,
    say,
)
from unimo.worlds.shapes.options import ShapesOptions
from unimo.worlds.shapes.sampling import sample_scene, stream
from unimo.worlds.shapes.scene import (
    AREAS,
    COLORS,
    INVERSE,
    RELATIONS,
    SHAPES,
    Pair,
    Scene,
    possible_relations,
)

DETAILS = ("color", "shape", "relation", "position", "exchange")


def alter(claims: Claims, rng: Random, pairs: Sequence[Pair]) -> Claims | None:
    """Change one detail of what is said; None where no detail can be changed.

    A colour or shape of one object, the relation, an area, or which object is which. Only combinations of colour and
    shape from `pairs` come up, and nothing impossible is said (left of something from the right edge), so that the
    sentence alone does not show that it was changed.
    """
    for detail in rng.sample(DETAILS, len(DETAILS)):
        changed = _alter_detail(claims, detail, rng, pairs)
        if changed is not None and not changed.same_facts(claims):
            return changed
    return None


def _alter_detail(claims: Claims, detail: str, rng: Random, pairs: Sequence[Pair]) -> Claims | None:
    if detail in ("color", "shape"):
        return _alter_object(claims, detail, rng, pairs)
    if detail == "exchange":
        two = len(claims.objects) == 2
        return replace(claims, objects=claims.objects[::-1]) if two else None
    first, second = claims.positions
    if detail == "relation":
        allowed = possible_relations(first) if first else RELATIONS
        choices = [relation for relation in allowed if relation != claims.relation]
        return replace(claims, relation=rng.choice(choices)) if claims.relation else None
    if first is None:
        return None
    choices = [area for area in AREAS if area not in (first, second)]
    if claims.relation:
        choices = [area for area in choices if claims.relation in possible_relations(area)]
    return replace(claims, positions=(rng.choice(choices), second))


def _alter_object(claims: Claims, detail: str, rng: Random, pairs: Sequence[Pair]) -> Claims | None:
    number = rng.randrange(len(claims.objects))
    claim = claims.objects[number]
    others = [(other.color, other.shape) for other in claims.objects]
    if detail == "color":
        wanted = [(color, claim.shape) for color in COLORS]
    else:
        wanted = [(claim.color or "", shape) for shape in SHAPES]
    choices = [pair for pair in wanted if pair in pairs and pair not in others]
    if not choices:
        return None
    color, shape = rng.choice(choices)
    objects = list(claims.objects)
    objects[number] = replace(claim, color=color, shape=shape)
    return replace(claims, objects=tuple(objects))


def statement_pairs(
    split: str, count: int, options: ShapesOptions, seen: Sequence[Pair], held_out: Sequence[Pair]
) -> list[tuple[str, str, int]]:
    """(sentence, statement, label): the statement says where one of the two named objects is, seen from the other.

    "The first one" is the object that the sentence names first, so the order of words decides; half of the labels
    are 1 (true). Held-out combinations come up in the test split only, in half of its pairs.
    """
    rng = stream(options, "statements", split)
    found: dict[tuple[str, str], int] = {}
    while len(found) < count:
        number = len(found)
        required = held_out if split == "test" and number // 2 % 2 == 0 else ()
        scene = sample_scene(rng, "", split, options, [*seen, *held_out] if required else seen, required)
        claims = claims_about(scene, rng.choice(("relation", "full")), rng, options.attribute_probability)
        if required and not _names_any(claims, required):
            continue
        text, label = say(claims, rng), 1 - number % 2
        relation = _relation_in_order(claims, text)
        if relation is not None:
            said = relation if label else rng.choice([other for other in RELATIONS if other != relation])
            found.setdefault((text, _statement(said, rng)), label)
    rows = [(first, second, label) for (first, second), label in found.items()]
    rng.shuffle(rows)
    return rows


def _relation_in_order(claims: Claims, text: str) -> str | None:
    """Where the object that a sentence names first is, seen from the other; None where they cannot be told apart."""
    names = [f"{claim.color} {claim.shape}" for claim in claims.objects]
    first, second = (text.find(name) for name in names)
    if claims.relation is None or names[0] == names[1] or min(first, second) < 0:
        return None
    return claims.relation if first < second else INVERSE[claims.relation]


def _statement(relation: str, rng: Random) -> str:
    if rng.random() < 0.5:
        return f"the first one is {rng.choice(RELATION_PHRASES[relation])} the second one"
    return f"the second one is {rng.choice(RELATION_PHRASES[INVERSE[relation]])} the first one"


def _names_any(claims: Claims, pairs: Sequence[Pair]) -> bool:
    return any((claim.color, claim.shape) in pairs for claim in claims.objects)


def text_line(rng: Random, options: ShapesOptions, seen: Sequence[Pair]) -> str:
    """Two to four sentences, each with a full stop: of one imagined scene, and sometimes one about the world."""
    scene = sample_scene(rng, "", "texts", options, seen)
    kinds = rng.choices((*CAPTION_KINDS, "placed object"), k=rng.randint(2, 3))
    sentences = caption_set(scene, tuple(kinds), rng, options.attribute_probability)
    if rng.random() < 0.4:
        sentences.insert(rng.randrange(len(sentences) + 1), _general(scene, rng))
    return " ".join(f"{sentence}." for sentence in sentences)


def _general(scene: Scene, rng: Random) -> str:
    """A sentence that is true of the world at large, worded with objects of the scene."""
    first, second, relation = rng.choice(scene.related_pairs())
    a, b = ObjectClaim(first.shape, first.color), ObjectClaim(second.shape, second.color)
    one, inverse = rng.choice(RELATION_PHRASES[relation]), rng.choice(RELATION_PHRASES[INVERSE[relation]])
    the_a, the_b = (noun_phrase(claim, rng, "the") for claim in (a, b))
    shape = first.shape
    return rng.choice(
        (
            f"if {noun_phrase(a, rng)} is {one} {noun_phrase(b, rng)} then {the_b} is {inverse} {the_a}",
            f"what is {one} something is not {inverse} it",
            f"a striped {shape} has stripes",
            f"a dotted {shape} has dots",
            f"a plain {shape} has no stripes and no dots",
            f"a large {shape} is bigger than a small {shape}",
            f"{noun_phrase(a, rng)} is {first.color} and not {rng.choice([c for c in COLORS if c != first.color])}",
            f"a {shape} is not a {rng.choice([name for name in SHAPES if name != shape])}",
            "something at the top is not at the bottom",
            "something on the left is not on the right",
        )
    )
