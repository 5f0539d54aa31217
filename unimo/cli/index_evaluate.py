"""`unimo index evaluate`: recall of two-stage retrieval by the number of candidates, beside exact retrieval.

Example::

    python -m unimo index evaluate --checkpoint C --captions retrieval_test.jsonl --regions R --ks 5 10 20

Two-stage retrieval ranks by vectors of images and texts encoded alone and reads the best k jointly; exact retrieval
reads every image with every caption.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

WAYS = {"text_to_image": "text to image", "image_to_text": "image to text"}
SUMMARY = "recall of two-stage retrieval by the number of candidates, and what it saves"


@dataclass(frozen=True)
class Arguments:
    """What is retrieved, and by what."""

    checkpoint: Path
    """Checkpoint folder of a run with the head `dual`."""

    captions: Path
    """File of images with captions."""

    regions: Path
    """Region store of the images."""

    ks: tuple[int, ...] = (5, 10, 20, 50)
    """Numbers of candidates that are read jointly with a query."""

    scorer: Literal["match", "likelihood"] = "match"
    """What the joint network scores with: the matching head, or the caption's likelihood given the image."""

    exact: bool = True
    """Read all pairs too, to compare; without it only the candidates of the largest k are read."""

    json: Path | None = None
    """File for the numbers."""


def run(arguments: Arguments) -> int:
    """Encode, search, score, and print a line a k."""
    from unimo.cli.indexing import load_encoder
    from unimo.data.encoding import caption_token_ids
    from unimo.errors import InputError
    from unimo.files import write_json
    from unimo.metrics.retrieval import retrieval_metrics
    from unimo.tasks.dual_encoding import (
        curve_values,
        encode_images,
        encode_texts,
        joint_scorer,
        require_scorer,
        two_stage_curve,
    )
    from unimo.tasks.retrieval import distinct_images, read_caption_records, score_records, true_pairs

    if not arguments.ks or min(arguments.ks) < 1:
        raise InputError("ks: at least 1 each")
    encoder = load_encoder(arguments.checkpoint, arguments.regions)
    context, model = encoder.context, encoder.model
    require_scorer(model, arguments.scorer, arguments.checkpoint)
    records = read_caption_records(context, arguments.captions)
    images = [context.require_images()[image_id] for image_id in distinct_images(records)]
    texts, relevant = caption_token_ids(records, context.tokenizer), true_pairs(records)
    cosines = encode_images(context, model, images) @ encode_texts(context, model, texts).T
    results: dict[str, Any] = {"images": len(images), "captions": len(texts), "scorer": arguments.scorer}
    results["vectors alone"] = retrieval_metrics(cosines, relevant)
    score = joint_scorer(context, model, images, texts, arguments.scorer)
    if arguments.exact:
        joint = score_records(context, model, records, arguments.scorer)
        results["exact"] = retrieval_metrics(joint, relevant)
        score = lambda wanted: joint  # noqa: E731
    results["two_stage"] = curve_values(two_stage_curve(cosines, relevant, arguments.ks, score))
    print(f"{len(images)} images, {len(texts)} captions, {relevant.size} pairs; joint scores by {arguments.scorer}")
    for name in ("exact", "vectors alone"):
        if name in results:
            print(f"{name:<14}{_recalls(results[name])}; {relevant.size if name == 'exact' else 0} joint passes a way")
    for each in results["two_stage"]:
        passes = ", ".join(f"{WAYS[way]} {relevant.size / n:.0f}" for way, n in each["passes"].items())
        both = f"both {relevant.size / each['pairs_read']:.0f}"
        print(f"k = {each['k']:<10}{_recalls(each['recall'])}; times fewer joint passes: {passes}, {both}")
    if arguments.json is not None:
        write_json(arguments.json, results)
    return 0


def _recalls(recall: Mapping[str, Mapping[str, float]]) -> str:
    values = {way: " ".join(f"{name} {value:.3f}" for name, value in recall[way].items()) for way in WAYS}
    return "; ".join(f"{WAYS[way]} {text}" for way, text in values.items())
