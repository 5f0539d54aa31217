"""Sentences read back and compared with the scene they are about."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations

from unimo.worlds.shapes.language import (
    AREA_PHRASES,
    RELATION_PHRASES,
    SIZE_WORDS,
    TEMPLATES,
    TEXTURE_TAILS,
    TEXTURE_WORDS,
    Claims,
    ObjectClaim,
)
from unimo.worlds.shapes.scene import COLORS, INVERSE, SHAPES, Pair, Scene, SceneObject

_ADJECTIVES: dict[str, tuple[str, str]] = {
    **{color: ("color", color) for color in COLORS},
    **{word: ("size", size) for size, words in SIZE_WORDS.items() for word in words},
    **{word: ("texture", texture) for texture, words in TEXTURE_WORDS.items() for word in words},
}
_TAILS = {tuple(tail.split()): texture for texture, tail in TEXTURE_TAILS.items()}
_PHRASES: dict[tuple[str, ...], tuple[str, str]] = {
    **{tuple(text.split()): ("R", name) for name, texts in RELATION_PHRASES.items() for text in texts},
    **{tuple(text.split()): ("P", name) for name, texts in AREA_PHRASES.items() for text in texts},
}
_LONGEST = max(len(phrase) for phrase in _PHRASES)
_SLOTS = {"a": "O", "b": "O", "rel": "R", "inv": "R", "pos_a": "P", "pos_b": "P"}


def _skeletons() -> dict[tuple[str, ...], tuple[str, ...]]:
    """Each template as its words with O, R or P for the slots -> the names of the slots in order."""
    found: dict[tuple[str, ...], tuple[str, ...]] = {}
    for template in (text for texts in TEMPLATES.values() for text in texts):
        words = template.split()
        roles = tuple(word[1:-1] for word in words if word.startswith("{"))
        skeleton = tuple(_SLOTS[word[1:-1]] if word.startswith("{") else word for word in words)
        assert found.setdefault(skeleton, roles) == roles, f"two readings of {template!r}"
    return found


_SKELETONS = _skeletons()


@lru_cache(maxsize=1 << 17)
def parse_caption(text: str) -> Claims | None:
    """Read a sentence of the world's language; None where it is not one.

    Upper case, white space and punctuation do not matter, nor does the order of adjectives, nor `a`, `an` or `the`.
    """
    words = re.findall(r"\w+", text.lower())
    skeleton: list[str] = []
    values: list[str | ObjectClaim] = []
    index = 0
    while index < len(words):
        phrase, length = _read_phrase(words, index)
        if phrase is not None:
            skeleton.append(phrase[0])
            values.append(phrase[1])
        else:
            claim, length = _read_object(words, index)
            skeleton.append("O" if claim is not None else words[index])
            values += [claim] if claim is not None else []
        index += length
    roles = _SKELETONS.get(tuple(skeleton))
    return None if roles is None else _assemble(dict(zip(roles, values, strict=True)))


def _read_phrase(words: Sequence[str], start: int) -> tuple[tuple[str, str] | None, int]:
    for length in range(min(_LONGEST, len(words) - start), 0, -1):
        found = _PHRASES.get(tuple(words[start : start + length]))
        if found is not None:
            return found, length
    return None, 0


def _read_object(words: Sequence[str], start: int) -> tuple[ObjectClaim | None, int]:
    """The object named at `start` and its number of words, or (None, 1)."""
    index = start + (words[start] in ("a", "an", "the"))
    stated: dict[str, str] = {}
    while index < len(words) and words[index] in _ADJECTIVES:
        key, value = _ADJECTIVES[words[index]]
        if key in stated:
            return None, 1
        stated[key] = value
        index += 1
    if index >= len(words) or words[index] not in SHAPES:
        return None, 1
    shape = words[index]
    index += 1
    tail = _TAILS.get(tuple(words[index : index + 2]))
    if tail is not None and "texture" not in stated:
        stated["texture"] = tail
        index += 2
    return ObjectClaim(shape, **stated), index - start


def _assemble(slots: dict[str, str | ObjectClaim]) -> Claims:
    objects = tuple(claim for claim in (slots.get("a"), slots.get("b")) if isinstance(claim, ObjectClaim))
    relation, inverse, first, second = (slots.get(name) for name in ("rel", "inv", "pos_a", "pos_b"))
    if isinstance(inverse, str):
        relation = INVERSE[inverse]
    assert not isinstance(relation, ObjectClaim)
    assert not isinstance(first, ObjectClaim) and not isinstance(second, ObjectClaim)
    return Claims(objects, relation, (first, second))


@dataclass(frozen=True)
class CaptionCheck:
    """What is right about a caption of a scene."""

    parsed: bool = False
    """It is a sentence of the grammar."""
    scene_correct: bool = False
    """It names exactly two objects, each with a colour, and the scene has both."""
    attributes_correct: bool = False
    """scene_correct, and every size and texture it states is right."""
    relation_correct: bool = False
    """scene_correct, and it states a relation that holds (and is unambiguous)."""
    position_correct: bool = False
    """scene_correct, and it states at least one area and every area it states is right."""


def check_caption(text: str, scene: Scene) -> CaptionCheck:
    """Compare a caption with its scene."""
    claims = parse_caption(text)
    return CaptionCheck() if claims is None else check_claims(claims, scene)


def check_claims(claims: Claims, scene: Scene) -> CaptionCheck:
    """Compare what a caption says with a scene."""
    items = [scene.find((claim.color or "", claim.shape)) for claim in claims.objects]
    found = [item for item in items if item is not None]
    if len(claims.objects) != 2 or len(found) != 2 or found[0] is found[1]:
        return CaptionCheck(parsed=True)
    stated = [(item, area) for item, area in zip(found, claims.positions, strict=True) if area is not None]
    return CaptionCheck(
        parsed=True,
        scene_correct=True,
        attributes_correct=all(_fits(claim, item) for claim, item in zip(claims.objects, found, strict=True)),
        relation_correct=claims.relation is not None and scene.relation(*found) == claims.relation,
        position_correct=bool(stated) and all(scene.area(item) == area for item, area in stated),
    )


def _fits(claim: ObjectClaim, item: SceneObject) -> bool:
    return (
        claim.shape == item.shape
        and claim.color in (None, item.color)
        and claim.texture in (None, item.texture)
        and claim.size in (None, item.size)
    )


def holds(claims: Claims, scene: Scene) -> bool:
    """Whether everything claimed is true of the scene, for some choice of its objects."""
    for items in permutations(scene.objects, len(claims.objects)):
        if not all(_fits(claim, item) for claim, item in zip(claims.objects, items, strict=True)):
            continue
        placed = zip(items, claims.positions, strict=False)
        if all(area is None or scene.area(item) == area for item, area in placed) and (
            claims.relation is None or scene.relation(*items) == claims.relation
        ):
            return True
    return False


def true_of(text: str, scene: Scene) -> bool:
    """Whether a sentence is one of the grammar and all it says is true of the scene."""
    claims = parse_caption(text)
    return claims is not None and holds(claims, scene)


class SceneIndex:
    """Scenes found by the objects they contain, for checking many captions against many scenes."""

    def __init__(self, scenes: Iterable[Scene]) -> None:
        self._scenes = list(scenes)
        self._by_pair: dict[Pair, set[int]] = {}
        for number, scene in enumerate(self._scenes):
            for item in scene.objects:
                self._by_pair.setdefault(item.pair, set()).add(number)

    def with_objects(self, claims: Claims) -> list[Scene]:
        """The scenes that contain the colour and shape of every named object, in the order given."""
        numbers = set(range(len(self._scenes)))
        for claim in claims.objects:
            if claim.color is not None:
                numbers &= self._by_pair.get((claim.color, claim.shape), set())
        return [self._scenes[number] for number in sorted(numbers)]

    def true_of(self, claims: Claims) -> list[str]:
        """Ids of the images of which everything claimed is true."""
        return [scene.image_id for scene in self.with_objects(claims) if holds(claims, scene)]


def score_captions(captions: Mapping[str, str], scenes: Mapping[str, Scene]) -> dict[str, float]:
    """Shares of the captions that are right, in 0..1.

    Args:
        captions: image id -> caption.
        scenes: image id -> scene, of at least these images.

    Returns:
        parsed, scene_accuracy, attributes_accuracy, relation_accuracy, position_accuracy over all captions, and
        relation_given_objects, position_given_objects over those with both objects right (0 where there are none).

    Raises:
        ValueError: no captions, or an image id without a scene.
    """
    if not captions:
        raise ValueError("no captions to score")
    missing = next((image_id for image_id in captions if image_id not in scenes), None)
    if missing is not None:
        raise ValueError(f"no scene of image {missing!r}")
    return _shares([check_caption(text, scenes[image_id]) for image_id, text in captions.items()])


def _shares(checks: Sequence[CaptionCheck]) -> dict[str, float]:
    right = sum(check.scene_correct for check in checks)
    relation = sum(check.relation_correct for check in checks)
    position = sum(check.position_correct for check in checks)
    return {
        "parsed": sum(check.parsed for check in checks) / len(checks),
        "scene_accuracy": right / len(checks),
        "attributes_accuracy": sum(check.attributes_correct for check in checks) / len(checks),
        "relation_accuracy": relation / len(checks),
        "position_accuracy": position / len(checks),
        "relation_given_objects": relation / max(right, 1),
        "position_given_objects": position / max(right, 1),
    }


def part_by_pairs(
    captions: Mapping[str, str], scenes: Mapping[str, Scene], pairs: Iterable[Pair]
) -> tuple[dict[str, str], dict[str, str]]:
    """Captions of images that contain one of the combinations (the held-out ones, say), and the other captions."""
    wanted = set(pairs)
    inside = {name: text for name, text in captions.items() if scenes[name].contains_any(wanted)}
    return inside, {name: text for name, text in captions.items() if name not in inside}


def chance_levels(
    captions: Mapping[str, Sequence[str]],
    scenes: Mapping[str, Scene],
    prior: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, float]:
    """What the values of `score_captions` are without looking at the image.

    scene_accuracy, attributes_accuracy, relation_accuracy and position_accuracy: a caption of another image chosen at
    random (every pair of images is checked). The values given the objects are those of the best constant answer:
    relation_given_objects and position_given_objects always say the commonest relation (area), and
    relation_given_objects_and_position says the commonest relation for the area stated: what is at the top left cannot
    be below anything, so a model that reads positions only already reaches this.

    Args:
        captions: image id -> true captions (those of `captioning_*`).
        scenes: image id -> scene, of these images.
        prior: captions by which the commonest is told, such as those of the training split; by default `captions`
            themselves, which flatters the constant answer where they are few.
    """
    index = SceneIndex(scenes[image_id] for image_id in captions)
    totals = Counter[str]()
    count = 0
    for image_id, texts in captions.items():
        for claims in filter(None, map(parse_caption, texts)):
            count += 1
            others = [scene for scene in index.with_objects(claims) if scene.image_id != image_id]
            for check in (check_claims(claims, scene) for scene in others):
                totals["scene_accuracy"] += check.scene_correct
                totals["attributes_accuracy"] += check.attributes_correct
                totals["relation_accuracy"] += check.relation_correct
                totals["position_accuracy"] += check.position_correct
    pairs = max(count * (len(captions) - 1), 1)
    names = ("scene_accuracy", "attributes_accuracy", "relation_accuracy", "position_accuracy")
    stated, known = _stated(captions), _stated(captions if prior is None else prior)
    return {
        **{name: totals[name] / pairs for name in names},
        "relation_given_objects": _constant([("", relation) for _, relation in stated], [("", r) for _, r in known]),
        "position_given_objects": _constant([("", area) for area, _ in stated], [("", area) for area, _ in known]),
        "relation_given_objects_and_position": _constant(stated, known),
    }


def _stated(captions: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    """(area of the first object, relation) of every caption that states both."""
    found = [parse_caption(text) for texts in captions.values() for text in texts]
    return [(item.positions[0], item.relation) for item in found if item and item.positions[0] and item.relation]


def _constant(cases: Sequence[tuple[str, str]], known: Sequence[tuple[str, str]]) -> float:
    """How often the answer of (situation, answer) is the one commonest in that situation among the known ones."""
    counts = Counter(known)
    best: dict[str, str] = {}
    for (situation, answer), number in sorted(counts.items()):
        if situation not in best or number > counts[situation, best[situation]]:
            best[situation] = answer
    return sum(best.get(situation) == answer for situation, answer in cases) / max(len(cases), 1)
