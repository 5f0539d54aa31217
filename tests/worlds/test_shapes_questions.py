from __future__ import annotations

from collections import Counter
from random import Random

from unimo.worlds.shapes import Scene, ShapesOptions, draw_scenes, parse_caption, true_of
from unimo.worlds.shapes.questions import ANSWERS, IN_AREA, LABELS, hypotheses_about, questions_about
from unimo.worlds.shapes.sampling import split_pairs
from unimo.worlds.shapes.scene import COLORS, RELATIONS, SHAPES


def solve(question: str, scene: Scene) -> str:
    """Answer from the words of the question alone, by another way than the generator's."""
    words = question.rstrip("?").replace(",", "").split()
    color = next((word for word in words if word in COLORS), None)
    shape = next((name for word in words for name in SHAPES if word in (name, f"{name}s", f"{name}es")), None)
    placed = [item for item in scene.objects if question.endswith(f"{IN_AREA[scene.area(item)]}?")]
    fitting = [item for item in scene.objects if color in (None, item.color) and shape in (None, item.shape)]
    if question.startswith("how many"):
        return str(len(fitting))
    if question.startswith("is there"):
        return "yes" if fitting else "no"
    (item,) = placed or fitting
    if question.startswith("where"):
        return scene.area(item)
    if question.startswith("what color"):
        return item.color
    if "shape" in question:
        return item.shape
    return item.texture if "dotted" in question else item.size


def test_answers_are_true(small_options: ShapesOptions) -> None:
    seen, _ = split_pairs(small_options)
    answers: Counter[str] = Counter()
    for number, scene in enumerate(draw_scenes(small_options)):
        questions = questions_about(scene, 8, Random(number), seen)
        assert len(questions) == 8
        for question, answer in questions:
            assert answer in ANSWERS
            if not question.startswith("is the ") or "or" in question.split():
                assert solve(question, scene) == answer, question
            else:  # the red circle left of the blue square -> the red circle is left of the blue square
                relation = next(relation for relation in RELATIONS if relation in question)
                statement = question.replace("is ", "", 1).replace(relation, f"is {relation}")
                assert parse_caption(statement) is not None
                assert true_of(statement, scene) == (answer == "yes")
            answers[answer] += 1
    assert 0.35 < answers["yes"] / (answers["yes"] + answers["no"]) < 0.65


def test_hypotheses_are_what_their_labels_say(small_options: ShapesOptions) -> None:
    seen, held_out = split_pairs(small_options)
    for number, scene in enumerate(draw_scenes(small_options)[:60]):
        found = hypotheses_about(scene, Random(number), seen, 0.3)
        assert [label for _, label in found] == list(LABELS)
        true, open_, false = (text for text, _ in found)
        assert true_of(true, scene)
        assert parse_caption(open_) is None
        assert parse_caption(false) is not None and not true_of(false, scene)
        assert not any(f"{color} {shape}" in false for color, shape in held_out)
