"""Rewrites of a generated world's captions against its ground truth, which the rewriter never sees."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from unimo.augment.graph import SceneGraph
from unimo.augment.parsing import PatternParser
from unimo.augment.replacements import Replacements
from unimo.augment.rewriting import REWRITE_KINDS, Rewriter
from unimo.augment.said import Said
from unimo.augment.vocabulary import count_corpus
from unimo.worlds.shapes.checking import parse_caption, true_of
from unimo.worlds.shapes.generate import draw_scenes
from unimo.worlds.shapes.language import caption_set, mixed_kinds
from unimo.worlds.shapes.options import ShapesOptions


@pytest.fixture(scope="module")
def judged(parser: PatternParser) -> list[tuple[str, bool, bool]]:
    """(kind, whether it is a sentence of the world's language, whether it is true) of some thousand rewrites."""
    scenes = [scene for scene in draw_scenes(ShapesOptions(num_train=150)) if scene.split == "train"]
    captions = [caption_set(scene, mixed_kinds(5, Random(n)), Random(n), 0.5) for n, scene in enumerate(scenes)]
    images: list[list[SceneGraph]] = [[parser.parse(text) for text in texts] for texts in captions]
    tables = count_corpus((g for image in images for g in image), parser.lexicon).to_json()
    rewriter = Rewriter(tables, parser.lexicon, exchange=True)
    found = []
    for number, (scene, image) in enumerate(zip(scenes, images, strict=True)):
        said = Said(image, parser.lexicon)
        for place, graph in enumerate(image):
            rewrites, _ = rewriter.rewrite(graph, said, captions[number], 12, 5 * number + place)
            for rewrite in rewrites:
                text = rewrite.apply(graph.text)
                read = parse_caption(text) is not None
                found.append((rewrite.kind, read, read and true_of(text, scene)))
    return found


def test_rewrites_of_every_kind(judged: list[tuple[str, bool, bool]]) -> None:
    counts = Counter(kind for kind, _, _ in judged)
    assert set(counts) == set(REWRITE_KINDS)
    assert min(counts.values()) > 100


def test_rewrites_are_sentences(judged: list[tuple[str, bool, bool]]) -> None:
    assert sum(read for _, read, _ in judged) / len(judged) > 0.97


@pytest.mark.parametrize("kind", REWRITE_KINDS)
def test_rewrites_are_wrong_about_the_picture(judged: list[tuple[str, bool, bool]], kind: str) -> None:
    """True ones are captions of another object of the scene, of which no caption of the image speaks."""
    verdicts = [true for each, _, true in judged if each == kind]
    assert sum(verdicts) / len(verdicts) < 0.03


def test_only_what_excludes_replaces_a_place(parser: PatternParser) -> None:
    texts = ["a red cross above a blue star", "a red cross is left of a blue star", "a star at the top left"] * 3
    texts += ["a red ring under a blue heart", "a red ring right of a blue heart", "a ring at the bottom right"] * 3
    graphs = [parser.parse(text) for text in texts]
    replacements = Replacements(count_corpus(graphs, parser.lexicon).to_json(), parser.lexicon)
    drawn = {}
    for graph in graphs[:3]:
        for node, weights in replacements.for_nodes(graph, Said([graph], parser.lexicon)):
            drawn[node.lemma] = set(weights)
    assert drawn["above"] == {"under"}
    assert drawn["left of"] == {"right of"}
    assert drawn["at the top left"] == {"at the bottom right"}
