"""Examples padded into one batch of arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unimo.data.examples import Example

Array = np.ndarray


@dataclass(frozen=True)
class CandidateIndex:
    """The candidates of contrastive learning: which example's text and which one's image each is scored from."""

    texts: Array  # [P, K] int64
    images: Array  # [P, K] int64
    positives: Array  # [P, K] bool
    valid: Array  # [P, K] bool, False for padding

    @property
    def negatives(self) -> Array:
        """[P, K] bool."""
        return self.valid & ~self.positives


@dataclass(frozen=True)
class Batch:
    """Arrays of B examples; L = R + T. Rows of targets count in the flattened [B * L] sequence."""

    record_ids: tuple[str, ...]
    segment_ids: Array  # [B, L] int64, 0 = padding
    order_ids: Array  # [B, L] int64
    input_ids: Array | None = None  # [B, T] int64
    position_ids: Array | None = None  # [B, T] int64
    role_ids: Array | None = None  # [B, T] int64, dialogue only
    turn_ids: Array | None = None  # [B, T] int64, dialogue only
    region_features: Array | None = None  # [B, R, F] float32
    region_locations: Array | None = None  # [B, R, 5] float32
    token_rows: Array | None = None  # [N] int64
    token_labels: Array | None = None  # [N] int64
    region_rows: Array | None = None  # [M] int64
    region_feature_targets: Array | None = None  # [M, F] float32
    region_class_targets: Array | None = None  # [M, C] float32
    labels: Array | None = None  # [B] int64 or float32, or [B, C] float32
    candidates: CandidateIndex | None = None
    text_starts: Array | None = None  # [N] int64 rows of each example's first text position; None: one example a row
    image_starts: Array | None = None  # [N] int64, of its first region

    @property
    def num_examples(self) -> int:
        """Sequences, of which several may share a row."""
        return len(self.segment_ids) if self.image_starts is None else len(self.image_starts)

    @property
    def num_positions(self) -> int:
        """Positions that the network computes, padding included."""
        return int(self.segment_ids.size)

    @property
    def num_valid(self) -> int:
        """Positions that are not padding."""
        return int((self.segment_ids > 0).sum())


@dataclass(frozen=True)
class _Place:
    """Where an example stands in the batch: its row, and where in the row's regions and text it begins."""

    example: Example
    row: int
    segment: int = 1  # number of the example within its row, from 1
    region: int = 0
    token: int = 0


@dataclass(frozen=True)
class _Layout:
    """All examples with their places, and the size of the batch."""

    places: Sequence[_Place]
    num_rows: int
    num_regions: int
    num_tokens: int

    @property
    def length(self) -> int:
        return self.num_regions + self.num_tokens

    def row_starts(self, place: _Place) -> tuple[int, int]:
        """Rows, in the flattened batch, of an example's first region and of its first token."""
        start = place.row * self.length
        return start + place.region, start + self.num_regions + place.token


def collate(
    examples: Sequence[Example],
    pad_id: int,
    rows: Sequence[Sequence[int]] | None = None,
    least: tuple[int, int] = (0, 0),
) -> Batch:
    """Pad examples to the longest text and the most regions among them; regions come first in every row.

    Args:
        examples: one a row, in order, unless ``rows`` says otherwise.
        pad_id: token that fills up.
        rows: numbers of the examples that stand in each row, one after another without seeing each other.
        least: fewest regions and tokens of a row.
    """
    layout = _arrange(examples, rows, least)
    segment_ids = np.zeros((layout.num_rows, layout.length), np.int64)
    order_ids = np.zeros_like(segment_ids)
    for place in layout.places:
        example, start = place.example, layout.num_regions + place.token
        segment_ids[place.row, place.region : place.region + example.num_regions] = place.segment
        if example.order_ids is not None:
            segment_ids[place.row, start : start + example.num_tokens] = place.segment
            order_ids[place.row, start : start + example.num_tokens] = example.order_ids
    labels = [example.label for example in examples]
    return Batch(
        record_ids=tuple(example.record_id for example in examples),
        segment_ids=segment_ids,
        order_ids=order_ids,
        labels=None if labels[0] is None else np.asarray(labels),
        **_text_arrays(layout, pad_id),
        **_region_arrays(layout),
        **_token_targets(layout),
        **_region_targets(layout),
        **(_starts(layout) if rows is not None else {}),
    )


def _arrange(examples: Sequence[Example], rows: Sequence[Sequence[int]] | None, least: tuple[int, int]) -> _Layout:
    """The examples in their own order, each with its place."""
    rows = [[index] for index in range(len(examples))] if rows is None else rows
    places: dict[int, _Place] = {}
    num_regions, num_tokens = least
    for row, indices in enumerate(rows):
        region = token = 0
        for segment, index in enumerate(indices, start=1):
            places[index] = _Place(examples[index], row, segment, region, token)
            region, token = region + examples[index].num_regions, token + examples[index].num_tokens
        num_regions, num_tokens = max(num_regions, region), max(num_tokens, token)
    return _Layout([places[index] for index in range(len(examples))], len(rows), num_regions, num_tokens)


def _starts(layout: _Layout) -> dict[str, Any]:
    starts = np.asarray([layout.row_starts(place) for place in layout.places], np.int64)
    return {"image_starts": starts[:, 0], "text_starts": starts[:, 1] if layout.num_tokens else None}


def _text_arrays(layout: _Layout, pad_id: int) -> dict[str, Any]:
    if layout.num_tokens == 0:
        return {}
    names = {"input_ids": "token_ids", "position_ids": "position_ids"}
    if any(place.example.role_ids is not None for place in layout.places):
        names |= {"role_ids": "role_ids", "turn_ids": "turn_ids"}
    arrays: dict[str, Any] = {}
    for name, field in names.items():
        padding = pad_id if field in ("token_ids", "position_ids") else 0
        arrays[name] = np.full((layout.num_rows, layout.num_tokens), padding, np.int64)
        for place in layout.places:
            values = getattr(place.example, field)
            if values is not None:
                arrays[name][place.row, place.token : place.token + len(values)] = values
    return arrays


def _region_arrays(layout: _Layout) -> dict[str, Any]:
    if layout.num_regions == 0:
        return {}
    shown = [(place, place.example.regions) for place in layout.places if place.example.regions is not None]
    feature_size = shown[0][1].features.shape[1]
    features = np.zeros((layout.num_rows, layout.num_regions, feature_size), np.float32)
    locations = np.zeros((layout.num_rows, layout.num_regions, 5), np.float32)
    for place, regions in shown:
        end = place.region + len(regions.features)
        features[place.row, place.region : end] = regions.features
        locations[place.row, place.region : end] = regions.locations
    return {"region_features": features, "region_locations": locations}


def _token_targets(layout: _Layout) -> dict[str, Any]:
    rows, labels = [], []
    for place in layout.places:
        targets = place.example.token_targets
        if targets is not None:
            rows.append(layout.row_starts(place)[1] + targets.positions)
            labels.append(targets.labels)
    if not rows:
        return {}
    return {"token_rows": np.concatenate(rows), "token_labels": np.concatenate(labels)}


def _region_targets(layout: _Layout) -> dict[str, Any]:
    chosen = [
        (layout.row_starts(place)[0], place.example.region_targets)
        for place in layout.places
        if place.example.region_targets is not None
    ]
    if not chosen:
        return {}
    arrays = {
        "region_rows": np.concatenate([start + targets.positions for start, targets in chosen]),
        "region_feature_targets": np.concatenate([targets.features for _, targets in chosen]),
    }
    classes = [targets.class_probabilities for _, targets in chosen if targets.class_probabilities is not None]
    if len(classes) == len(chosen):
        arrays["region_class_targets"] = np.concatenate(classes)
    return arrays
