"""`unimo predict`: use a fine-tuned checkpoint on one's own photographs and texts.

Examples::

    python -m unimo predict --task captioning --checkpoint C --images photo.jpg --options.decoding.beam_size 3
    python -m unimo predict --task retrieval --checkpoint C --images photos --texts "a dog on a beach"
    python -m unimo predict --task text_classification --checkpoint C --texts "a charming journey"
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unimo.data.examples import RegionInput

SUMMARY = "captions, labels or rankings for one's own photographs and texts"
JOB = True


@dataclass(frozen=True)
class Arguments:
    """The checkpoint and what it is asked about; every other `--a.b value` overrides a key of the checkpoint's job."""

    task: str
    """The checkpoint's task: captioning, retrieval, visual_entailment, question_answering, text_classification,
    text_regression or text_generation. The eighth, pretraining, makes no predictions."""

    checkpoint: Path
    """Checkpoint folder of a run fine-tuned for the task."""

    images: tuple[Path, ...] = ()
    """Pictures, or folders of pictures; with `--regions`, names of images in that store."""

    regions: Path | None = None
    """Region store to take the images from, for checkpoints whose detector cannot be run here."""

    texts: tuple[str, ...] = ()
    """Texts; two parts of a pair are separated by " ||| "."""

    output: Path | None = None
    """File for the predictions, one JSON object a line; without it they are printed."""


def run(arguments: Arguments, job_argv: Sequence[str]) -> int:
    """Predict, and print or write one line an answer."""
    import paddle

    from unimo.cli.jobs import CONFIG_NAME, checkpoint_folder, load_job
    from unimo.errors import InputError
    from unimo.tasks.assembly import describe_images, load_for_inference
    from unimo.training.task import PredictionRequest

    config = checkpoint_folder(arguments.checkpoint, with_job=True) / CONFIG_NAME
    job, options = load_job((config,), [*job_argv, "--data.regions", str(arguments.regions or "")])
    if job.task != arguments.task:
        raise InputError(f"{arguments.checkpoint}: was trained for {job.task}, not {arguments.task}")
    task, model = load_for_inference(arguments.checkpoint, job.task, options, job.data)
    images: dict[str, RegionInput] = {}
    if arguments.regions is not None:
        store = task.context.require_images()
        names = [str(name) for name in arguments.images]
        store.check(names, "images")
        images = {name: store[name] for name in names}
    elif arguments.images:
        images = describe_images(_pictures(arguments.images), arguments.checkpoint, job.data.max_regions)
    request = PredictionRequest(images, [tuple(text.split(" ||| ")) for text in arguments.texts])
    with paddle.no_grad():
        predictions = task.predict(model, request)
    _show(predictions, arguments.output)
    return 0


def _pictures(paths: tuple[Path, ...]) -> list[Path]:
    from unimo.errors import InputError
    from unimo.regions.extract import find_images

    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise InputError.at(path, "no such file or folder")
        files += find_images(path).values() if path.is_dir() else [path]
    return files


def _show(predictions: list[dict[str, Any]], output: Path | None) -> None:
    from unimo.files import atomic_write

    lines = [json.dumps(prediction, ensure_ascii=False) for prediction in predictions]
    if output is not None:
        with atomic_write(output) as stream:
            stream.writelines(line + "\n" for line in lines)
    elif all(set(prediction) == {"image", "caption"} for prediction in predictions):
        for prediction in predictions:
            print(prediction["caption"] if len(predictions) == 1 else f"{prediction['image']}\t{prediction['caption']}")
    else:
        print("\n".join(lines))


def job_help(argv: Sequence[str]) -> str:
    """Help for the keys of a job: those of its task besides, where ``argv`` names a checkpoint."""
    from unimo.cli.jobs import job_help as describe

    return describe(argv, of_checkpoint=True)
