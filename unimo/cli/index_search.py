"""`unimo index search`: the images nearest to a text, or the texts nearest to an image.

Examples::

    python -m unimo index search --index photos.index --texts "a dog on a beach" --k 5
    python -m unimo index search --index photos.index --images beach/0001 --rerank 100

The search is exact. `--rerank K` reads the K nearest jointly with the query, by the whole network, and orders them by
that score, as retrieval does for all pairs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np

    from unimo.cli.indexing import Encoder
    from unimo.inference.index import Entry, Side, VectorIndex

SUMMARY = "find images by a text, or texts by an image"


@dataclass(frozen=True)
class Arguments:
    """The index and the queries."""

    index: Path
    """Folder of the index."""

    texts: tuple[str, ...] = ()
    """Texts to find images for."""

    images: tuple[str, ...] = ()
    """Ids of images to find texts for: of the index, or else of the region store."""

    k: int = 10
    """How many are shown."""

    rerank: int = 0
    """Nearest entries that are read jointly with the query and ordered anew; 0 keeps the order of the vectors."""

    scorer: Literal["match", "likelihood"] = "match"
    """What orders them: the matching head, or the text's likelihood given the image."""

    checkpoint: Path | None = None
    """The checkpoint that the index was made with, where it was moved since."""

    regions: Path | None = None
    """Region store; without it, the one that the index was made with."""


def run(arguments: Arguments) -> int:
    """Print one JSON object a query."""
    from unimo.errors import InputError
    from unimo.inference.index import VectorIndex

    if bool(arguments.texts) == bool(arguments.images):
        raise InputError("texts, images: either of them asks")
    if arguments.k < 1 or arguments.rerank < 0:
        raise InputError("k: at least 1; rerank: at least 0")
    index = VectorIndex(arguments.index)
    wanted: Side = "images" if arguments.texts else "texts"
    if not index.count(wanted):
        raise InputError(f"{index.folder}: holds no {wanted}")
    encoder, queries = _queries(arguments, index)
    rows, cosines = index.search(wanted, queries, max(arguments.k, arguments.rerank))
    entries = index.entries(wanted)
    for number, query in enumerate(arguments.texts or arguments.images):
        found = [entries[row] for row in rows[number]]
        hits = [{**_shown(entry), "cosine": float(c)} for entry, c in zip(found, cosines[number], strict=True)]
        if arguments.rerank and encoder is not None:
            scores = _joint(encoder, arguments, query, found[: arguments.rerank])
            for hit, score in zip(hits, scores, strict=False):
                hit["score"] = score
            # those that were not read jointly stay behind, in their order
            hits = sorted(hits[: len(scores)], key=lambda hit: -hit["score"]) + hits[len(scores) :]
        asked = {"text": query} if arguments.texts else {"image": query}
        print(json.dumps({**asked, wanted: hits[: arguments.k]}, ensure_ascii=False))
    return 0


def _queries(arguments: Arguments, index: VectorIndex) -> tuple[Encoder | None, np.ndarray]:
    """Vectors of the queries, and the network where one is needed."""
    import numpy as np

    from unimo.cli.indexing import encoder_of, store_of
    from unimo.errors import InputError
    from unimo.tasks.dual_encoding import encode_images, encode_texts, require_scorer

    known = {entry.id for entry in index.entries("images")}
    kept = bool(arguments.images) and all(image in known for image in arguments.images)
    encoder = None
    if arguments.rerank or not kept:
        regions = store_of(index, arguments.regions)
        encoder = encoder_of(index, arguments.checkpoint, regions if arguments.rerank or arguments.images else None)
        if arguments.rerank:
            require_scorer(encoder.model, arguments.scorer, encoder.source)
            encoder.context.require_images()
    if kept:
        return encoder, np.stack([index.vector("images", image) for image in arguments.images])
    assert encoder is not None
    if arguments.texts:
        ids = encoder.context.tokenizer.encode_batch(list(arguments.texts))
        return encoder, encode_texts(encoder.context, encoder.model, ids)
    if encoder.context.images is None:
        raise InputError(f"images: {sorted(set(arguments.images) - known)[0]!r} is not in the index; name --regions")
    source = encoder.context.images
    source.check(arguments.images, "images")
    return encoder, encode_images(encoder.context, encoder.model, [source[image] for image in arguments.images])


def _joint(encoder: Encoder, arguments: Arguments, query: str, found: list[Entry]) -> list[float]:
    """Joint scores of the query with what was found for it."""
    import numpy as np

    from unimo.tasks.dual_encoding import joint_scorer

    source, tokenizer = encoder.context.require_images(), encoder.context.tokenizer
    images = [entry.id for entry in found] if arguments.texts else [query]
    texts = [query] if arguments.texts else [entry.text for entry in found]
    source.check(images, "rerank")
    regions = [source[image] for image in images]
    score = joint_scorer(encoder.context, encoder.model, regions, tokenizer.encode_batch(texts), arguments.scorer)
    scores = score(np.ones((len(images), len(texts)), bool))
    return [float(value) for value in scores.reshape(-1)]


def _shown(entry: Entry) -> dict[str, Any]:
    return {"id": entry.id, "text": entry.text} if entry.text else {"id": entry.id}
