"""What can be said about a scene, and the many ways of saying it.

A sentence is made from `Claims` by choosing a template, a wording for each phrase and the objects' order. The same
tables are read backwards by :mod:`unimo.worlds.shapes.checking`, so whatever is written here can be checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from unimo.worlds.shapes.scene import INVERSE, Scene, SceneObject

SIZE_WORDS = {"small": ("small", "little"), "large": ("large", "big")}
TEXTURE_WORDS = {"plain": ("plain",), "striped": ("striped",), "dotted": ("dotted",)}
TEXTURE_TAILS = {"striped": "with stripes", "dotted": "with dots"}
RELATION_PHRASES = {
    "left of": ("left of", "to the left of"),
    "right of": ("right of", "to the right of"),
    "above": ("above", "over"),
    "below": ("below", "under"),
}
_CORNERS = ("top left", "top right", "bottom left", "bottom right")
AREA_PHRASES: dict[str, tuple[str, ...]] = {
    **{area: (f"at the {area}", f"in the {area}", f"in the {area} corner") for area in _CORNERS},
    **{area: (f"at the {area}", f"at the {area} of the picture") for area in ("top", "bottom")},
    **{area: (f"on the {area}", f"on the {area} side") for area in ("left", "right")},
    "middle": ("in the middle", "in the center"),
}

# {a} and {b} are the objects, {rel} where a is as seen from b, {inv} where b is as seen from a.
TEMPLATES: dict[str, tuple[str, ...]] = {
    "relation": (
        "{a} is {rel} {b}",
        "{a} {rel} {b}",
        "{a} which is {rel} {b}",
        "there is {a} {rel} {b}",
        "there is {a} which is {rel} {b}",
        "{rel} {b} there is {a}",
        "{rel} {b} is {a}",
        "the picture shows {a} {rel} {b}",
    ),
    "position": (
        "{a} {pos_a} and {b} {pos_b}",
        "{a} is {pos_a} and {b} is {pos_b}",
        "there is {a} {pos_a} and {b} {pos_b}",
        "{pos_a} there is {a} and {pos_b} there is {b}",
        "{pos_a} is {a} and {pos_b} is {b}",
        "the picture shows {a} {pos_a} and {b} {pos_b}",
    ),
    "full": (
        "{a} {pos_a} is {rel} {b}",
        "{a} is {pos_a} and {rel} {b}",
        "there is {a} {pos_a} which is {rel} {b}",
        "{pos_a} there is {a} and it is {rel} {b}",
        "{pos_a} {a} is {rel} {b}",
        "there is {a} {pos_a} and {b} is {inv} it",
        "the picture shows {a} {pos_a} which is {rel} {b}",
    ),
    "object": ("there is {a}", "there is {a} in the picture", "the picture shows {a}"),
    "placed object": ("{a} is {pos_a}", "there is {a} {pos_a}", "{pos_a} there is {a}", "{pos_a} is {a}"),
}
CAPTION_KINDS = ("relation", "position", "full")


@dataclass(frozen=True)
class ObjectClaim:
    """An object as a sentence names it; None for what it leaves out."""

    shape: str
    color: str | None = None
    texture: str | None = None
    size: str | None = None


@dataclass(frozen=True)
class Claims:
    """What a sentence says: one or two objects, where the first is as seen from the second, and their areas."""

    objects: tuple[ObjectClaim, ...]
    relation: str | None = None
    positions: tuple[str | None, ...] = (None, None)

    @property
    def kind(self) -> str:
        """The key of `TEMPLATES` whose sentences say exactly this."""
        placed = tuple(position is not None for position in self.positions)
        if len(self.objects) == 1:
            return "placed object" if placed[0] else "object"
        if self.relation is None:
            assert all(placed), "two objects need a relation or two positions"
            return "position"
        assert not placed[1], "no sentence places the second object beside a relation"
        return "full" if placed[0] else "relation"

    def turned(self) -> Claims:
        """The same facts with the second object first."""
        assert len(self.objects) == 2
        relation = INVERSE[self.relation] if self.relation else None
        return Claims(self.objects[::-1], relation, self.positions[::-1])

    def same_facts(self, other: Claims) -> bool:
        """Whether both say the same, in whichever order."""
        return self == other or (len(self.objects) == 2 and self.turned() == other)


def claims_about(scene: Scene, kind: str, rng: Random, attribute_probability: float = 0.0) -> Claims:
    """Choose objects of the scene and state true facts of one of the kinds of `TEMPLATES` about them."""
    if kind in ("relation", "full"):
        first, second, relation = rng.choice(scene.related_pairs())
        named = _name(first, rng, attribute_probability), _name(second, rng, attribute_probability)
        return Claims(named, relation, (scene.area(first) if kind == "full" else None, None))
    chosen = rng.sample(scene.objects, 2 if kind == "position" else 1)
    areas = [scene.area(item) if kind != "object" else None for item in chosen]
    positions = (areas[0], areas[1] if len(areas) == 2 else None)
    return Claims(tuple(_name(item, rng, attribute_probability) for item in chosen), None, positions)


def _name(item: SceneObject, rng: Random, attribute_probability: float) -> ObjectClaim:
    texture = item.texture if rng.random() < attribute_probability else None
    size = item.size if rng.random() < attribute_probability else None
    return ObjectClaim(item.shape, item.color, texture, size)


def say(claims: Claims, rng: Random) -> str:
    """Word the claims: lower case, no full stop."""
    kind = claims.kind
    if kind in ("relation", "position") and rng.random() < 0.5:
        claims = claims.turned()
    template = rng.choice(TEMPLATES[kind])
    slots = {"a": noun_phrase(claims.objects[0], rng)}
    if len(claims.objects) == 2:
        slots["b"] = noun_phrase(claims.objects[1], rng)
    if claims.relation is not None:
        slots["rel"] = rng.choice(RELATION_PHRASES[claims.relation])
        slots["inv"] = rng.choice(RELATION_PHRASES[INVERSE[claims.relation]])
    for name, position in zip(("pos_a", "pos_b"), claims.positions, strict=True):
        if position is not None:
            slots[name] = rng.choice(AREA_PHRASES[position])
    return template.format(**slots)


def noun_phrase(claim: ObjectClaim, rng: Random, article: str | None = None) -> str:
    """`a large striped red circle`, or the like; `article` replaces a or an."""
    words, tail = [], None
    if claim.size:
        words.append(rng.choice(SIZE_WORDS[claim.size]))
    if claim.texture:
        if claim.texture in TEXTURE_TAILS and rng.random() < 0.4:
            tail = TEXTURE_TAILS[claim.texture]
        else:
            words.append(rng.choice(TEXTURE_WORDS[claim.texture]))
    if claim.color:
        words.append(claim.color)
    words.append(claim.shape)
    if article is None:
        article = "an" if words[0][0] in "aeiou" else "a"
    return " ".join([article, *words, *([tail] if tail else [])])


def caption_set(scene: Scene, kinds: tuple[str, ...], rng: Random, attribute_probability: float) -> list[str]:
    """Differently worded captions of a scene, one for each entry of `kinds`."""
    captions: list[str] = []
    for kind in kinds:
        for _ in range(100):
            caption = say(claims_about(scene, kind, rng, attribute_probability), rng)
            if caption not in captions:
                break
        captions.append(caption)
    return captions


def mixed_kinds(count: int, rng: Random) -> tuple[str, ...]:
    """`count` caption kinds in random order, each at least once."""
    kinds = [*CAPTION_KINDS, *rng.choices(CAPTION_KINDS, k=count - len(CAPTION_KINDS))]
    return tuple(rng.sample(kinds, count))
