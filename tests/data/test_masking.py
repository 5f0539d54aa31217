"""Budgets and distributions of masking: property tests over random texts and images."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unimo.data.masking import (
    Fragments,
    SpanMasking,
    choose_nodes,
    choose_regions,
    choose_spans,
    corrupt_tokens,
    expected_fragments,
    overlaps,
    span_length_probabilities,
    split_fragments,
)


def random_units(length: int, rng: np.random.Generator) -> np.ndarray:
    starts = rng.random(length) < 0.6
    starts[0] = True
    return starts


@given(st.integers(3, 120), st.integers(0, 10_000))
def test_spans_fill_the_budget_and_spare_special_tokens(length: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    maskable = np.ones(length, bool)
    maskable[[0, -1]] = False
    chosen = choose_spans(random_units(length, rng), maskable, SpanMasking(), rng)
    assert len(chosen) == min(max(1, math.ceil(0.15 * length)), length - 2)
    assert maskable[chosen].all()
    assert len(set(chosen.tolist())) == len(chosen)


@given(st.integers(10, 120), st.integers(0, 10_000))
def test_a_span_begins_where_a_unit_begins(length: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    starts, maskable = random_units(length, rng), np.ones(length, bool)
    chosen = set(choose_spans(starts, maskable, SpanMasking(), rng).tolist())
    for position in chosen:
        assert starts[position] or position - 1 in chosen


def test_span_lengths_follow_the_geometric_distribution() -> None:
    probabilities = span_length_probabilities(SpanMasking())
    expected = 0.2 * 0.8 ** np.arange(11)
    np.testing.assert_allclose(probabilities, expected / expected.sum())
    assert (probabilities * np.arange(11)).sum() == pytest.approx(2.97, abs=0.01)


def test_drawn_spans_have_the_lengths_of_the_distribution() -> None:
    """Few spans in a long text of one-token words, so that hardly any two touch; 0 still masks one word."""
    rng, length, lengths = np.random.default_rng(0), 100_000, Counter[int]()
    ones = np.ones(length, bool)
    for _ in range(60):
        chosen = choose_spans(ones, ones, SpanMasking(ratio=0.004), rng)
        lengths.update(len(run) for run in np.split(chosen, np.flatnonzero(np.diff(chosen) > 1) + 1))
    expected = span_length_probabilities(SpanMasking())
    expected = np.concatenate([[expected[0] + expected[1]], expected[2:]])
    found = np.asarray([lengths[each] for each in range(1, 11)]) / lengths.total()
    assert lengths.total() > 7000
    np.testing.assert_allclose(found, expected, atol=0.01)


def uniform(low: int, high: int) -> np.ndarray:
    """Probabilities of lengths 0 to 96 of U{low..high}."""
    values = np.zeros(97)
    values[low : high + 1] = 1 / (high + 1 - low)
    return values


def test_drawn_fragments_have_the_lengths_of_their_scheme() -> None:
    """Targets, and what lies between them, away from the ends of long texts."""
    rng, targets, sources = np.random.default_rng(0), [], []
    for _ in range(40):
        ranges = split_fragments(20_000, Fragments(), rng)
        targets += [end - start for start, end in ranges[1:-1]]
        sources += [start - end for (_, end), (start, _) in itertools.pairwise(ranges)]
    assert len(targets) > 15_000
    for found, short, long in ((targets, (1, 4), (4, 32)), (sources, (3, 12), (12, 96))):
        expected = 0.4 * uniform(*short) + 0.6 * uniform(*long)
        np.testing.assert_allclose(np.bincount(found, minlength=97) / len(found), expected, atol=0.01)


def test_uniform_fragments_are_4_to_32_tokens_long() -> None:
    """In long texts, where hardly any two touch, but for the one that the budget cuts."""
    rng, lengths = np.random.default_rng(0), []
    for _ in range(150):
        lengths += [end - start for start, end in split_fragments(20_000, Fragments("uniform", ratio=0.03), rng)]
    assert len(lengths) > 4000
    found = np.bincount(lengths, minlength=97)[:97] / len(lengths)
    np.testing.assert_allclose(found, uniform(4, 32), atol=0.01)


def test_masked_tokens_are_replaced_in_the_right_shares() -> None:
    rng = np.random.default_rng(0)
    token_ids = rng.integers(4, 999, size=200_000)
    corrupted = corrupt_tokens(token_ids, np.arange(len(token_ids)), SpanMasking(), 999, 1000, rng)
    masked = corrupted == 999
    changed = (corrupted != token_ids) & ~masked
    assert masked.mean() == pytest.approx(0.8, abs=0.01)
    assert changed.mean() == pytest.approx(0.1, abs=0.01)
    assert corrupted[changed].min() >= 4
    assert corrupted[changed].max() <= 998


@given(st.integers(5, 50), st.integers(0, 1000), st.integers(4, 40))
def test_random_replacements_are_never_special(vocab_size: int, seed: int, mask_id: int) -> None:
    rng = np.random.default_rng(seed)
    vocab_size = max(vocab_size, mask_id + 1, 6)
    token_ids = np.full(50, 0)
    only_random = SpanMasking(mask_share=0.0, random_share=1.0)
    corrupted = corrupt_tokens(token_ids, np.arange(50), only_random, mask_id, vocab_size, rng)
    assert (corrupted >= 4).all()
    assert (corrupted < vocab_size).all()
    assert (corrupted != mask_id).all()


@pytest.mark.parametrize("scheme", ["two_scale", "uniform"])
@settings(max_examples=60)
@given(length=st.integers(1, 400), seed=st.integers(0, 10_000))
def test_fragments_are_sorted_disjoint_and_never_empty(scheme: str, length: int, seed: int) -> None:
    fragments = split_fragments(length, Fragments(scheme=scheme), np.random.default_rng(seed))
    flat = [edge for fragment in fragments for edge in fragment]
    assert fragments
    assert flat == sorted(flat)
    assert flat[0] >= 0
    assert flat[-1] <= length
    assert all(start < end for start, end in fragments)


@pytest.mark.parametrize("scheme", ["two_scale", "uniform"])
def test_a_quarter_of_long_texts_is_target(scheme: str) -> None:
    rng = np.random.default_rng(1)
    shares = []
    for _ in range(600):
        fragments = split_fragments(2000, Fragments(scheme=scheme), rng)
        shares.append(sum(end - start for start, end in fragments) / 2000)
    assert np.mean(shares) == pytest.approx(0.25, abs=0.01)


def test_overlap_of_boxes() -> None:
    boxes = np.asarray([[0, 0, 10, 10], [0, 0, 10, 5], [20, 20, 30, 30]], np.float32)
    np.testing.assert_allclose(overlaps(boxes), [[1, 0.5, 0], [0.5, 1, 0], [0, 0, 1]])


@given(st.integers(1, 40), st.integers(0, 10_000))
def test_regions_that_would_leak_an_anchor_are_masked_too(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    corners = rng.random((count, 2)) * 80
    boxes = np.concatenate([corners, corners + 5 + rng.random((count, 2)) * 40], axis=1)
    chosen = choose_regions(boxes, 0.15, 0.3, np.random.default_rng(seed))
    anchors = np.random.default_rng(seed).random(count) < 0.15
    assert len(chosen) >= 1
    if anchors.any():
        expected = anchors | (overlaps(boxes)[anchors] > 0.3).any(axis=0)
        assert set(chosen.tolist()) == set(np.flatnonzero(expected).tolist())


@dataclass(frozen=True)
class Node:
    kind: str
    start: int
    end: int


TEXT = "a red circle to the left of it"
NODES = [Node("attribute", 2, 5), Node("object", 6, 12), Node("relation", 13, 27)]
OFFSETS = np.asarray([[0, 1], [1, 5], [5, 12], [12, 15], [15, 19], [19, 24], [24, 27], [27, 30]])


def test_a_scene_graph_node_is_hidden_whole_and_alone() -> None:
    expected = {(1,), (2,), (3, 4, 5, 6)}
    found = {tuple(choose_nodes(NODES, OFFSETS, np.random.default_rng(seed)).tolist()) for seed in range(40)}
    assert found == expected


def test_kinds_of_nodes_are_drawn_equally_often_however_many_there_are() -> None:
    nodes = [Node("object", 6, 12)] * 5 + [Node("relation", 13, 27)]
    drawn = [len(choose_nodes(nodes, OFFSETS, np.random.default_rng(seed))) for seed in range(600)]
    assert np.mean(np.asarray(drawn) == 4) == pytest.approx(0.5, abs=0.06)


def test_a_node_beyond_the_cut_hides_nothing() -> None:
    assert len(choose_nodes([Node("object", 40, 45)], OFFSETS, np.random.default_rng(0))) == 0


def test_several_nodes_are_hidden_at_once_each_whole_and_relations_alone() -> None:
    counts = Counter(tuple(choose_nodes(NODES, OFFSETS, np.random.default_rng(seed), most=2)) for seed in range(600))
    assert set(counts) == {(1,), (2,), (1, 2), (3, 4, 5, 6)}
    assert counts[3, 4, 5, 6] / 600 == pytest.approx(1 / 3, abs=0.06)
    assert counts[1, 2] / 600 == pytest.approx(1 / 3, abs=0.06)  # half of the others


def test_kinds_of_no_weight_are_never_hidden() -> None:
    weights = {"object": 0.0, "attribute": 0.0}
    for seed in range(40):
        hidden = choose_nodes(NODES, OFFSETS, np.random.default_rng(seed), weights, most=3)
        assert hidden.tolist() == [3, 4, 5, 6]
    assert len(choose_nodes(NODES[:2], OFFSETS, np.random.default_rng(0), weights)) == 0


@pytest.mark.parametrize("scheme", ["two_scale", "uniform"])
@pytest.mark.parametrize("length", [100, 400])
def test_how_many_fragments_are_expected(scheme: str, length: int) -> None:
    settings, rng = Fragments(scheme=scheme), np.random.default_rng(0)
    found = np.mean([len(split_fragments(length, settings, rng)) for _ in range(2000)])
    assert expected_fragments(length, settings) == pytest.approx(found, rel=0.25)
