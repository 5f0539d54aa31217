"""Questions about a scene with one-phrase answers, and hypotheses that it entails, contradicts or leaves open."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from unimo.worlds.shapes.checking import holds
from unimo.worlds.shapes.language import (
    CAPTION_KINDS,
    Claims,
    ObjectClaim,
    claims_about,
    noun_phrase,
    say,
)
from unimo.worlds.shapes.scene import AREAS, COLORS, RELATIONS, SHAPES, SIZES, TEXTURES, Pair, Scene, SceneObject
from unimo.worlds.shapes.statements import alter

LABELS = ("entailment", "neutral", "contradiction")
ANSWERS = (*COLORS, *SHAPES, *AREAS, *TEXTURES, *SIZES, "yes", "no", "0", "1", "2", "3", "4")
IN_AREA = {area: f"{'on' if area in ('left', 'right') else 'at'} the {area}" for area in AREAS} | {
    "middle": "in the middle"
}

Question = tuple[str, str]


def questions_about(scene: Scene, count: int, rng: Random, pairs: Sequence[Pair]) -> list[Question]:
    """`count` questions of different kinds with their answers (each one of `ANSWERS`).

    Args:
        scene: the scene asked about.
        count: at most the number of kinds, eight.
        rng: source of all choices.
        pairs: combinations of colour and shape that may be named (for things that are not there).
    """
    found: list[Question] = []
    for ask in rng.sample(_KINDS, len(_KINDS)):
        question = ask(scene, rng, pairs) if len(found) < count else None
        found += [question] if question is not None else []
    return found


def _the(item: SceneObject, rng: Random) -> str:
    return noun_phrase(ObjectClaim(item.shape, item.color), rng, "the")


def _ask_color(scene: Scene, rng: Random, pairs: Sequence[Pair]) -> Question | None:
    del pairs
    item = rng.choice(scene.objects)
    shapes = [other.shape for other in scene.objects]
    name = item.shape if shapes.count(item.shape) == 1 and rng.random() < 0.5 else None
    name = name or f"object {IN_AREA[scene.area(item)]}"
    return f"what color is the {name}?", item.color


def _ask_shape(scene: Scene, rng: Random, pairs: Sequence[Pair]) -> Question | None:
    del pairs
    item = rng.choice(scene.objects)
    colors = [other.color for other in scene.objects]
    if colors.count(item.color) == 1 and rng.random() < 0.5:
        return f"what shape is the {item.color} object?", item.shape
    return f"which shape is {IN_AREA[scene.area(item)]}?", item.shape


def _ask_place(scene: Scene, rng: Random, pairs: Sequence[Pair]) -> Question | None:
    del pairs
    item = rng.choice(scene.objects)
    return f"where is {_the(item, rng)}?", scene.area(item)


def _ask_texture(scene: Scene, rng: Random, pairs: Sequence[Pair]) -> Question | None:
    del pairs
    item = rng.choice(scene.objects)
    return f"is {_the(item, rng)} plain, striped or dotted?", item.texture


def _ask_size(scene: Scene, rng: Random, pairs: Sequence[Pair]) -> Question | None:
    del pairs
    item = rng.choice(scene.objects)
    return f"is {_the(item, rng)} small or large?", item.size


def _ask_count(scene: Scene, rng: Random, pairs: Sequence[Pair]) -> Question | None:
    """Half about all objects; else a number that occurs is chosen first, then what occurs that often."""
    del pairs
    if rng.random() < 0.4:
        return "how many objects are there?", str(len(scene.objects))
    by_count: dict[int, list[str]] = {}
    for words, values in ((COLORS, [i.color for i in scene.objects]), (SHAPES, [i.shape for i in scene.objects])):
        for word in words:
            name = f"{word} objects" if words is COLORS else f"{word}{'es' if word.endswith('s') else 's'}"
            by_count.setdefault(values.count(word), []).append(name)
    number = rng.choice(sorted(by_count))
    return f"how many {rng.choice(by_count[number])} are there?", str(number)


def _ask_existence(scene: Scene, rng: Random, pairs: Sequence[Pair]) -> Question | None:
    """`no` is asked about a colour and a shape that both occur, but not together, wherever there are such."""
    item = rng.choice(scene.objects)
    if rng.random() < 0.5:
        return f"is there {noun_phrase(ObjectClaim(item.shape, item.color), rng)}?", "yes"
    absent = [pair for pair in pairs if scene.find(pair) is None]
    colors, shapes = {i.color for i in scene.objects}, {i.shape for i in scene.objects}
    crossed = [pair for pair in absent if pair[0] in colors and pair[1] in shapes]
    color, shape = rng.choice(crossed or absent)
    return f"is there {noun_phrase(ObjectClaim(shape, color), rng)}?", "no"


def _ask_relation(scene: Scene, rng: Random, pairs: Sequence[Pair]) -> Question | None:
    del pairs
    first, second, relation = rng.choice(scene.related_pairs())
    true = rng.random() < 0.5
    asked = relation if true else rng.choice([other for other in RELATIONS if other != relation])
    return f"is {_the(first, rng)} {asked} {_the(second, rng)}?", "yes" if true else "no"


_KINDS: tuple[Callable[[Scene, Random, Sequence[Pair]], Question | None], ...] = (
    _ask_color,
    _ask_shape,
    _ask_place,
    _ask_texture,
    _ask_size,
    _ask_count,
    _ask_existence,
    _ask_relation,
)


def hypotheses_about(scene: Scene, rng: Random, pairs: Sequence[Pair], attribute_probability: float) -> list[Question]:
    """One hypothesis of each label with its label.

    entailment: a true sentence; contradiction: one detail of a true sentence changed so that it is false of the whole
    scene; neutral: something about an object of the scene that no picture can show (text alone tells these apart, so
    a model that ignores images can reach two thirds).
    """
    kinds = (*CAPTION_KINDS, "placed object")
    true = claims_about(scene, rng.choice(kinds), rng, attribute_probability)
    false: Claims | None = None
    while false is None or holds(false, scene):
        false = alter(claims_about(scene, rng.choice(kinds), rng, attribute_probability), rng, pairs)
    texts = (say(true, rng), _unknowable(scene, rng), say(false, rng))
    return list(zip(texts, LABELS, strict=True))


def _unknowable(scene: Scene, rng: Random) -> str:
    first, second = rng.sample(scene.objects, 2)
    a, b = _the(first, rng), _the(second, rng)
    return rng.choice(
        (
            f"{a} is heavy",
            f"{a} is heavier than {b}",
            f"{a} was drawn before {b}",
            f"{a} is older than {b}",
            f"somebody likes {a}",
            f"a child has drawn {a} and {b}",
            f"the back of the picture is {rng.choice(COLORS)}",
            f"{a} was {IN_AREA[rng.choice(AREAS)]} yesterday",
            f"{a} will be {rng.choice(RELATIONS)} {b} tomorrow",
        )
    )
