"""Beam search over scores: with a wide enough beam it finds what enumeration finds."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unimo.generation.search import Beams, BeamSettings, extend, length_norm, read_hypotheses
from unimo.generation.trigrams import TrigramBlocker

VOCABULARY, START, END = 4, 0, 3
FLOAT32 = 1e-6  # scores are added up in single precision


def log_probabilities(table: np.ndarray, history: np.ndarray) -> np.ndarray:
    """A toy language model: the next token depends on the last two."""
    last = history[..., -1]
    before = history[..., -2] if history.shape[-1] > 1 else np.zeros_like(last)
    return table[before, last]


def toy_table(seed: int) -> np.ndarray:
    logits = np.random.default_rng(seed).standard_normal((VOCABULARY, VOCABULARY, VOCABULARY)) * 2
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def run_beam(table: np.ndarray, settings_: BeamSettings) -> list[tuple[tuple[int, ...], float]]:
    beams = Beams.start(1, START)
    for _ in range(settings_.max_length):
        logs = log_probabilities(table, beams.token_ids)
        count = min(settings_.beam_size, VOCABULARY)
        ids = np.argsort(-logs, axis=-1, kind="stable")[..., :count]
        beams = extend(beams, ids, np.take_along_axis(logs, ids, axis=-1), END, settings_)
    return [(h.token_ids, h.score) for h in read_hypotheses(beams.token_ids[0], beams.scores[0], END)]


def enumerate_all(table: np.ndarray, max_length: int, penalty: float) -> list[tuple[tuple[int, ...], float]]:
    found = []
    for length in range(1, max_length + 1):
        for tail in itertools.product(range(VOCABULARY), repeat=length):
            ended = tail[-1] == END
            if END in tail[:-1] or not (ended or length == max_length):
                continue
            sequence = (START, *tail)
            total = sum(
                log_probabilities(table, np.asarray(sequence[:place]))[sequence[place]]
                for place in range(1, len(sequence))
            )
            found.append((sequence, total / length_norm(length, penalty)))
    return sorted(found, key=lambda item: -item[1])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.6, 1.2]))
def test_a_wide_beam_equals_enumeration(seed: int, penalty: float) -> None:
    table = toy_table(seed)
    wide = BeamSettings(beam_size=150, max_length=4, length_penalty=penalty)
    best_ids, best_score = run_beam(table, wide)[0]
    expected_ids, expected_score = enumerate_all(table, 4, penalty)[0]
    assert best_ids == expected_ids
    assert best_score == pytest.approx(expected_score, abs=FLOAT32)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_a_beam_of_one_is_greedy(seed: int) -> None:
    table = toy_table(seed)
    sequence = [START]
    while (len(sequence) <= 5 and sequence[-1] != END) or len(sequence) == 1:
        sequence.append(int(np.argmax(log_probabilities(table, np.asarray(sequence)))))
    found, _ = run_beam(table, BeamSettings(beam_size=1, max_length=5))[0]
    assert list(found) == sequence[: len(found)]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 6))
def test_hypotheses_come_sorted_and_their_scores_are_their_probabilities(seed: int, beam_size: int) -> None:
    table = toy_table(seed)
    found = run_beam(table, BeamSettings(beam_size=beam_size, max_length=5))
    scores = [score for _, score in found]
    assert scores == sorted(scores, reverse=True)
    for ids, score in found:
        total = sum(log_probabilities(table, np.asarray(ids[:place]))[ids[place]] for place in range(1, len(ids)))
        assert score == pytest.approx(total / length_norm(len(ids) - 1, 0.6), abs=FLOAT32)


def test_impossible_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="min_length"):
        BeamSettings(min_length=5, max_length=3)


def repeats(opens_word: np.ndarray, token_ids: list[int]) -> bool:
    """Whether the last three words stand earlier in the sequence too: every window compared with the last."""
    words: list[tuple[int, ...]] = []
    for token in token_ids:
        if not words or opens_word[token]:
            words.append((token,))
        else:
            words[-1] += (token,)
    windows = list(zip(words, words[1:], words[2:], strict=False))
    return len(words) > 3 and windows[-1] in windows[:-1]


def test_trigrams_are_of_whole_words() -> None:
    opens = np.asarray([True, True, True, False])  # token 3 continues a word
    blocker = TrigramBlocker(opens)
    for whole, expected in (
        ([0, 1, 2, 0, 1, 2], True),
        ([0, 1, 2, 3, 0, 1, 2], False),  # "2 3" is one word, the last is "2"
        ([0, 1, 2, 3, 0, 1, 2, 3], True),
        ([0, 1, 2], False),
    ):
        assert repeats(opens, whole) is expected
        assert blocker(np.asarray([whole[:-1]]), np.asarray([[whole[-1]]])).tolist() == [[expected]]
    histories = np.asarray([[0, 1, 2, 0, 1]])
    assert blocker(histories, np.asarray([[2, 0, 3]])).tolist() == [[True, False, False]]


def test_repeats_that_float32_cannot_tell_apart_tie() -> None:
    """At -65,000 the original's numbers are 1/256 apart; on ties the later hypothesis wins."""
    beams = Beams(np.zeros((1, 2, 2), np.int64), np.zeros((1, 2, 2)), np.zeros((1, 2), bool), np.zeros((1, 2), int))
    for logs, winner in (([-3.0010, -3.0011], 1), ([-3.0010, -3.0100], 0)):
        candidates, settings_ = np.asarray([[[1], [2]]]), BeamSettings(beam_size=1)
        found = extend(beams, candidates, np.asarray([logs])[:, :, None], END, settings_, lambda _, ids: ids > 0)
        assert found.parents.tolist() == [[winner]]


@settings(deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=16))
def test_blocking_equals_comparing_every_window(history: list[int]) -> None:
    opens = np.asarray([True, True, True, False, False])
    found = TrigramBlocker(opens)(np.asarray([history]), np.arange(5)[None])[0].tolist()
    assert found == [repeats(opens, [*history, candidate]) for candidate in range(5)]
