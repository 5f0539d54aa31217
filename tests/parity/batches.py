"""What the original fed to its graphs, as our batches."""

from __future__ import annotations

import numpy as np
import paddle

from tests.parity.goldens import Goldens
from tests.parity.programs import Program
from unimo.data.batch import Batch
from unimo.data.examples import Example, RegionInput
from unimo.modeling import ModelInputs, UnimoModel
from unimo.objectives.adversarial import Noise, start_noise
from unimo.tasks.downstream import DownstreamTask

Array = np.ndarray

WITH_IMAGES = ("img2txt", "retrieval", "ve")


def read_batch(program: Program, golden: Goldens, dialogue: bool = False, with_targets: bool = True) -> Batch:
    """The batch under ``golden``; without targets it is what decoding starts from."""
    segment_ids, order_ids = _orders(golden["input_mask"])
    rows, token_labels = _targets(program, golden, segment_ids.shape[1]) if with_targets else (None, None)
    labelled = with_targets and program.name not in ("seq2seq", "img2txt")
    return Batch(
        record_ids=(),
        segment_ids=segment_ids,
        order_ids=order_ids,
        input_ids=_text(program, golden, "ids", with_targets),
        position_ids=_text(program, golden, "pos_ids", with_targets),
        role_ids=_flat(golden["role_ids"]) if dialogue else None,
        turn_ids=_flat(golden["turn_ids"]) if dialogue else None,
        region_features=golden["image_embedding"] if program.name in WITH_IMAGES else None,
        region_locations=golden["image_loc"] if program.name in WITH_IMAGES else None,
        token_rows=rows,
        token_labels=token_labels,
        labels=golden["labels"].reshape(-1) if labelled else None,
    )


def examples_of(batch: Batch) -> list[Example]:
    """The rows of a batch without their padding."""
    num_regions = 0 if batch.region_features is None else batch.region_features.shape[1]
    assert batch.input_ids is not None and batch.position_ids is not None
    examples = []
    for row, valid in enumerate(batch.segment_ids > 0):
        regions = None
        if batch.region_features is not None and batch.region_locations is not None:
            seen = valid[:num_regions]
            features, locations = batch.region_features[row, seen], batch.region_locations[row, seen]
            regions = RegionInput(features, locations, np.zeros((len(features) - 1, 4)))
        text = valid[num_regions:]
        numbers = (batch.role_ids, batch.turn_ids)
        roles, turns = (None if values is None else values[row, text] for values in numbers)
        order_ids = batch.order_ids[row, num_regions:][text]
        ids, positions = batch.input_ids[row, text], batch.position_ids[row, text]
        examples.append(Example("", ids, positions, order_ids, regions, role_ids=roles, turn_ids=turns))
    return examples


def feed_noise(task: DownstreamTask, golden: Goldens) -> None:
    """Let a task's perturbations start from the original's random numbers in place of fresh ones.

    The numbers of a text are those of the longest text that may be; a caption stands behind its object tags.
    """
    options = task.options.adversarial

    def noise(model: UnimoModel, inputs: ModelInputs) -> Noise:
        mask, valid = task.perturbed_text(inputs), inputs.segment_ids[:, : inputs.num_region_positions] > 0
        num_tags = golden["obj_ids"].shape[1] if "obj_ids" in golden else 0
        text: Array = np.zeros((*mask.shape, golden["noise_t"].shape[2]), np.float32)
        text[:, num_tags:] = golden["noise_t"][:, : mask.shape[1] - num_tags]
        regions = np.ascontiguousarray(golden["noise_v"][:, : valid.shape[1]])
        return Noise(
            start_noise(mask, text.shape[2], options, paddle.to_tensor(text)),
            start_noise(valid, regions.shape[2], options, paddle.to_tensor(regions)),
        )

    task.noise = noise  # type: ignore[method-assign]


def _orders(mask: Array) -> tuple[Array, Array]:
    """Segment and order ids read off the original's dense [B, L, L] mask: [B, L] int64 each.

    A position is padding where no query may attend to it; its order is the number of keys that it sees beyond
    those that every position sees.
    """
    allowed = mask > 0.5
    valid = allowed.any(axis=1)
    seen = allowed.sum(axis=2)
    least = np.where(valid, seen, seen.max() + 1).min(axis=1, keepdims=True)
    return valid.astype(np.int64), np.where(valid, seen - least, 0).astype(np.int64)


def _text(program: Program, golden: Goldens, name: str, with_targets: bool) -> Array:
    """Ids or positions of the text; a caption's stand behind those of the object tags."""
    if program.name != "img2txt":
        return _flat(golden["src_ids" if name == "ids" else name])
    tags = golden[f"obj_{name}"]
    caption = [golden["token_ids" if name == "ids" else name]] if with_targets else []
    return _flat(np.concatenate([tags, *caption], axis=1))


def _targets(program: Program, golden: Goldens, length: int) -> tuple[Array | None, Array | None]:
    """Rows of the predicted tokens in the flat [B * L] sequence; the original counts a caption's in the text alone."""
    if program.name not in ("seq2seq", "img2txt"):
        return None, None
    rows = golden["tgt_pos"].reshape(-1).astype(np.int64)
    if program.name == "img2txt":
        text = golden["token_ids"].shape[1]
        rows = rows // text * length + (length - text) + rows % text
    return rows, golden["tgt_labels"].reshape(-1).astype(np.int64)


def _flat(values: Array) -> Array:
    """The original's [B, T, 1] ids as [B, T] int64."""
    return values.reshape(values.shape[:2]).astype(np.int64)
