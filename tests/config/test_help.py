from __future__ import annotations

from tests.config.sample import Job, Options
from unimo.config import describe_parts, field_docs


def test_help_shows_flag_type_docstring_and_default() -> None:
    text = describe_parts({"": Job, "options": Options})
    assert "A job:\n  --task <str>\n      What is learned. (required)\n" in text
    assert (
        "optimizer - How weights move:\n  --optimizer.learning_rate <float>\n      Peak learning rate. (default 0.0001)"
        in text
    )
    assert "options - Options of a task:\n  --options.beam_size <int>\n      Hypotheses kept. (default 5)\n" in text
    assert "--precision <one of FLOAT32, BFLOAT16>\n      Number format. (default FLOAT32)\n" in text
    assert "--sources.<number or name>.weight <float>" in text and "--schedule.num_steps <int>" in text
    assert max(len(line) for line in text.splitlines()) <= 120


def test_docstrings_of_several_lines_become_one() -> None:
    assert field_docs(Job)["name"] == "Name of the run."
    text = describe_parts({"": Job})
    assert "Layers that are trained; empty means all. (default [])" in text


def test_notes_and_what_is_left_out() -> None:
    text = describe_parts({"": Job}, {"task": "the run's"}, left_out={"output", "optimizer.betas"})
    assert "What is learned. (the run's)" in text
    assert "--output" not in text and "--optimizer.betas" not in text and "--optimizer.layers" in text
