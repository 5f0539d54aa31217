"""Hard negatives: what they replace, and what they never say."""

from __future__ import annotations

import contextlib
import random
import re
from pathlib import Path

import pytest

from tests.augment.conftest import make_captions
from unimo.augment.graph import Node, SceneGraph
from unimo.augment.inflection import article, has_one_form, singular
from unimo.augment.parsing import PatternParser
from unimo.augment.rewriting import REWRITE_KINDS, Rewrite, Rewriter, plain_text
from unimo.augment.said import Said
from unimo.augment.vocabulary import Vocabulary, count_corpus
from unimo.files import read_lines

Image = list[SceneGraph]


def made_rewrites(
    images: list[Image], parser: PatternParser, count: int, min_count: int
) -> list[tuple[Image, int, Rewrite]]:
    tables = count_corpus((graph for image in images for graph in image), parser.lexicon).to_json()
    rewriter = Rewriter(tables, parser.lexicon, min_count)
    found = []
    for place, image in enumerate(images):
        said = Said(image, parser.lexicon)
        for number, graph in enumerate(image):
            rewrites, _ = rewriter.rewrite(graph, said, [each.text for each in image], count, 7 * place + number)
            found += [(image, number, rewrite) for rewrite in rewrites]
    return found


@pytest.fixture(scope="module")
def small(parser: PatternParser) -> list[tuple[Image, int, Rewrite]]:
    images = [[parser.parse(text) for text in make_captions(number)] for number in range(60)]
    return made_rewrites(images, parser, 12, 1)


def rest_of(text: str, rewrite: Rewrite, new: bool) -> list[str]:
    """The text between the recorded places, in the old caption or the new one."""
    edits = sorted([*rewrite.nodes, *rewrite.articles], key=lambda edit: edit.start)
    parts, place, shift = [], 0, 0
    for edit in edits:
        parts.append(text[place : edit.start + shift])
        length = len(edit.new) if new else edit.end - edit.start
        place = edit.start + shift + length
        shift += length - (edit.end - edit.start) if new else 0
    return [*parts, text[place:]]


# what has no singular, whatever it is; and what textblob's tagger takes for a plural
ONLY_PLURAL = frozenset({"jeans", "scissors", "spaghetti"})


def check_form(node: Node, new: str, parser: PatternParser, rewritten: str) -> None:
    """A singular for a singular, a plural for a plural, and a verb in the form of the one that it replaces."""
    told, last = (node.form, new, rewritten), new.split()[-1]
    if node.kind == "object" and node.form == "plural":
        assert singular(last) != last or has_one_form(last) or last in ONLY_PLURAL, told
    elif node.kind == "object":
        assert singular(last) == last not in ONLY_PLURAL, told
    elif node.kind == "attribute":
        assert (new in ("one", "1")) == (node.form == "one"), told
    elif node.form != "IN" or tuple(new.split()) not in parser.lexicon.prepositions:
        tag = {"passive": "VBN", "IN": "VBG"}.get(node.form, node.form)
        assert tag in {each for _, each in parser.lexicon.verbs.get(new.split()[0], ())}, told


def check(image: Image, number: int, rewrite: Rewrite, parser: PatternParser) -> None:
    """The invariants of one rewrite."""
    text = image[number].text
    rewritten = rewrite.apply(text)
    # exactly the recorded nodes differ (and the articles before them)
    assert rest_of(text, rewrite, False) == rest_of(rewritten, rewrite, True)
    nodes = {(node.start, node.end): node for node in image[number].nodes()}
    replaced = [nodes[edit.start, edit.end] for edit in rewrite.nodes]
    assert all(edit.old == text[edit.start : edit.end] != edit.new for edit in rewrite.nodes)
    if rewrite.kind in ("combination", "exchange"):
        assert len(replaced) == 2
    else:
        assert [node.kind for node in replaced] == [rewrite.kind]
    # agreement
    for edit in rewrite.articles:
        assert edit.old.lower() in ("a", "an")
    for edit in rewrite.nodes:
        before = re.search(r"\b(an?)\s+$", rewritten[: place_in(rewrite, edit.start)], re.IGNORECASE)
        assert before is None or before.group(1).lower() == article(edit.new), rewritten
    for node, edit in zip(replaced, rewrite.nodes, strict=True):
        check_form(node, edit.new.lower(), parser, rewritten)
        lemma = parser.lexicon.noun_of(edit.new.lower())
        if node.kind == "object":
            # nothing that the captions of the image say, nor a synonym; an occupation only if none of them speaks of it
            others = [other.lemma for graph in image for other in graph.objects]
            if (parser.lexicon.person(lemma) or ("", ""))[1] == "role":
                assert not any(word.startswith(lemma[:4]) for graph in image for word in graph.text.lower().split())
                others = [other for other in others if parser.lexicon.person(other) is None]
            assert not any(parser.lexicon.may_both_be_true(lemma, other) for other in others), (rewritten, lemma)
        if rewrite.kind == "exchange":
            assert node.kind == "attribute"
            assert {edit.new.lower() for edit in rewrite.nodes} == {edit.old.lower() for edit in rewrite.nodes}
        elif node.kind == "attribute":
            assert not any(
                parser.lexicon.may_both_be_true(edit.new.lower(), a.lemma) for g in image for a, _ in g.attributes
            )
        if node.kind == "relation" and edit.new.split()[0].lower() in parser.lexicon.verbs:
            assert not any(edit.new.split()[0].lower() in graph.text.lower().split() for graph in image)
    assert plain_text(rewritten) not in {plain_text(graph.text) for graph in image}


def place_in(rewrite: Rewrite, start: int) -> int:
    """Where a place of the old caption lies in the new one."""
    before = [edit for edit in [*rewrite.nodes, *rewrite.articles] if edit.end <= start]
    return start + sum(len(edit.new) - len(edit.old) for edit in before)


def test_invariants(small: list[tuple[Image, int, Rewrite]], parser: PatternParser) -> None:
    assert {rewrite.kind for _, _, rewrite in small} == set(REWRITE_KINDS) - {"exchange"}
    for image, number, rewrite in small:
        check(image, number, rewrite, parser)


@pytest.mark.parametrize(
    ("caption", "new", "right"),
    [
        ("a dog runs", "cat", True),
        ("a dog runs", "cats", False),
        ("a dog runs", "jeans", False),
        ("a dog runs", "sheep", True),
        ("the dog runs", "men", False),
        ("two dogs run", "two men", True),
        ("two dogs run", "cat", False),
        ("two dogs run", "sheep", True),
        ("two dogs run", "scissors", True),
    ],
)
def test_the_check_of_number_finds_what_is_wrong(caption: str, new: str, right: bool, parser: PatternParser) -> None:
    [node] = parser.parse(caption).objects
    with contextlib.nullcontext() if right else pytest.raises(AssertionError):
        check_form(node, new, parser, caption)


@pytest.mark.parametrize(
    ("caption", "new", "right"),
    [
        ("a man rides a horse", "pushes", True),
        ("a man rides a horse", "push", False),
        ("a man rides a horse", "pushing", False),
        ("two men ride a horse", "push", True),
        ("two men ride a horse", "pushes", False),
        ("a man is riding a horse", "watching", True),
        ("a man is riding a horse", "watch", False),
        ("a horse ridden by a man", "eaten by", True),
        ("a horse ridden by a man", "eat by", False),
        ("a man on a horse", "pushing", True),
        ("a man on a horse", "next to", True),
        ("a man on a horse", "pushes", False),
    ],
)
def test_the_check_of_verbs_finds_what_is_wrong(caption: str, new: str, right: bool, parser: PatternParser) -> None:
    [(node, _, _)] = parser.parse(caption).relations
    with contextlib.nullcontext() if right else pytest.raises(AssertionError):
        check_form(node, new, parser, caption)


def test_the_right_word_of_the_right_form(small: list[tuple[Image, int, Rewrite]]) -> None:
    single = {rewrite.apply(image[n].text) for image, n, rewrite in small if rewrite.kind != "combination"}
    whole = " ".join(sorted(single))
    assert "is pushing an orange" in whole and "is pushing a red" in whole
    assert not re.search(
        r"\ba orange|\ban red|Two \w+s? stands|is (?:ride|push|watch|paint)\b|Two (?:man|woman|boy) ", whole
    )


@pytest.mark.parametrize(
    ("captions", "expected"),
    [
        (["a red dog watches an orange cat"], {"an orange dog watches a red cat"}),
        (["Two red dogs watch a black cat", "a big dog"], {"Two black dogs watch a red cat"}),
        (["a red dog watches an orange cat", "an orange puppy on the grass"], set()),  # may be the same animal
        (["a red dog watches an orange dog"], set()),
        (["a red dog watches a big cat"], set()),
        (["a red orange dog"], set()),
    ],
)
def test_exchanged_attributes(captions: list[str], expected: set[str], parser: PatternParser) -> None:
    image = [parser.parse(text) for text in captions]
    tables = count_corpus(image, parser.lexicon).to_json()
    rewriter = Rewriter(tables, parser.lexicon, exchange=True)
    rewrites, _ = rewriter.rewrite(image[0], Said(image, parser.lexicon), captions, 20, 1)
    for rewrite in rewrites:
        check(image, 0, rewrite, parser)
    assert {each.apply(captions[0]) for each in rewrites if each.kind == "exchange"} == expected


def test_the_same_seed_gives_the_same(parser: PatternParser) -> None:
    image = [parser.parse(text) for text in make_captions(3)]
    others = [parser.parse(text) for number in range(60) for text in make_captions(number)]
    tables = count_corpus(others, parser.lexicon).to_json()
    said, captions = Said(image, parser.lexicon), [graph.text for graph in image]

    def made(seed: int) -> list[str]:
        rewriter = Rewriter(tables, parser.lexicon, 1)
        return [each.apply(captions[0]) for each in rewriter.rewrite(image[0], said, captions, 10, seed)[0]]

    assert made(1) == made(1) != made(2)
    assert len(set(made(1))) == len(made(1)) == 10


def test_no_rewrite_and_why(parser: PatternParser) -> None:
    rewriter = Rewriter(Vocabulary().to_json(), parser.lexicon)
    for text, why in [
        ("it is", "no objects, attributes or relations found"),
        ("a dog", "nothing to replace its nodes by"),
    ]:
        graph = parser.parse(text)
        assert rewriter.rewrite(graph, Said([graph], parser.lexicon), [text], 5, 1) == ([], why)


def test_capitals_are_kept(parser: PatternParser) -> None:
    tables = count_corpus([parser.parse(t) for n in range(60) for t in make_captions(n)], parser.lexicon).to_json()
    graph = parser.parse("A GIRL RIDING AN ORANGE HORSE")
    rewrites, _ = Rewriter(tables, parser.lexicon, 1).rewrite(graph, Said([graph], parser.lexicon), [graph.text], 20, 1)
    assert rewrites
    assert all(each.apply(graph.text).isupper() for each in rewrites)


def rewritten(caption: str, corpus: list[str], parser: PatternParser, kind: str = "object") -> set[str]:
    """All rewrites of a kind, where the corpus says nothing but these sentences."""
    tables = count_corpus(map(parser.parse, corpus), parser.lexicon).to_json()
    graph = parser.parse(caption)
    found, _ = Rewriter(tables, parser.lexicon, 1).rewrite(graph, Said([graph], parser.lexicon), [caption], 50, 1)
    return {each.apply(caption) for each in found if each.kind == kind}


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("A man (a boy) waits", "A man (an umpire) waits"),
        ("A man with\na boy", "A man with\nan umpire"),
        ("A MAN (A BOY) WAITS", "A MAN (AN UMPIRE) WAITS"),
    ],
)
def test_articles_wherever_they_stand(caption: str, expected: str, parser: PatternParser) -> None:
    assert expected in rewritten(caption, ["An umpire waits"], parser)


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("A herd of sheep are grazing", {"A herd of birds are grazing"}),
        ("Two sheep on the hill", {"Two birds on the hill"}),
        ("A sheep on the hill", {"A bird on the hill"}),
        ("This sheep is grazing", {"This bird is grazing"}),
        ("Birds are grazing", {"Sheep are grazing"}),
    ],
)
def test_nouns_of_one_form_agree(caption: str, expected: set[str], parser: PatternParser) -> None:
    corpus = ["A bird is grazing", "Two birds are grazing", "Some sheep are grazing", "A sheep is grazing"]
    assert rewritten(caption, corpus, parser) == expected


RIDERS = ["A man rides", "A woman rides", "A policeman rides", "A skier rides", "A dog rides", "Two men ride"]


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("A woman brushes her hair", {"A skier brushes her hair"}),  # and the dog does not brush
        ("A man brushes his hair", {"A policeman brushes his hair", "A skier brushes his hair"}),
        ("A skier brushes the hair", {"A policeman brushes the hair"}),
        ("A skier brushes her hair", set()),
        ("A woman brushes the hair", {f"A {who} brushes the hair" for who in ("man", "policeman", "skier")}),
        ("A boy and her dog ride", {f"A {who} and her dog ride" for who in ("woman", "policeman", "skier")}),
    ],
)
def test_a_pronoun_does_not_tell_the_rewrite(caption: str, expected: set[str], parser: PatternParser) -> None:
    people = {each for each in rewritten(caption, RIDERS, parser) if each.split()[1] != "dog"}
    assert people == expected


def test_where_a_pronoun_leaves_nobody_its_person_stays(parser: PatternParser) -> None:
    assert rewritten("A woman brushes her hair", ["A man rides"], parser) == set()
    assert rewritten("A woman brushes the hair", ["A man rides"], parser) == {"A man brushes the hair"}
    corpus = ["A female lion rests", "A male lion rests"]
    assert rewritten("A male lion shakes the mane", corpus, parser, "attribute") == {"A female lion shakes the mane"}
    assert rewritten("A male lion shakes his mane", corpus, parser, "attribute") == set()


def test_another_caption_is_refused(small: list[tuple[Image, int, Rewrite]]) -> None:
    with pytest.raises(ValueError, match="expected"):
        small[0][2].apply("something else entirely, that is long enough to hold the place")


@pytest.mark.slow
def test_invariants_over_real_captions(shared: Path, parser: PatternParser) -> None:
    """2,000 rewrites drawn from those of 4,000 images of Flickr30k."""
    folder = shared / "data" / "flickr30k_captions"
    columns = [[line for _, line in read_lines(folder / f"train.{n}.en.gz")][:4000] for n in range(1, 6)]
    images = [[parser.parse(text.strip()) for text in texts] for texts in zip(*columns, strict=True)]
    chosen = random.Random(5).sample(images, 400)
    tables = count_corpus((graph for image in images for graph in image), parser.lexicon).to_json()
    rewriter = Rewriter(tables, parser.lexicon)
    found, enough, whole, three = [], 0, 0, 0
    for place, image in enumerate(chosen):
        said = Said(image, parser.lexicon)
        for number, graph in enumerate(image):
            rewrites, _ = rewriter.rewrite(graph, said, [each.text for each in image], 20, place * 5 + number)
            found += [(image, number, rewrite) for rewrite in rewrites]
            enough += len(rewrites) >= 5
            if len({node.kind for node in graph.nodes()}) == 3:
                whole, three = whole + 1, three + (len({each.kind for each in rewrites}) >= 3)
    assert enough / (5 * len(chosen)) >= 0.9
    assert three / whole >= 0.9
    for image, number, rewrite in random.Random(6).sample(found, 2000):
        check(image, number, rewrite, parser)
