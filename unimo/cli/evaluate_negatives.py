"""`unimo evaluate-negatives`: the right caption among ten wrong ones, in the drawn world.

Example::

    python -m unimo evaluate-negatives --checkpoint runs/shapes/pretraining/checkpoints/best \
        --world runs/shapes/world --regions runs/shapes/regions --json negatives.json

The wrong captions are made from the world's ground truth: another object, another attribute, another relation. They
are scored by the matching head and by the caption's likelihood, for seen and for unseen combinations of colour and
shape, and once more with the images exchanged, where a model that looks falls to chance.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SUMMARY = "tell a right caption from ten wrong ones in the drawn world"


@dataclass(frozen=True)
class Arguments:
    """Checkpoint and world."""

    checkpoint: Path
    """Pre-trained checkpoint folder."""

    world: Path
    """Folder of the drawn world."""

    regions: Path
    """Region store of its images."""

    json: Path | None = None
    """File for the numbers; without it they are only printed."""

    split: str = "test"
    """Images of which split."""

    captions_per_image: int = 3
    """Right captions of each image."""

    tokens_per_batch: int = 16384
    """Positions of one forward."""

    max_regions: int = 101
    """Most regions of an image, the whole image included."""


def run(arguments: Arguments) -> int:
    """Score, print, and write."""
    from unimo.config.job import DataConfig
    from unimo.errors import InputError
    from unimo.files import read_json, write_json
    from unimo.tasks.assembly import load_model
    from unimo.tasks.hard_negatives import SCORERS, evaluate_hard_negatives
    from unimo.worlds.shapes import ShapesOptions, read_scenes
    from unimo.worlds.shapes.negatives import hard_negatives

    scenes = [scene for scene in read_scenes(arguments.world).values() if scene.split == arguments.split]
    if not scenes:
        raise InputError(f"split: {arguments.world} has no images of {arguments.split!r}")
    manifest = read_json(arguments.world / "manifest.json")
    items = hard_negatives(scenes, ShapesOptions(**manifest["options"]), arguments.captions_per_image)
    data = DataConfig(
        regions=str(arguments.regions),
        tokens_per_batch=arguments.tokens_per_batch,
        max_regions=arguments.max_regions,
    )
    context, model = load_model(arguments.checkpoint, data)
    context.require_images().check((item.image_id for item in items), arguments.world)
    results = evaluate_hard_negatives(context, model, items)
    print(f"{results['count']} captions, each against 10 wrong ones; chance {results['chance']:.3f}")
    for scorer in (name for name in SCORERS if name in results):
        for part in ("", "seen", "unseen", "shuffled"):
            values = results[scorer][part] if part else results[scorer]
            pairwise = ", ".join(f"{kind} {_shown(value)}" for kind, value in values["pairwise"].items())
            print(f"{scorer} {part or 'all'}: {_shown(values['accuracy'])}; one against one: {pairwise}")
    if arguments.json is not None:
        write_json(arguments.json, results)
    return 0


def _shown(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"
