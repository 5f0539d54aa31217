"""`unimo evaluate-negatives`: the right caption among ten wrong ones, in the drawn world.

Examples::

    python -m unimo evaluate-negatives --checkpoint runs/shapes/pretraining/checkpoints/best --world runs/shapes/world
    python -m unimo evaluate-negatives --checkpoint C --world W --regions R --json n.json --predictions n.jsonl

The wrong captions are made from the world's ground truth: another object, another attribute, another relation. They
are scored by the matching head and by the caption's likelihood, for seen and for unseen combinations of colour and
shape, and once more with the images exchanged, where a model that looks falls to chance. Besides, the words in which
a wrong caption differs are hidden in the right one: does the masked language model prefer the right ones?
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unimo.config.job import DataConfig
    from unimo.worlds.shapes.negatives import HardNegatives

SUMMARY = "tell a right caption from ten wrong ones in the drawn world"


@dataclass(frozen=True)
class Arguments:
    """Checkpoint and world."""

    checkpoint: Path
    """Pre-trained checkpoint folder."""

    world: Path
    """Folder of the drawn world."""

    regions: Path | None = None
    """Region store of its images. Without it: the store that the checkpoint was trained with, or `regions` beside the
    world, where it fits the checkpoint and holds the split's images; else the pictures are described by the detector
    that lies in the checkpoint, and standard error says so."""

    json: Path | None = None
    """File for the numbers; without it they are only printed."""

    predictions: Path | None = None
    """File for the scores of every caption: one JSON object a right caption, with image_id, caption, unseen, its
    scores by scorer, and the ten wrong ones with kind, text and scores."""

    split: str = "test"
    """Images of which split."""

    captions_per_image: int = 3
    """Right captions of each image."""

    tokens_per_batch: int = 16384
    """Positions of one forward."""

    max_regions: int = 0
    """Most regions of an image, the whole image included; 0 takes what the checkpoint was trained with."""


def run(arguments: Arguments) -> int:
    """Score, print, and write."""
    from unimo.files import write_json
    from unimo.tasks.assembly import load_model
    from unimo.tasks.found_images import find_split_images
    from unimo.tasks.hard_negatives import predictions, score_hard_negatives, summarize
    from unimo.tasks.hidden_words import hidden_words
    from unimo.tasks.pair_scoring import has_head

    items = _items(arguments)
    image_ids = sorted({item.image_id for item in items})
    trained = _trained_with(arguments.checkpoint)
    data, images = _data(arguments, trained), None
    if arguments.regions is None:
        stores = [trained.regions, str(arguments.world.resolve().parent / "regions")]
        pictures = arguments.world / "images"
        found = find_split_images(arguments.checkpoint, stores, pictures, image_ids, data.max_regions)
        print(*found.told, sep="\n", file=sys.stderr)
        images = found.source
    context, model = load_model(arguments.checkpoint, data, images)
    context.require_images().check(image_ids, arguments.world)
    scores = score_hard_negatives(context, model, items)
    results = summarize(items, scores)
    if has_head(model, "likelihood"):
        results["hidden_words"] = hidden_words(context, model, items)
    _show(results, list(scores))
    if arguments.predictions is not None:
        _write_lines(arguments.predictions, predictions(items, scores))
    if arguments.json is not None:
        write_json(arguments.json, results)
    return 0


def _items(arguments: Arguments) -> list[HardNegatives]:
    from unimo.errors import InputError
    from unimo.files import read_json
    from unimo.worlds.shapes import ShapesOptions, read_scenes
    from unimo.worlds.shapes.negatives import hard_negatives

    scenes = [scene for scene in read_scenes(arguments.world).values() if scene.split == arguments.split]
    if not scenes:
        raise InputError(f"split: {arguments.world} has no images of {arguments.split!r}")
    manifest = read_json(arguments.world / "manifest.json")
    return hard_negatives(scenes, ShapesOptions(**manifest["options"]), arguments.captions_per_image)


def _trained_with(checkpoint: Path) -> DataConfig:
    """The data of the job that made a checkpoint: its own config.yaml, or its run's; defaults where neither is."""
    from unimo.cli.jobs import CONFIG_NAME, load_job
    from unimo.config.job import DataConfig

    for folder in (checkpoint, checkpoint.resolve().parent.parent):
        if (folder / CONFIG_NAME).is_file():
            return load_job((folder / CONFIG_NAME,), [])[0].data
    return DataConfig()


def _data(arguments: Arguments, trained: DataConfig) -> DataConfig:
    from unimo.config.job import DataConfig

    return DataConfig(
        regions=str(arguments.regions or ""),
        tokens_per_batch=arguments.tokens_per_batch,
        max_regions=arguments.max_regions or trained.max_regions,
    )


def _show(results: dict[str, Any], scorers: list[str]) -> None:
    print(f"{results['count']} captions, each against 10 wrong ones; chance {results['chance']:.3f}")
    for scorer in scorers:
        for part in ("", "seen", "unseen", "shuffled"):
            values = results[scorer][part] if part else results[scorer]
            print(f"{scorer} {part or 'all'}: {_shown(values['accuracy'])}; one against one: {_pairwise(values)}")
    if words := results.get("hidden_words"):
        told = f"{_pairwise(words)}; shuffled: {_pairwise(words['shuffled'])}"
        print(f"hidden words, the right ones against others: {told}")


def _pairwise(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{kind} {_shown(value)}" for kind, value in values["pairwise"].items())


def _shown(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"


def _write_lines(path: Path, lines: list[dict[str, Any]]) -> None:
    from unimo.files import atomic_write

    with atomic_write(path) as stream:
        stream.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
