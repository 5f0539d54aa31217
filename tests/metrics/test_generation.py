"""Scores of generated texts: ROUGE over sentences, CoQA's F1, and those of question generation."""

from __future__ import annotations

import shutil

import pytest

from unimo.metrics.generation import generation_metrics, sentence_lines, word_f1


def scores(text: str, references: list[str], name: str) -> dict[str, float | None]:
    found, _ = generation_metrics({"r": text}, {"r": references}, [name])
    return found


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("first one\nsecond one", ["first one", "second one"]),
        ("first one [X_SEP] second one", ["first one", "second one"]),
        ("first <S_SEP> second<q>third", ["first", "second", "third"]),
        ("the u.s. is big . so is he !", ["the u.s. is big .", "so is he !"]),
        ("He said no. Then he left. At 5 p.m. exactly", ["He said no.", "Then he left.", "At 5 p.m. exactly"]),
        ('He said "No." "Why?" she asked.', ['He said "No."', '"Why?" she asked.']),
        ("He saw Dr. Smith. He left.", ["He saw Dr.", "Smith.", "He left."]),  # abbreviations are not known
        ("one only .", ["one only ."]),
        ("", [""]),
    ],
)
def test_sentences(text: str, lines: list[str]) -> None:
    assert sentence_lines(text).split("\n") == lines


def test_rouge_of_summaries_is_over_their_sentences() -> None:
    reference = "a red dog runs . two cats sleep ."
    swapped = scores("two cats sleep . a red dog runs .", [reference], "rouge")
    assert swapped["rouge_1"] == pytest.approx(1)
    assert swapped["rouge_2"] == pytest.approx(5 / 6)  # "runs two" is not there
    assert swapped["rouge_l"] == pytest.approx(4 / 7)  # one order of all words: four of seven
    assert swapped["rouge_lsum"] == pytest.approx(1)  # sentence by sentence all of them


def test_the_best_reference_counts() -> None:
    assert scores("a dog", ["a cat", "a dog"], "rouge")["rouge_1"] == pytest.approx(1)


def test_words_shared_with_an_answer() -> None:
    assert word_f1("The red dog!", "a red cat") == pytest.approx(0.5)
    assert word_f1("the", "a") == 1  # both empty without articles
    assert word_f1("", "yes") == 0


def test_answers_of_four_people_are_each_left_out_once() -> None:
    given = ["yes", "yes it is", "no", "yes"]
    found = scores("yes", given, "coqa_f1")
    # each round still has a "yes" but none needs another person's
    assert found == {"coqa_f1": pytest.approx(1), "coqa_exact": pytest.approx(1)}
    found = scores("no", given, "coqa_f1")
    assert found["coqa_exact"] == pytest.approx(3 / 4)  # not in the round without the one who said so
    assert scores("it is", ["yes it is"], "coqa_f1")["coqa_f1"] == pytest.approx(0.8)


def test_question_generation_keeps_every_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    reference = "what is the capital of france ?"
    found, notes = generation_metrics({"q": reference}, {"q": [reference]}, ["question_generation"])
    assert found == {f"bleu_{n}": pytest.approx(1) for n in (1, 2, 3, 4)} | {"meteor": None, "rouge_l": 1.0}
    assert notes == ["METEOR: not computed, java was not found"]
    without_mark, _ = generation_metrics({"q": reference[:-2]}, {"q": [reference]}, ["question_generation"])
    assert without_mark["bleu_4"] < 0.9  # as a caption it would be 1


def test_metrics_that_cannot_stand_together() -> None:
    with pytest.raises(ValueError, match="unknown blue"):
        generation_metrics({}, {}, ["blue"])
    with pytest.raises(ValueError, match="same names as meteor, rouge"):
        generation_metrics({}, {}, ["question_generation", "rouge", "meteor"])
    with pytest.raises(ValueError, match="different records"):
        generation_metrics({"a": "x"}, {"b": ["x"]}, ["rouge"])
