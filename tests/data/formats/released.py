"""Small files in the formats of the original release, written as its tools wrote them."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from unimo.tokenization import UnimoTokenizer

FEATURE_SIZE, NUM_CLASSES = 12, 5


def base64_of(array: np.ndarray) -> str:
    return base64.b64encode(array.astype("<f4").tobytes()).decode()


def regions_of(number: int) -> tuple[int, int, np.ndarray, np.ndarray]:
    """Width, height, boxes and features of an image, the same whenever it is asked for."""
    rng = np.random.default_rng(number)
    count, width, height = int(rng.integers(2, 5)), 200 + number, 100 + number
    corners = rng.uniform(0, 0.5, (count, 2)) * [width, height]
    boxes = np.concatenate([corners, corners + rng.uniform(1, 40, (count, 2))], axis=1)
    return width, height, boxes.astype(np.float32), rng.standard_normal((count, FEATURE_SIZE)).astype(np.float32)


def number_fields(ids: Sequence[int]) -> tuple[str, str, str]:
    """Token, sentence and position ids."""
    count = len(ids)
    return tuple(" ".join(map(str, values)) for values in (ids, [0] * count, range(2, count + 2)))  # type: ignore[return-value]


def caption_line(number: int, caption: Sequence[int] | None, **changes: str) -> str:
    """16 fields; ``caption`` without special tokens, None for test data."""
    width, height, boxes, features = regions_of(number)
    tokens = number_fields([] if caption is None else [0, *caption, 2])
    fields = {
        "image_id": f"coco_img_{number}",
        "caption_id": str(1000 + number),
        "token_ids": tokens[0],
        "sentence_ids": tokens[1],
        "position_ids": tokens[2],
        "segment_labels": tokens[1],
        "node_begins": "-1",
        "node_ends": "-1",
        "image_h": str(height),
        "image_w": str(width),
        "num_boxes": str(len(boxes)),
        "boxes": base64_of(boxes),
        "class_probabilities": "",
        "attribute_probabilities": "",
        "features": base64_of(features),
        "label": "0",
    }
    return ";".join((fields | changes).values()) + "\n"


def entailment_line(number: int, label: str, hypothesis: Sequence[int]) -> str:
    """14 fields."""
    width, height, boxes, features = regions_of(number)
    regions = [str(width), str(height), str(len(boxes)), base64_of(boxes), base64_of(features)]
    tokens = number_fields([0, *hypothesis, 2])
    return ";".join([f"img{number}", f"d{number}", label, *tokens, "x", *regions, "y", "z"]) + "\n"


def retrieval_line(number: int, sentence: int, caption: Sequence[int]) -> str:
    """5 fields."""
    return ";".join([*number_fields([0, *caption, 2]), str(number), str(sentence)]) + "\n"


def feature_line(number: int) -> str:
    """7 columns."""
    width, height, boxes, features = regions_of(number)
    probabilities = base64_of(np.full((len(boxes), NUM_CLASSES), 0.2))
    columns = [number, width, height, len(boxes), base64_of(boxes), base64_of(features), probabilities]
    return "\t".join(map(str, columns)) + "\n"


def object_line(number: int, tags: Sequence[int]) -> str:
    """4 fields."""
    return ";".join([str(number), *number_fields(tags)]) + "\n"


def numbers_of(tokenizer: UnimoTokenizer, text: str) -> str:
    """A text as a tokenised file writes it."""
    names = {token_id: number for number, token_id in tokenizer.vocabulary.gpt2_ids.items()}
    return " ".join(names[token_id] for token_id in tokenizer.encode(text))


def write(path: Path, lines: Iterable[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = "".join(lines).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def write_filelist(path: Path, files: Sequence[Path]) -> Path:
    """One path a line, relative to the list's folder."""
    return write(path, [f"{file.relative_to(path.parent)}\n" for file in files])
