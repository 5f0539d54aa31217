"""Wrong captions made from the world's own ground truth: what a model that looks must tell from the right one.

Nothing of the rewriting that pre-training uses is in here, so a model cannot be scored on the habits of its own
training data.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random

from unimo.worlds.shapes.checking import holds
from unimo.worlds.shapes.language import Claims, ObjectClaim, claims_about, say
from unimo.worlds.shapes.options import ShapesOptions
from unimo.worlds.shapes.sampling import split_pairs, stream
from unimo.worlds.shapes.scene import COLORS, RELATIONS, SHAPES, SIZES, TEXTURES, Pair, Scene

COUNTS = {"object": 3, "attribute": 4, "relation": 3}
"""Wrong captions of each kind beside a right one: another shape; another colour, size or texture, or the two objects'
colours exchanged; another relation."""

NUM_WRONG = sum(COUNTS.values())
ATTRIBUTE_PROBABILITY = 0.5  # of stating a size, and a texture: they cannot be wrong where they are not stated
_TRIES = 100


@dataclass(frozen=True)
class WrongCaption:
    """A caption that is false of the image in one detail."""

    kind: str
    text: str


@dataclass(frozen=True)
class HardNegatives:
    """A true caption of an image and its wrong ones, in the order of ``COUNTS``."""

    image_id: str
    caption: str
    wrong: tuple[WrongCaption, ...]
    unseen: bool
    """Whether the caption names a combination of colour and shape that no training image holds."""


def hard_negatives(scenes: Sequence[Scene], options: ShapesOptions, captions_per_image: int = 3) -> list[HardNegatives]:
    """Captions that state a relation, each with ``NUM_WRONG`` wrong ones; the same for the same world.

    Where a caption names no unseen combination, the wrong ones do not either, so that novelty gives nothing away.
    """
    seen, held_out = split_pairs(options)
    found = []
    for scene in scenes:
        rng = stream(options, "hard negatives", scene.image_id)
        texts: set[str] = set()
        for _ in range(_TRIES):
            if len(texts) == captions_per_image:
                break
            claims = claims_about(scene, "relation", rng, ATTRIBUTE_PROBABILITY)
            unseen = any((claim.color, claim.shape) in held_out for claim in claims.objects)
            item = _worded(scene, claims, unseen, rng, [*seen, *held_out] if unseen else seen)
            if item is not None and item.caption not in texts:
                texts.add(item.caption)
                found.append(item)
    return found


def _worded(scene: Scene, claims: Claims, unseen: bool, rng: Random, pairs: Sequence[Pair]) -> HardNegatives | None:
    """The caption and its wrong ones in one wording; None where there are too few wrong ones of a kind."""
    wording = rng.random()
    caption = say(claims, Random(wording))
    wrong: list[WrongCaption] = []
    for kind, count in COUNTS.items():
        texts = sorted({say(each, Random(wording)) for each in _changed(claims, kind, pairs) if not holds(each, scene)})
        if len(texts) < count:
            return None
        wrong += [WrongCaption(kind, text) for text in rng.sample(texts, count)]
    return HardNegatives(scene.image_id, caption, tuple(wrong), unseen)


def _changed(claims: Claims, kind: str, pairs: Sequence[Pair]) -> Iterator[Claims]:
    """Every way to change one detail of a kind that leaves two different objects of allowed combinations."""
    if kind == "relation":
        yield from (replace(claims, relation=name) for name in RELATIONS if name != claims.relation)
        return
    for number, claim in enumerate(claims.objects):
        changes = _other_shapes(claim) if kind == "object" else _other_attributes(claim)
        for change in changes:
            objects = (change, claims.objects[1]) if number == 0 else (claims.objects[0], change)
            if _allowed(objects, pairs):
                yield replace(claims, objects=objects)
    if kind == "attribute":
        first, second = claims.objects
        objects = (replace(first, color=second.color), replace(second, color=first.color))
        if first.color != second.color and first.shape != second.shape and _allowed(objects, pairs):
            yield replace(claims, objects=objects)


def _allowed(objects: tuple[ObjectClaim, ObjectClaim], pairs: Sequence[Pair]) -> bool:
    named = [(claim.color or "", claim.shape) for claim in objects]
    return named[0] != named[1] and all(pair in pairs for pair in named)


def _other_shapes(claim: ObjectClaim) -> Iterator[ObjectClaim]:
    return (replace(claim, shape=shape) for shape in SHAPES if shape != claim.shape)


def _other_attributes(claim: ObjectClaim) -> Iterator[ObjectClaim]:
    yield from (replace(claim, color=color) for color in COLORS if color != claim.color)
    if claim.size is not None:
        yield from (replace(claim, size=size) for size in SIZES if size != claim.size)
    if claim.texture is not None:
        yield from (replace(claim, texture=texture) for texture in TEXTURES if texture != claim.texture)
