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
    """The candidates of contrastive learning: which row's text and which row's image each is scored from."""

    text_rows: Array  # [P, K] int64
    image_rows: Array  # [P, K] int64
    positives: Array  # [P, K] bool
    valid: Array  # [P, K] bool, False for padding


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

    @property
    def num_positions(self) -> int:
        """Positions that the network computes, padding included."""
        return int(self.segment_ids.size)

    @property
    def num_valid(self) -> int:
        """Positions that are not padding."""
        return int((self.segment_ids > 0).sum())


def collate(examples: Sequence[Example], pad_id: int) -> Batch:
    """Pad examples to the longest text and the most regions among them; regions come first in every row."""
    num_regions = max(example.num_regions for example in examples)
    num_tokens = max(example.num_tokens for example in examples)
    size, length = len(examples), num_regions + num_tokens
    segment_ids, order_ids = np.zeros((size, length), np.int64), np.zeros((size, length), np.int64)
    for row, example in enumerate(examples):
        segment_ids[row, : example.num_regions] = 1
        if example.order_ids is not None:
            end = num_regions + example.num_tokens
            segment_ids[row, num_regions:end] = 1
            order_ids[row, num_regions:end] = example.order_ids
    labels = [example.label for example in examples]
    return Batch(
        record_ids=tuple(example.record_id for example in examples),
        segment_ids=segment_ids,
        order_ids=order_ids,
        labels=None if labels[0] is None else np.asarray(labels),
        **_text_arrays(examples, num_tokens, pad_id),
        **_region_arrays(examples, num_regions),
        **_token_targets(examples, length, num_regions),
        **_region_targets(examples, length),
    )


def _text_arrays(examples: Sequence[Example], num_tokens: int, pad_id: int) -> dict[str, Any]:
    if num_tokens == 0:
        return {}
    names = {"input_ids": "token_ids", "position_ids": "position_ids"}
    if any(example.role_ids is not None for example in examples):
        names |= {"role_ids": "role_ids", "turn_ids": "turn_ids"}
    arrays: dict[str, Any] = {}
    for name, field in names.items():
        padding = pad_id if field in ("token_ids", "position_ids") else 0
        arrays[name] = np.full((len(examples), num_tokens), padding, np.int64)
        for row, example in enumerate(examples):
            values = getattr(example, field)
            if values is not None:
                arrays[name][row, : example.num_tokens] = values
    return arrays


def _region_arrays(examples: Sequence[Example], num_regions: int) -> dict[str, Any]:
    if num_regions == 0:
        return {}
    feature_size = next(e.regions.features.shape[1] for e in examples if e.regions is not None)
    features = np.zeros((len(examples), num_regions, feature_size), np.float32)
    locations = np.zeros((len(examples), num_regions, 5), np.float32)
    for row, example in enumerate(examples):
        if example.regions is not None:
            features[row, : example.num_regions] = example.regions.features
            locations[row, : example.num_regions] = example.regions.locations
    return {"region_features": features, "region_locations": locations}


def _token_targets(examples: Sequence[Example], length: int, num_regions: int) -> dict[str, Any]:
    rows, labels = [], []
    for row, example in enumerate(examples):
        if example.token_targets is not None:
            rows.append(row * length + num_regions + example.token_targets.positions)
            labels.append(example.token_targets.labels)
    if not rows:
        return {}
    return {"token_rows": np.concatenate(rows), "token_labels": np.concatenate(labels)}


def _region_targets(examples: Sequence[Example], length: int) -> dict[str, Any]:
    chosen = [(row, e.region_targets) for row, e in enumerate(examples) if e.region_targets is not None]
    if not chosen:
        return {}
    arrays = {
        "region_rows": np.concatenate([row * length + targets.positions for row, targets in chosen]),
        "region_feature_targets": np.concatenate([targets.features for _, targets in chosen]),
    }
    classes = [targets.class_probabilities for _, targets in chosen if targets.class_probabilities is not None]
    if len(classes) == len(chosen):
        arrays["region_class_targets"] = np.concatenate(classes)
    return arrays
